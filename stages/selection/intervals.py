"""How far a floor varies by chance: the distances between real images over many random splits.

A floor is one draw, as other images could have been held out. Here the held-out images and the training images of the
floor are split anew, with as many on each side and of each class as before, and the distance between both sides is
measured again. Each function gives two columns, the 5% and the 95% quantile of these distances: a figure between them
cannot be told from real images.
"""

from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor

from mintage.metrics.by_class import class_frechet_distances
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.pixels import histogram_distance, histograms
from mintage.metrics.spectrum import ring_powers, spectral_distance
from mintage.randomness import stream
from stages.common.reading import batches_of, labels_of
from stages.selection.extraction import Extraction
from stages.selection.figures import Figures, Measurements, drawn_labels, require_brightness
from stages.selection.metrics import METRICS
from stages.selection.reference import Reference


def frechet_interval(drawn: Extraction, real: Reference) -> Figures:
    features = _both(real.holdout.features, drawn.features)
    # With features as wide as Inception's, one distance takes seconds.
    splits = resplits(real, 40 if features.shape[1] <= 512 else 20)
    return _interval("frechet_distance", (frechet_distance(features[held], features[~held]) for held in splits))


def class_frechet_interval(drawn: Extraction, real: Reference) -> Figures:
    most = 100
    if real.holdout_labels is None or drawn.logits is None or real.classes > most:
        raise ValueError(f"there are no two classes to tell apart, or more than {most}, which would take minutes")
    features, logits = _both(real.holdout.features, drawn.features), _both(real.holdout.logits, drawn.logits)
    labels = _labels(real)
    of_drawn = drawn_labels(Extraction(features, drawn.pixels, labels if real.condition else None, logits))
    each = (
        class_frechet_distances(features[held], labels[held], features[~held], of_drawn[~held], real.classes)
        for held in resplits(real)
    )
    return _interval("class_frechet_distance", (sum(of_classes) / real.classes for of_classes in each))


def brightness_interval(_: Extraction, real: Reference) -> Figures:
    require_brightness(real)
    held_out, others = _sums(real, histograms)
    return _interval("pixel_distance", map(histogram_distance, held_out, others))


def detail_interval(drawn: Extraction, real: Reference) -> Figures:
    held_out, others = _sums(real, ring_powers)
    means = held_out / len(real.holdout), others / len(drawn)
    return _interval("spectral_distance", map(spectral_distance, *means))


INTERVALS: Measurements = {
    frechet_interval: METRICS["frechet_distance"].interval,
    class_frechet_interval: METRICS["class_frechet_distance"].interval,
    brightness_interval: METRICS["pixel_distance"].interval,
    detail_interval: METRICS["spectral_distance"].interval,
}
"""Each with its two columns; as `drawn` they get the training images of the floor."""


def resplits(real: Reference, count: int = 40) -> Tensor:
    """Which of N held-out images, then M training images, each new split holds out: bool `[count, N + M]`."""
    labels = _labels(real)
    was_held_out = torch.arange(len(labels)) < len(real.holdout)
    by_class = was_held_out[torch.argsort(labels, stable=True)]  # each class keeps its number of held-out images
    splits = torch.empty(count, len(labels), dtype=torch.bool)
    for number, held_out in enumerate(splits):
        random = torch.rand(len(labels), generator=stream(real.seed, "resplit", number), dtype=torch.float64)
        held_out[torch.argsort(labels + random)] = by_class
    return splits


def _labels(real: Reference) -> Tensor:
    """The class of each of these images, `[N + M]`; all 0 without classes."""
    held_out, train = labels_of(real.holdout_split), labels_of(real.train_split)
    if held_out is None or train is None:
        return torch.zeros(len(real.holdout) + len(real.chosen), dtype=torch.int64)
    return torch.cat([held_out, train[real.chosen]])


def _sums(real: Reference, of_each: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Sums of `of_each`, `[n, ...]` for n images, over those that each of S splits holds out, and over the others."""
    splits = resplits(real).double()
    drawn = map(torch.from_numpy, real.train_split.batches(real.chosen.numpy()))
    first, held_out, total = 0, torch.tensor(0.0), torch.tensor(0.0)
    for images in chain(batches_of(real.holdout_split), drawn):
        each = of_each(images).double()
        held_out = held_out + torch.tensordot(splits[:, first : first + len(each)], each, 1)
        total, first = total + each.sum(0), first + len(each)
    return held_out, total - held_out


def _interval(metric: str, distances: Iterable[float]) -> Figures:
    values = torch.tensor(list(distances), dtype=torch.float64)
    ends = [values.quantile(share).item() for share in (0.05, 0.95)]
    return dict(zip(METRICS[metric].interval, ends, strict=True))


def _both(held_out: Tensor | None, drawn: Tensor | None) -> Tensor:
    assert held_out is not None
    assert drawn is not None
    return torch.cat([held_out, drawn])
