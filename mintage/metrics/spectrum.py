"""The power of coarse and fine detail, where upsampling leaves traces (Durall et al. 2020)."""

import torch
from torch import Tensor

SMALLEST_SIDE = 4
_ROUNDING = (2 / 255) ** 2 / 12
"""The power, at every frequency, of rounding to 8 bits: less power is invisible."""


def has_spectrum(images: Tensor) -> bool:
    """Whether images are pictures `[N,C,H,W]`, and large enough."""
    return images.ndim == 4 and min(images.shape[2:]) >= SMALLEST_SIDE


def ring_power(images: Tensor) -> Tensor:
    """The power of images `[N,C,H,W]`, a mean over rings of one frequency and a sum over images: `[R]`, float64.

    Raises ValueError as `ring_powers` does.
    """
    return _over_rings(_power(images).sum(0, keepdim=True))[0]


def ring_powers(images: Tensor) -> Tensor:
    """The power of each image in R rings: `[N,R]`.

    R is half the longer side; ring r holds the frequencies of about r / longer side cycles a pixel. The mean
    brightness and the corners beyond half a cycle a pixel are left out.
    Raises ValueError if a side has fewer than 4 pixels.
    """
    return _over_rings(_power(images))


def _power(images: Tensor) -> Tensor:
    """The power of each image at each frequency, over its channels: `[N,H,W]`."""
    _, channels, height, width = images.shape
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(f"images of {height} x {width} have no spectrum: each side needs {SMALLEST_SIDE} pixels")
    return torch.fft.fft2(images.float()).abs().square().double().sum(1).cpu() / (channels * height * width)


def _over_rings(power: Tensor) -> Tensor:
    count, height, width = power.shape
    longer = max(height, width)
    down, right = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)
    ring = ((down.square() + right.square()).sqrt() * longer).round().long()
    kept = (ring >= 1) & (ring <= longer // 2)
    rings = torch.zeros(count, longer // 2 + 1, dtype=torch.float64).index_add_(1, ring[kept], power[:, kept])
    return rings[:, 1:] / torch.bincount(ring[kept], minlength=longer // 2 + 1)[1:]


def spectral_distance(a: Tensor, b: Tensor) -> float:
    """The root mean square difference over rings, in decibels, of two mean powers of an image, `[R]`."""
    return (_decibels(a) - _decibels(b)).square().mean().sqrt().item()


def _decibels(power: Tensor) -> Tensor:
    return 10 * (power + _ROUNDING).log10()
