"""What metrics are computed from: features and counts of a set of images, extracted in one pass over them."""

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
    """The truths of images; between domains without pairs, their sources."""

    images: Tensor
    """`[n,C,H,W]`."""
    hole: Tensor | None = None
    """True where pixels were to be filled in, `[n,1,H,W]`; None means everywhere."""


class Tally:
    """Counts over the pixels of images, added up batch by batch."""

    def __init__(self) -> None:
        self.images = 0
        self.pixels = torch.tensor(0)
        """How many pixels have each level, by channel: `[C,256]`."""
        self._power: Tensor | None = None

    def add(self, images: Tensor) -> None:
        self.images += len(images)
        self.pixels = self.pixels + histogram(images)
        if has_spectrum(images):
            power = ring_power(images)
            self._power = power if self._power is None else self._power + power

    @property
    def power(self) -> Tensor | None:
        """The mean power of an image at each frequency `[R]`; None if images are too small, or are no pictures."""
        return None if self._power is None else self._power / self.images


@dataclass(frozen=True)
class Extraction:
    """Features and counts of N images, on the CPU."""

    features: Tensor
    """`[N,F]`."""
    pixels: Tensor
    """How many pixels have each level, by channel: `[C,256]`."""
    labels: Tensor | None = None
    """`[N]`: the class that was asked for, or that of a real image; None if the model takes no class."""
    logits: Tensor | None = None
    """`[N,K]`, by the evaluator; None if it does not classify."""
    power: Tensor | None = None
    """`[R]`: the mean power of an image at each frequency; None if images are too small, or are no pictures."""
    samples: Tensor | None = None
    """`[N,C,*S]`: the images themselves, if their medium has metrics of its own; else None."""
    right: Tensor | None = None
    """`[N,G]`: whether the evaluator sees each attribute as asked for, or as a real image has it; None without any."""
    likeness: Tensor | None = None
    """`[N,L]`: the figures of `LIKENESS` beside each truth; NaN if one does not apply; None if there are no truths."""
    cycle: Tensor | None = None
    """`[N]`: the mean absolute difference, over pixels, between an image's source and the image translated back."""
    thumbnails: Tensor | None = None
    """`[N,h,w]`, gray levels in [0,255]; None if images are too small, or neither pictures nor volumes."""

    def __len__(self) -> int:
        return len(self.features)

    def rows(self, chosen: Tensor, batches: Iterable[Tensor]) -> "Extraction":
        """The extraction of the chosen images alone; `batches` has these images, in any order, to count pixels."""
        tally = Tally()
        for images in batches:
            tally.add(images)
        kept = {name: getattr(self, name) for name in ("labels", *_BY_BATCH[1:])}
        rows = {name: None if tensor is None else tensor[chosen] for name, tensor in kept.items()}
        return Extraction(self.features[chosen], tally.pixels, power=tally.power, **rows)

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that are not None, by name: `Extraction(**tensors)` is this again."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


@dataclass(frozen=True)
class Judge:
    """The networks that look at images, and the images' medium."""

    evaluator: Evaluator
    network: FeatureNetwork
    medium: Medium
    sha256: str
    """The digest of the evaluator's weights."""

    def about(self) -> list[Any]:
        """Everything that decides what is extracted and measured, except the images and the code of the stages."""
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
        """Features and counts of N images in batches `[n,C,*S]`, with their labels `[N]` or attributes `[N,K]`.

        `targets` are their truths, or between domains their sources, in batches of the same sizes; `back` translates
        images to what their sources should be again.
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
        """Batches of the images from `first` to `count`, as in files. Raises ValueError if they are not finite."""
        for images, _ in samples(generator, count, seed, asked, first):
            yield self.medium.as_written(quantize(images, bits_kept=self.medium.exact))

    def classes(self, images: Tensor) -> Tensor:
        """The class `[N]` that the evaluator, which must classify, sees in each image `[N,C,*S]`."""
        return self._logits(features_of(self.evaluator, images)).argmax(1)

    def _of_domain(self, images: Tensor, kept: dict[str, list[Tensor]]) -> Tensor:
        """The evaluator's features of the latest batch, `kept` already if they are those that metrics use."""
        return kept["features"][-1] if self.network.name == "domain" else features_of(self.evaluator, images)

    @torch.inference_mode()
    def _logits(self, features: Tensor) -> Tensor:
        logits: Tensor = self.evaluator.head(features.to(device_of(self.evaluator))).cpu()
        return logits


def beside_targets(images: Tensor, target: Target) -> Tensor:
    """The figures of `LIKENESS` for each image, `[n,L]`; NaN if a figure does not apply to such data."""
    everywhere = torch.ones_like(images[:, :1], dtype=torch.bool)
    found = likeness(images, target.images, everywhere if target.hole is None else target.hole)
    absent = torch.full((len(images),), torch.nan)
    return torch.stack([found.get(name, absent) for name in LIKENESS], dim=1)


def quantize(images: Tensor, bits_kept: bool = False) -> Tensor:
    """Images in [-1,1] rounded to the 256 levels of files, or not with `bits_kept`. Raises ValueError if not finite."""
    if not torch.isfinite(images).all():
        raise ValueError("it generates values that are not finite")
    if bits_kept:
        return images
    return torch.from_numpy(to_uint8(images.numpy()).astype(np.float32) / np.float32(127.5) - 1)
