"""A checkpoint's figures: its images against the held-out real ones, in the evaluator's features."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.evaluator import Evaluator, classify, features_of
from gan.metrics.accuracy import accuracy
from gan.metrics.frechet import frechet_distance
from gan.metrics.kernel import kernel_distance
from gan.metrics.modes import mode_figures
from gan.players import Generator, build_generator
from gan.randomness import stream
from gan.sampling import samples
from stages.common.checkpoint import read_checkpoint
from stages.common.errors import UserError
from stages.common.pictures import to_uint8
from stages.common.points import in_units, mixture_of
from stages.common.shards import Split
from stages.common.truth import Truth
from stages.selection.metrics import METRICS

_AVERAGE = "game.average."
_DIGITS = 6


@dataclass(frozen=True)
class Reference:
    """What checkpoints are measured against, and by what; the real images' features are computed once."""

    evaluator: Evaluator
    train: Split
    holdout: Split
    train_features: Tensor
    holdout_features: Tensor
    floors: dict[str, float]
    """What real train images reach when they are measured as generated ones are."""
    floor_images: int
    truth: Truth | None = None
    """What the images are drawn from, where that is known."""

    def seen(self, images: Tensor) -> Tensor:
        """Generated images as a user of the files sees them: of 8 bits, or points with all of theirs."""
        return as_seen(images, bits_kept=self.truth is not None)


def reference(
    evaluator: Evaluator, train: Split, holdout: Split, samples: int, seed: int, *, truth: Truth | None = None
) -> Reference:
    """Features of all real images; floors from `samples` train images drawn by `seed`, or all if there are fewer.

    The split is by class, so train and holdout are more alike than two independent draws: the kernel
    floor lies below 0, most of all in small data. Compare a distance with its floor, not with 0.
    """
    train_features = features_of(evaluator, torch.from_numpy(train.images))
    holdout_features = features_of(evaluator, torch.from_numpy(holdout.images))
    drawn = torch.randperm(len(train_features), generator=stream(seed, "floor"))[:samples]
    frechet, (kernel, _) = _distances(holdout_features, train_features[drawn], seed)
    floors = {"frechet_floor": frechet, "kernel_floor": kernel}
    if evaluator.config.classifies and holdout.labels is not None:
        right = accuracy(classify(evaluator, holdout_features), torch.from_numpy(holdout.labels))
        floors["accuracy_floor"] = _rounded(right)
    if truth is not None:
        real = modes_of(torch.from_numpy(train.images)[drawn], truth)
        floors |= {METRICS[metric].floor: _rounded(value) for metric, value in real.items()}
    return Reference(evaluator, train, holdout, train_features, holdout_features, floors, len(drawn), truth)


def measure(
    generator: Generator, real: Reference, count: int, seed: int, progress: Callable[[int], object]
) -> dict[str, Any]:
    """The figures of `count` generated images, each beside its floor; `progress` is told of images as they come.

    A conditional generator is asked for the holdout's labels in turn, so classes are as frequent there as here.
    Raises ValueError where it generates values that are not finite.
    """
    labels = real.holdout.labels if generator.config.conditional else None
    features, points = [], []
    for images, _ in samples(generator, count, seed, None if labels is None else labels.tolist()):
        seen = real.seen(images)
        features.append(features_of(real.evaluator, seen))
        points += [] if real.truth is None else [seen]
        progress(len(images))
    generated = torch.cat(features)
    frechet, (kernel, error) = _distances(real.holdout_features, generated, seed)
    row = {"frechet_distance": frechet, "frechet_floor": real.floors["frechet_floor"]}
    row |= {"kernel_distance": kernel, "kernel_error": error, "kernel_floor": real.floors["kernel_floor"]}
    if labels is not None and "accuracy_floor" in real.floors:
        asked = torch.from_numpy(np.resize(labels, count))
        right = _rounded(accuracy(classify(real.evaluator, generated), asked))
        row |= {"conditional_accuracy": right, "accuracy_floor": real.floors["accuracy_floor"]}
    if real.truth is not None:
        for metric, value in modes_of(torch.cat(points), real.truth).items():
            row |= {metric: _rounded(value), METRICS[metric].floor: real.floors[METRICS[metric].floor]}
    return row | {"samples": count}


def modes_of(images: Tensor, truth: Truth) -> dict[str, Any]:
    """The figures of points `[N,1,1,D]` in [-1,1] against the truth."""
    found = mode_figures(in_units(images, truth), mixture_of(truth))
    return {"modes_captured": found.captured, "high_quality": found.high_quality, "reverse_kl": found.reverse_kl}


def as_seen(images: Tensor, bits_kept: bool = False) -> Tensor:
    """Generated images rounded to 8 bits and back to [-1,1], as a user of the files sees them; or all their bits."""
    if not torch.isfinite(images).all():
        raise ValueError("it generates values that are not finite")
    if bits_kept:
        return images
    return torch.from_numpy(to_uint8(images.numpy()).astype(np.float32) / np.float32(127.5) - 1)


def load_generator(path: Path, device: torch.device) -> tuple[Generator, int]:
    """The averaged generator of a training checkpoint, and the images it has seen.

    Raises UserError where the file is damaged, or holds no generator that fits its config.
    """
    tensors, facts = read_checkpoint(path)
    weights = {name.removeprefix(_AVERAGE): t for name, t in tensors.items() if name.startswith(_AVERAGE)}
    try:
        return build_generator(facts["config"], weights).to(device), facts["images_seen"]
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} holds no generator that fits its config ({reason}): run `dvc repro train`") from None


def _distances(real: Tensor, other: Tensor, seed: int) -> tuple[float, tuple[float, float]]:
    kernel, error = kernel_distance(real, other, seed)
    return _rounded(frechet_distance(real, other)), (_rounded(kernel), _rounded(error))


def _rounded(value: float) -> float:
    """To as many digits as could mean something; the choice is then made on what the table shows."""
    return float(f"{value:.{_DIGITS}g}")
