"""The distribution of pixel values: brightness and contrast, without regard to what images show."""

import torch
from torch import Tensor

LEVELS = 256


def histogram(images: Tensor) -> Tensor:
    """How many pixels of images `[N,C,H,W]` in [-1,1] have each of 256 levels, by channel: `[C,256]`."""
    return histograms(images).sum(0)


def histograms(images: Tensor) -> Tensor:
    """The histogram of each image: `[N,C,256]`."""
    levels = ((images.clamp(-1, 1) + 1) * ((LEVELS - 1) / 2)).round().long().flatten(2)
    count, channels, _ = levels.shape
    places = levels + LEVELS * torch.arange(count * channels).view(count, channels, 1)
    return torch.bincount(places.flatten(), minlength=count * channels * LEVELS).view(count, channels, LEVELS)


def histogram_distance(a: Tensor, b: Tensor) -> float:
    """The Wasserstein distance of order 1 between two histograms `[C,256]` of values in [-1,1], a mean over channels.

    It is the area between the cumulative distributions: 2 between all black and all white. Raises ValueError for an
    empty histogram.
    """
    if a.shape != b.shape or min(a.sum().item(), b.sum().item()) == 0:
        raise ValueError(f"histograms must be of one shape and not empty, not {list(a.shape)} and {list(b.shape)}")
    gap = _cumulative(a) - _cumulative(b)
    return gap.abs().sum(1).mean().item() * 2 / (LEVELS - 1)


def _cumulative(counts: Tensor) -> Tensor:
    return counts.double().cumsum(1) / counts.double().sum(1, keepdim=True)
