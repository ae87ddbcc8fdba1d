"""The picture plots/nearest.png: held-out images, generated ones, and the training image nearest to each of these."""

from collections.abc import Sequence

import numpy as np
import torch

from mintage.metrics.distances import nearest_rows
from mintage.players import Generator
from mintage.randomness import stream
from mintage.sampling import Rows, asked_rows
from stages.common.levels import FloatImages
from stages.common.pictures import encode_png
from stages.common.reading import Chosen, Sources, attributes_of
from stages.common.split import Numbers, Split
from stages.media.drawings import COLUMNS, draw_grid, drawings_of
from stages.selection.reference import Reference


def nearest_drawn(generator: Generator, reals: Sequence[Reference], seed: int) -> bytes:
    """The picture as PNG, with two directions below each other. A medium with plots of its own draws held-out samples
    beside as many generated ones.
    """
    if generator.config.translates:
        rows = torch.from_numpy(np.concatenate([nearest_translations(generator, one) for one in reals]))
        return encode_png(draw_grid(reals[0].medium, rows, len(rows) // (3 * len(reals))))
    if not generator.config.couples:
        (real,) = reals
        order = _in_random_order(real.holdout_split, seed)
        if plot := drawings_of(real.medium).draw_beside(generator, real.holdout_split, order, seed):
            return plot
    rows = torch.from_numpy(np.concatenate([nearest_rows_of(generator, one, seed) for one in reals]))
    return encode_png(draw_grid(reals[0].medium, rows, COLUMNS))


def nearest_rows_of(generator: Generator, real: Reference, seed: int) -> FloatImages:
    """Three rows of `COLUMNS` images: held-out; generated of the same class or attributes; the nearest in training."""
    classes = shown_classes(generator)
    numbers = rows_of_classes(real.holdout_split, classes, seed)
    attributes = attributes_of(real.holdout_split) if generator.config.attributes else None
    asked: Sequence[int] | Rows | None = classes if attributes is None else attributes[numbers]
    asked = real.requested if generator.config.couples else asked
    held_out = real.holdout_split.take(numbers)
    generated = torch.cat(list(real.judge.generated(generator, COLUMNS, seed, asked)))
    _, closest = nearest_rows(real.judge.network.extract(generated), real.train.features, 1)
    return np.concatenate([held_out, generated.numpy(), real.train_split.take(closest[:, 0].numpy())])


def nearest_translations(generator: Generator, real: Reference) -> FloatImages:
    """Three rows: the truths of held-out sources; their translations; the training images nearest to these.

    Between domains the first row has the sources themselves, since there are no truths.
    """
    shown = real.holdout_split if real.others is None else real.others
    pairs = asked_rows(len(shown), COLUMNS if real.others else min(COLUMNS, len(shown)), real.seed)
    sources = Sources(shown, pairs) if real.others is None else Chosen(shown, pairs)
    made = torch.cat(list(real.judge.generated(real.towards(generator), len(pairs), real.seed, sources)))
    _, closest = nearest_rows(real.judge.network.extract(made), real.train.features, 1)
    targets, nearest = shown.take(pairs.numpy()), real.train_split.take(closest[:, 0].numpy())
    return np.concatenate([targets, made.numpy(), nearest])


def shown_classes(generator: Generator) -> list[int] | None:
    """A label for each column, in order; None if the model takes none, or its classes are domains."""
    names, config = generator.config.classes or (), generator.config
    asked = config.conditional and not config.couples
    return sorted(column % len(names) for column in range(COLUMNS)) if asked else None


def _in_random_order(split: Split, seed: int) -> Numbers:
    """The numbers of all images, shuffled: the first ones stored may be of one class."""
    return torch.randperm(len(split), generator=stream(seed, "nearest/real")).numpy()


def rows_of_classes(split: Split, labels: list[int] | None, seed: int) -> Numbers:
    """The number of an image for each label, drawn by the seed; images repeat if a class has too few."""
    order = _in_random_order(split, seed)
    if labels is None or split.labels is None:
        return order[np.arange(COLUMNS) % len(order)]
    having = {label: order[split.labels[order] == label].tolist() for label in set(labels)}
    before_it = [labels[:column].count(label) for column, label in enumerate(labels)]
    return np.array(
        [having[label][before % len(having[label])] for label, before in zip(labels, before_it, strict=True)]
    )
