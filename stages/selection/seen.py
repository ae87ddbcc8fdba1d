"""What metrics look at: a set of images, seen once, as features and counts in place of the images themselves."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan.evaluator import Evaluator, device_of, features_of
from gan.metrics.pixels import histogram
from gan.metrics.spectrum import SMALLEST_SIDE, ring_power
from gan.players import Generator
from gan.sampling import samples
from stages.common.levels import FloatImages, to_uint8
from stages.selection.features import FeatureNetwork

_CHUNK = 512


@dataclass(frozen=True)
class Seen:
    """A set of N images, on the CPU."""

    features: Tensor
    """`[N,F]`."""
    pixels: Tensor
    """How many pixels have each level: `[C,256]`."""
    labels: Tensor | None = None
    """`[N]`: the class that was asked for, or that a real image is of; None where the model takes none."""
    logits: Tensor | None = None
    """`[N,K]` by the evaluator, where it classifies."""
    power: Tensor | None = None
    """The mean power of an image at each frequency `[R]`; points have none."""
    points: Tensor | None = None
    """`[N,1,1,D]`, of data whose truth is known."""

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, chosen: Tensor, images: Tensor) -> "Seen":
        """Those of the chosen images alone, which are given."""
        pixels, power = counted(images[chosen])
        kept = {"labels": self.labels, "logits": self.logits, "points": self.points}
        rows = {name: None if tensor is None else tensor[chosen] for name, tensor in kept.items()}
        return Seen(self.features[chosen], pixels, power=power, **rows)

    def tensors(self) -> dict[str, Tensor]:
        """Those there are, by name: `Seen(**tensors)` is this again."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True)
class Judge:
    """By what images are seen."""

    evaluator: Evaluator
    network: FeatureNetwork
    points: bool
    """Whether they are points whose truth is known, and keep all their bits."""
    sha256: str
    """Of the evaluator."""

    def about(self) -> list[Any]:
        """All that decides what is seen, beside images and code."""
        return [self.sha256, self.network.told(), self.points, device_of(self.evaluator).type]

    def see(self, batches: Iterable[Tensor], labels: Tensor | None) -> Seen:
        """All that is kept of images `[N,C,H,W]`, which come a batch at a time, and their labels `[N]`."""
        kept: dict[str, list[Tensor]] = {"features": [], "logits": [], "points": []}
        pixels, power, count = torch.tensor(0), torch.tensor(0.0, dtype=torch.float64), 0
        for images in batches:
            kept["features"].append(self.network.of(images))
            if self.evaluator.config.classifies:
                kept["logits"].append(self._logits(images, kept["features"][-1]))
            if self.points:
                kept["points"].append(images)
            pixels_here, power_here = counted(images)
            pixels, count = pixels + pixels_here, count + len(images)
            power = power + len(images) * power_here if power_here is not None else power
        tensors = {name: torch.cat(parts) for name, parts in kept.items() if parts}
        return Seen(**tensors, pixels=pixels, labels=labels, power=power / count if power.ndim else None)

    def generated(self, generator: Generator, count: int, seed: int, labels: list[int] | None) -> Iterable[Tensor]:
        """Images as a user of the files sees them. Raises ValueError where they are not finite."""
        for images, _ in samples(generator, count, seed, labels):
            yield as_seen(images, bits_kept=self.points)

    @torch.inference_mode()
    def _logits(self, images: Tensor, features: Tensor) -> Tensor:
        of_domain = features if self.network.name == "domain" else features_of(self.evaluator, images)
        logits: Tensor = self.evaluator.head(of_domain.to(device_of(self.evaluator))).cpu()
        return logits


def in_batches(images: FloatImages) -> Iterable[Tensor]:
    return torch.split(torch.from_numpy(images), _CHUNK)


def counted(images: Tensor) -> tuple[Tensor, Tensor | None]:
    """The pixels of each level, and the mean power of an image at each frequency, where images are large enough."""
    large = min(images.shape[2:]) >= SMALLEST_SIDE
    return histogram(images), ring_power(images) / len(images) if large else None


def as_seen(images: Tensor, bits_kept: bool = False) -> Tensor:
    """Generated images rounded to 8 bits and back to [-1,1], as a user of the files sees them; or all their bits."""
    if not torch.isfinite(images).all():
        raise ValueError("it generates values that are not finite")
    if bits_kept:
        return images
    return torch.from_numpy(to_uint8(images.numpy()).astype(np.float32) / np.float32(127.5) - 1)
