"""What metrics look at: a set of images, looked at once, as features and counts in place of the images themselves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mintage.evaluator import Evaluator, attributes_right, device_of, features_of
from mintage.metrics.pairs import absolute_error, likeness
from mintage.metrics.pixels import histogram
from mintage.metrics.spectrum import has_spectrum, ring_power
from mintage.metrics.thumbnails import has_thumbnails, thumbnails
from mintage.players import Generator
from mintage.sampling import Rows, samples
from stages.common.identity import code_behind
from stages.common.levels import to_uint8
from stages.media.medium import Medium
from stages.selection.features import FeatureNetwork

LIKENESS = ("l1", "psnr", "ssim", "luminance_correlation", "hole_psnr", "chroma_error", "si_sdr")
_BY_BATCH = ("features", "logits", "samples", "right", "likeness", "cycle", "thumbnails")


class Target(NamedTuple):
    """What images should be, or, between domains without pairs, what they are made of."""

    images: Tensor
    """`[n,C,H,W]`."""
    hole: Tensor | None = None
    """Where they were to be filled in, `[n,1,H,W]`; None: everywhere."""


class Tally:
    """What is counted of pixels, over images that come a batch at a time."""

    def __init__(self) -> None:
        self.images = 0
        self.pixels = torch.tensor(0)
        """How many have each level: `[C,256]`."""
        self._power: Tensor | None = None

    def add(self, images: Tensor) -> None:
        self.images += len(images)
        self.pixels = self.pixels + histogram(images)
        if has_spectrum(images):
            power = ring_power(images)
            self._power = power if self._power is None else self._power + power

    @property
    def power(self) -> Tensor | None:
        """The mean power of an image at each frequency `[R]`; None where images are too small."""
        return None if self._power is None else self._power / self.images


@dataclass(frozen=True)
class Extraction:
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
    """The mean power of an image at each frequency `[R]`; what is no picture, or of fewer than 4 pixels a side, has
    none."""
    samples: Tensor | None = None
    """`[N,C,H,W]`, where their medium measures more than features tell."""
    right: Tensor | None = None
    """`[N,G]`: whether each attribute is as asked, or as of the real image; where there are attributes."""
    likeness: Tensor | None = None
    """`[N,L]`: the figures of `LIKENESS` beside the truth, where each image has one; nan where one is of other data."""
    cycle: Tensor | None = None
    """`[N]`: the mean error of a pixel of what an image is made of, once the image is translated back to it."""
    thumbnails: Tensor | None = None
    """`[N,h,w]`, gray levels in [0,255]; what is no picture, or of fewer than 8 pixels a side, has none."""

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, chosen: Tensor, batches: Iterable[Tensor]) -> "Extraction":
        """Those of the chosen images alone, which are given in any order."""
        tally = Tally()
        for images in batches:
            tally.add(images)
        kept = {name: getattr(self, name) for name in ("labels", *_BY_BATCH[1:])}
        rows = {name: None if tensor is None else tensor[chosen] for name, tensor in kept.items()}
        return Extraction(self.features[chosen], tally.pixels, power=tally.power, **rows)

    def tensors(self) -> dict[str, Tensor]:
        """Those there are, by name: `Extraction(**tensors)` is this again."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True)
class Judge:
    """By what images are looked at."""

    evaluator: Evaluator
    network: FeatureNetwork
    medium: Medium
    sha256: str
    """Of the evaluator."""

    def about(self) -> list[Any]:
        """All that decides what is extracted and measured, beside images and the code of stages."""
        own = code_behind(type(self.medium).__module__) if self.medium.offers else {}  # it measures, too
        return [self.sha256, self.network.describe(), self.medium.to_json(), own, device_of(self.evaluator).type]

    def extract(
        self,
        batches: Iterable[Tensor],
        labels: Tensor | None,
        targets: Iterable[Target] | None = None,
        attributes: Tensor | None = None,
        *,
        back: Callable[[Tensor], Tensor] | None = None,
    ) -> Extraction:
        """All that is kept of images `[N,C,H,W]`, which come a batch at a time, and labels `[N]` or attributes `[N,K]`.

        `targets` are their truths, or what they are made of, in batches of the same sizes; `back` makes that of them.
        """
        kept: dict[str, list[Tensor]] = {name: [] for name in _BY_BATCH}
        tally = Tally()
        for images, target in zip(batches, repeat(None) if targets is None else targets, strict=targets is not None):
            if target is not None:
                kept["likeness"].append(beside_targets(images, target))
                if back is not None:
                    kept["cycle"].append(absolute_error(back(images), target.images))
            kept["features"].append(self.network.extract(images))
            if attributes is not None:
                asked = attributes[tally.images : tally.images + len(images)]
                kept["right"].append(attributes_right(self.evaluator, self._of_domain(images, kept), asked))
            if self.evaluator.config.classifies:
                kept["logits"].append(self._logits(self._of_domain(images, kept)))
            if self.medium.offers:
                kept["samples"].append(images)
            if has_thumbnails(images):
                kept["thumbnails"].append(thumbnails(images))
            tally.add(images)
        tensors = {name: torch.cat(parts) for name, parts in kept.items() if parts}
        return Extraction(**tensors, pixels=tally.pixels, labels=labels, power=tally.power)

    def generated(
        self, generator: Generator, count: int, seed: int, asked: Sequence[int] | Rows | None, first: int = 0
    ) -> Iterable[Tensor]:
        """Images as a user of the files sees them, from `first` on. Raises ValueError where they are not finite."""
        for images, _ in samples(generator, count, seed, asked, first):
            yield self.medium.as_written(quantize(images, bits_kept=self.medium.exact))

    def classes(self, images: Tensor) -> Tensor:
        """The class `[N]` that the evaluator sees in each image `[N,C,H,W]`; where it classifies."""
        return self._logits(features_of(self.evaluator, images)).argmax(1)

    def _of_domain(self, images: Tensor, kept: dict[str, list[Tensor]]) -> Tensor:
        """The evaluator's own features of the latest images."""
        return kept["features"][-1] if self.network.name == "domain" else features_of(self.evaluator, images)

    @torch.inference_mode()
    def _logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.evaluator.head(features.to(device_of(self.evaluator))).cpu()
        return logits


def beside_targets(images: Tensor, target: Target) -> Tensor:
    """`[N,L]`; nan where a figure is not of such data."""
    everywhere = torch.ones_like(images[:, :1], dtype=torch.bool)
    found = likeness(images, target.images, everywhere if target.hole is None else target.hole)
    absent = torch.full((len(images),), torch.nan)
    return torch.stack([found.get(name, absent) for name in LIKENESS], dim=1)


def quantize(images: Tensor, bits_kept: bool = False) -> Tensor:
    """Generated images rounded to 8 bits and back to [-1,1], as a user of the files sees them; or all their bits."""
    if not torch.isfinite(images).all():
        raise ValueError("it generates values that are not finite")
    if bits_kept:
        return images
    return torch.from_numpy(to_uint8(images.numpy()).astype(np.float32) / np.float32(127.5) - 1)
