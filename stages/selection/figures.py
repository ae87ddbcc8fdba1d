"""The measurements: each function computes one or more columns of the table from generated and real images.

Its figures are cached until its own code changes, so a function holds one measurement and no more. It raises ValueError
with the reason if its figures cannot be computed.
"""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from mintage.metrics.accuracy import accuracy
from mintage.metrics.by_class import class_frechet_distances, diversities, mean_pair_distance
from mintage.metrics.classifier_score import classifier_score
from mintage.metrics.copies import near_copies
from mintage.metrics.density_coverage import density_coverage
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.kernel import kernel_distance
from mintage.metrics.pairs import retrieval
from mintage.metrics.pixels import histogram_distance
from mintage.metrics.precision_recall import precision_recall
from mintage.metrics.spectrum import spectral_distance
from mintage.reconstruction import reconstruction_figures
from stages import media
from stages.common.identity import code_behind
from stages.media import words_for
from stages.selection.cache import key_of
from stages.selection.extraction import LIKENESS, Extraction
from stages.selection.metrics import METRICS
from stages.selection.reference import Reference

_NO_TARGET = "no generated image has a truth beside it"
_NO_LIGHT = "the model translates no pictures, of which alone light and dark say anything"
Figures = dict[str, Any]
"""Values by column of the table; under `classes.NAME` and `attributes.NAME`, lists with a value for each of them."""


def frechet(drawn: Extraction, real: Reference) -> Figures:
    return {"frechet_distance": frechet_distance(real.holdout.features, drawn.features)}


def kernel(drawn: Extraction, real: Reference) -> Figures:
    distance, error = kernel_distance(real.holdout.features, drawn.features, real.seed)
    return {"kernel_distance": distance, "kernel_error": error}


def manifolds(drawn: Extraction, real: Reference) -> Figures:
    precision, recall = precision_recall(real.holdout.features, drawn.features, real.radii_of_precision)
    return {"precision": precision, "recall": recall}


def neighborhoods(drawn: Extraction, real: Reference) -> Figures:
    density, coverage = density_coverage(real.holdout.features, drawn.features, real.radii_of_density)
    return {"density": density, "coverage": coverage}


def score(drawn: Extraction, real: Reference) -> Figures:
    if drawn.logits is None or real.kind != "classifier":
        raise ValueError("there is no classifier of two classes or more")
    return {"classifier_score": classifier_score(drawn.logits.double().softmax(1))}


def conditional(drawn: Extraction, real: Reference) -> Figures:
    if drawn.labels is None:
        raise ValueError("the model is told no class, so none was asked for that could be right or wrong")
    if drawn.logits is None:
        raise ValueError("there are no two classes to tell apart")
    predicted, asked = drawn.logits.argmax(1), drawn.labels
    each = [_share(predicted[asked == label] == label) for label in range(real.classes)]
    return {"conditional_accuracy": accuracy(predicted, asked), "classes.accuracy": each}


def attributes(drawn: Extraction, real: Reference) -> Figures:
    if drawn.right is None:
        raise ValueError("the model is told no attributes that could be right or wrong")
    each = drawn.right.double().mean(0)
    return {"attribute_accuracy": each.mean().item(), "attributes.accuracy": each.tolist()}


def by_class(drawn: Extraction, real: Reference) -> Figures:
    if real.holdout_labels is None or drawn.logits is None:
        raise ValueError("there are no two classes to tell apart")
    distances = class_frechet_distances(
        real.holdout.features, real.holdout_labels, drawn.features, drawn_labels(drawn), real.classes
    )
    return {"class_frechet_distance": _mean(distances), "classes.frechet_distance": distances}


def variety(drawn: Extraction, real: Reference) -> Figures:
    if drawn.logits is None:
        return {"diversity": mean_pair_distance(drawn.features)}
    each = diversities(drawn.features, drawn_labels(drawn), real.classes)
    known = [one for one in each if one is not None]
    if not known:
        raise ValueError("no class has two images")
    return {"diversity": _mean(known), "classes.diversity": each}


def copies(drawn: Extraction, real: Reference) -> Figures:
    return {"near_copies": near_copies(drawn.features, real.train.features, drawn.thumbnails, real.originals)}


def translation(drawn: Extraction, real: Reference) -> Figures:
    if "pairs" not in real.offers:
        raise ValueError(_NO_TARGET)
    return {name: _likeness(drawn, name) for name in ("l1", "psnr")}


def structure(drawn: Extraction, real: Reference) -> Figures:
    if "pairs" not in real.offers:
        raise ValueError(_NO_TARGET)
    if "pairs of pictures" not in real.offers:
        raise ValueError(_NO_LIGHT)
    return {"ssim": _likeness(drawn, "ssim")}


def separation(drawn: Extraction, real: Reference) -> Figures:
    return {"si_sdr": _likeness(drawn, "si_sdr")}


def light(drawn: Extraction, real: Reference) -> Figures:
    if "source pictures" not in real.offers:
        raise ValueError(_NO_LIGHT)
    return {"luminance_correlation": _likeness(drawn, "luminance_correlation")}


def there_and_back(drawn: Extraction, real: Reference) -> Figures:
    if drawn.cycle is None:
        raise ValueError("the model does not translate between two domains")
    return {"cycle_error": drawn.cycle.double().mean().item()}


def filling(drawn: Extraction, real: Reference) -> Figures:
    if not real.masked:
        raise ValueError("no source has a mask of what is missing")
    return {"hole_psnr": _likeness(drawn, "hole_psnr")}


