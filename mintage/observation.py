"""What an evaluator says of a set of images, and the figures that compare two sets."""

from dataclasses import dataclass

from torch import Tensor

from mintage.damage import in_8_bits
from mintage.dataset import Dataset
from mintage.evaluator import Evaluator, attributes_right, features_of, logits_of
from mintage.metrics.classifier_score import classifier_score
from mintage.metrics.density_coverage import density_coverage
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.kernel import kernel_distance
from mintage.metrics.precision_recall import precision_recall
from mintage.waves import FULL


@dataclass(frozen=True)
class Observation:
    """What an evaluator says of N images."""

    features: Tensor
    """`[N,F]`."""
    probabilities: Tensor | None
    """`[N,K]` of the classes; None if it does not classify."""
    right: Tensor | None
    """`[N]` or `[N,G]`: whether the class, or each attribute, is as asked."""


def observe(evaluator: Evaluator, images: Tensor, conditions: Tensor | None) -> Observation:
    """What the evaluator says of images `[N,C,*S]`; with labels `[N]` or attributes `[N,K]`, also which are right."""
    features = features_of(evaluator, images)
    if evaluator.config.kind == "attributes":
        right = None if conditions is None else attributes_right(evaluator, features, conditions)
        return Observation(features, None, right)
    if not evaluator.config.classifies:
        return Observation(features, None, None)
    logits = logits_of(evaluator, features)
    right = None if conditions is None else logits.argmax(dim=1) == conditions
    return Observation(features, logits.double().softmax(1), right)


def condition_of(data: Dataset) -> Tensor | None:
    """Labels `[N]` or attributes `[N,K]`, by which an image is right or wrong; None if there are neither."""
    return data.label if data.attributes is None else data.attributes


def figures_beside(real: Observation, other: Observation, seed: int) -> dict[str, float]:
    """Figures that compare the two sets, and those of `other` alone."""
    precision, recall = precision_recall(real.features, other.features)
    density, coverage = density_coverage(real.features, other.features)
    found = {
        "frechet_distance": frechet_distance(real.features, other.features),
        "kernel_distance": kernel_distance(real.features, other.features, seed)[0],
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
    }
    if other.probabilities is not None:
        found["classifier_score"] = classifier_score(other.probabilities)
    return found | accuracy_of(other)


def accuracy_of(seen: Observation) -> dict[str, float]:
    """The share that is right, by the name of its metric; empty where nothing was asked."""
    if seen.right is None:
        return {}
    name = "conditional_accuracy" if seen.right.ndim == 1 else "attribute_accuracy"
    return {name: seen.right.double().mean().item()}


def rounded(images: Tensor) -> Tensor:
    """Images rounded to 8 bits, sounds to 16, as they are in files."""
    if images.ndim == 3:
        return (images.clamp(-1, 1) * FULL).round() / FULL
    return in_8_bits(images)
