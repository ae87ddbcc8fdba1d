"""The classification accuracy score of the selected checkpoint, beside that of real images."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from mintage.data import HIDDEN_LABEL, RealImages
from mintage.errors import DivergedError
from mintage.evaluator import device_of
from mintage.learning import Schedule
from mintage.metrics.accuracy import share_error
from mintage.metrics.classification import classification_accuracy_score
from mintage.players import Generator
from mintage.sampling import CHUNK, asked_labels
from mintage.streaming import Blocks, open_images
from stages.common.params import Select
from stages.common.reading import batches_of, labels_of, real_images, require_room
from stages.common.stage import progress_bar
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.extraction import Judge
from stages.selection.reference import Reference

_BATCH, _LEARNING_RATE = 128, 0.002
_BLOCK = 4 * CHUNK
"""Images generated at the same time."""
WINDOW = "select.window"


def classification_scores(generator: Generator, real: Reference, known: Cache, params: Select) -> dict[str, Any]:
    """`classification_accuracy_score` of selection.json: classifiers trained on generated and on real images.

    Each has as many images to learn from as the train split, and is shown `params.classifier_images` of them, with
    repeats. Raises ValueError with the reason if there is no such score.
    """
    labels = labels_of(real.train_split)
    if labels is None or real.kind != "classifier":
        raise ValueError("there are no two classes of images to tell apart")
    if not real.conditional:
        raise ValueError("the model is unconditional, so its images have no labels to learn from")
    if params.classifier_images == 0:
        raise ValueError("select.classifier_images is 0")
    window, device = params.window, device_of(real.judge.evaluator)
    genuine = score(lambda: labeled_part(real, labels, window), real, real.known, params)
    if genuine <= _best_guess(real):
        share = f"{100 * genuine:.1f}% of the held-out ones"
        raise ValueError(
            f"even a classifier of real images is right on {share}, as by guessing: raise select.classifier_images"
        )
    made = score(lambda: generated_images(generator, real, labels, window, device), real, known, params)
    sentence = (
        f"A classifier trained on {len(labels):,} generated images is right on {100 * made:.1f}% of the held-out ones"
    )
    sentence += f"; one trained on as many real images is right on {100 * genuine:.1f}%."
    return {"generated": made, "real": genuine, "images": len(labels), "seed": real.seed, "sentence": sentence}


def _best_guess(real: Reference) -> float:
    """The accuracy up to which a classifier may only guess: the share of the largest class, and two standard errors."""
    assert real.holdout_labels is not None
    images = len(real.holdout_labels)
    guess = float(torch.bincount(real.holdout_labels).max()) / images
    return guess + 2 * share_error(guess, images)


def schedule_of(real: Reference, params: Select) -> Schedule:
    """The schedule of the evaluator with default params, for as many images as `stages.selection.budget` decided."""
    assert params.classifier_images is not None
    return Schedule(params.classifier_images, _BATCH, _LEARNING_RATE, real.seed, real.medium.still)


def score(
    shown: Callable[[], RealImages],
    real: Reference,
    known: Cache,
    params: Select,
    *,
    labeled: str | None = None,
) -> float:
    """The accuracy on the holdout of a classifier like the evaluator that learns from the images of `shown`; cached.

    `labeled` tells apart, in the cache, classifiers that see different labels; None means all. Raises ValueError if the
    training diverges.
    """
    schedule = schedule_of(real, params)
    about = [real.subject, asdict(real.judge.evaluator.config), asdict(schedule), real.judge.about(), params.window]
    key = f"classifier-{key_of(about, labeled, code_digest(_score, generated_images, labeled_part, Judge))}"
    facts = known.facts(key) or {"accuracy": _score(shown(), real, schedule)}
    known.keep(key, facts)
    return float(facts["accuracy"])


def labeled_part(real: Reference, labels: Tensor, window: int | None) -> RealImages:
    """The training images whose label in `labels` `[N]` is not hidden, with these labels."""
    split, device = real.train_split, device_of(real.judge.evaluator)
    has_label = labels != HIDDEN_LABEL
    if has_label.all():
        return real_images(split, labels, window, real.seed, device, param=WINDOW)
    blocks = [block for block in split.reader.blocks if has_label[block.start : block.stop].any()]

    def read(number: int) -> Tensor:
        block = blocks[number]
        return torch.tensor(split.reader.images(block))[has_label[block.start : block.stop]]

    sizes = [int(has_label[block.start : block.stop].sum()) for block in blocks]
    return open_images(Blocks(sizes, read), labels[has_label], window, real.seed, device)


def generated_images(
    generator: Generator, real: Reference, labels: Tensor, window: int | None, device: torch.device
) -> RealImages:
    """A generated image for each of the labels `[N]`, shuffled.

    With a `window`, images are generated when they are shown, and again in each epoch, which takes no memory for all.
    """
    labels = asked_labels(labels, len(labels), real.seed)
    asked = labels.tolist()

    def block(number: int) -> Tensor:
        first = number * _BLOCK
        stop = min(first + _BLOCK, len(asked))
        return torch.cat(list(real.judge.generated(generator, stop, real.seed, asked, first)))

    require_room(real.train_split, window, device, WINDOW)
    sizes = [min(_BLOCK, len(asked) - first) for first in range(0, len(asked), _BLOCK)]
    return open_images(Blocks(sizes, block, mixed=True), labels, window, real.seed, device)


def _score(shown: RealImages, real: Reference, schedule: Schedule) -> float:
    assert real.holdout_labels is not None
    config, holdout = real.judge.evaluator.config, batches_of(real.holdout_split)
    try:
        with progress_bar("classifier", schedule.images) as bar:
            accuracy = classification_accuracy_score(
                shown, holdout, real.holdout_labels, config, schedule, progress=bar.update
            )
    except DivergedError as error:
        raise ValueError(str(error)) from None
    return float(f"{accuracy:.6g}")