def colors(drawn: Extraction, real: Reference) -> Figures:
    if drawn.pixels.shape[0] == 1:
        raise ValueError("the images are gray")
    if "pairs" not in real.offers:
        raise ValueError(_NO_TARGET)
    return {"chroma_error": _likeness(drawn, "chroma_error")}


def retrievals(drawn: Extraction, real: Reference) -> Figures:
    if "pairs" not in real.offers:
        raise ValueError(_NO_TARGET)
    of_all = real.holdout.features
    return {"retrieval": retrieval(drawn.features, of_all if len(drawn) == len(of_all) else of_all[real.pairs])}


def reconstructions(drawn: Extraction, real: Reference) -> Figures:
    """Figures of reconstructions of the held-out images in `Reference.encoded`."""
    if drawn.likeness is None:
        raise ValueError(_NO_TARGET)
    decibels = drawn.likeness[:, LIKENESS.index("psnr")]
    return reconstruction_figures(decibels, drawn.features, real.holdout.features[real.encoded])


def brightness(drawn: Extraction, real: Reference) -> Figures:
    require_brightness(real)
    return {"pixel_distance": histogram_distance(real.holdout.pixels, drawn.pixels)}


def require_brightness(real: Reference) -> None:
    """Raise ValueError for a medium whose numbers mean no brightness, as those of words."""
    if reason := real.medium.lacks.get("brightness"):
        raise ValueError(reason)


def detail(drawn: Extraction, real: Reference) -> Figures:
    if drawn.power is None or real.holdout.power is None:
        raise ValueError(real.medium.lacks.get("spectrum", "images of fewer than 8 pixels a side have no spectrum"))
    return {"spectral_distance": spectral_distance(real.holdout.power, drawn.power)}


def measurement_by(medium: str) -> "Measurement":
    """The measurement of a medium's own metrics, on data of this medium."""

    def measurement(drawn: Extraction, real: Reference) -> Figures:
        if real.medium.name != medium or drawn.samples is None or real.holdout.samples is None:
            raise ValueError(f"it is of {next(iter(media.load(medium).offers.values()))}")
        return real.medium.measure(drawn.samples, real.holdout.samples)

    measurement.__name__ = medium
    return measurement


def measurement_of(name: str) -> "Measurement":
    """The measurement of a metric that another package brings; a digest of its code is part of its name."""
    module, _, function = (METRICS[name].measure or "").partition(":")

    def measurement(drawn: Extraction, real: Reference) -> Figures:
        if METRICS[name].needs not in real.offers:
            raise ValueError(f"it is of {words_for(str(METRICS[name].needs))}")
        measure = getattr(import_module(module), function)
        return {name: float(measure(real.holdout.features, drawn.features))}

    measurement.__name__ = f"{name}-{key_of(code_behind(module))}"
    return measurement


Measurement = Callable[[Extraction, Reference], Figures]
Measurements = dict[Measurement, tuple[str, ...]]
"""Functions, each with the columns that it computes."""
MEASUREMENTS: Measurements = {
    frechet: ("frechet_distance",),
    kernel: ("kernel_distance",),
    manifolds: ("precision", "recall"),
    neighborhoods: ("density", "coverage"),
    score: ("classifier_score",),
    conditional: ("conditional_accuracy",),
    attributes: ("attribute_accuracy",),
    by_class: ("class_frechet_distance",),
    variety: ("diversity",),
    copies: ("near_copies",),
    translation: ("l1", "psnr"),
    structure: ("ssim",),
    separation: ("si_sdr",),
    light: ("luminance_correlation",),
    there_and_back: ("cycle_error",),
    filling: ("hole_psnr",),
    colors: ("chroma_error",),
    retrievals: ("retrieval",),
    brightness: ("pixel_distance",),
    detail: ("spectral_distance",),
}
"""The measurements of samples, each with its metrics."""
MEASUREMENTS |= {
    measurement_by(name): tuple(metrics) for name in media.BUILT_IN if (metrics := media.load(name).metrics)
}
MEASUREMENTS |= {measurement_of(name): (name,) for name, metric in METRICS.items() if metric.measure}
OF_ENCODERS: Measurements = {reconstructions: ("reconstruction_psnr", "reconstruction_retrieval")}
"""Measurements of reconstructed held-out images, not of samples."""
OF_HOLDOUT = (
    conditional,
    attributes,
    copies,
    translation,
    structure,
    separation,
    light,
    there_and_back,
    filling,
    colors,
    retrievals,
)
"""Measurements whose floor is what held-out images reach; the floor of all others is that of training images.

Each is a mean over images, or a share of images that are judged one by one, and does not depend on their number: so the
holdout may have fewer images than are generated.
"""


def drawn_labels(drawn: Extraction) -> Tensor:
    """The class of each image `[N]`: the one that was asked for, or else the one that the evaluator sees."""
    assert drawn.logits is not None
    return drawn.logits.argmax(1) if drawn.labels is None else drawn.labels


def _likeness(drawn: Extraction, name: str) -> float:
    """The mean of a figure over the images that have it: for the PSNR in the hole, those with a hole."""
    if drawn.likeness is None:
        raise ValueError(_NO_TARGET)
    mean = drawn.likeness[:, LIKENESS.index(name)].double().nanmean().item()
    if math.isnan(mean):
        raise ValueError("it is of other data")
    return mean


def _share(right: Tensor) -> float | None:
    return right.double().mean().item() if len(right) else None


def _mean(values: list[float]) -> float:
    return torch.tensor(values, dtype=torch.float64).mean().item()
