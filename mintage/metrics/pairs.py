"""How near a translation is to its truth, picture by picture; all in [-1,1], `[N,C,H,W]` to `[N]`."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

_WINDOW, _DEVIATION = 11, 1.5
_RANGE = 2.0
"""From black to white."""
_MOST_DECIBELS = 100.0
"""Of a translation that is its truth."""


def absolute_error(images: Tensor, truths: Tensor) -> Tensor:
    """The mean absolute difference of pixels, from 0 to 2."""
    return (images - truths).abs().flatten(1).mean(1)


def psnr(images: Tensor, truths: Tensor) -> Tensor:
    """The peak signal-to-noise ratio in decibels, 100 at most; higher is better."""
    error = (images - truths).square().flatten(1).mean(1)
    return (10 * (_RANGE**2 / error).log10()).clamp(max=_MOST_DECIBELS)


def ssim(images: Tensor, truths: Tensor) -> Tensor:
    """Structural similarity, 1 where both are the same (Wang et al. 2004): in windows of 11 pixels, Gaussian.

    A smaller image has as large a window as fits.
    """
    channels, *size = images.shape[1:]
    kernel = _gaussian(min(_WINDOW, *size)).to(images).expand(channels, 1, -1, -1)

    def mean(values: Tensor) -> Tensor:
        return conv2d(values, kernel, groups=channels)

    one, other = mean(images), mean(truths)
    spread = mean(images.square()) - one.square(), mean(truths.square()) - other.square()
    shared = mean(images * truths) - one * other
    light, contrast = (0.01 * _RANGE) ** 2, (0.03 * _RANGE) ** 2
    alike = (2 * one * other + light) * (2 * shared + contrast)
    all_there_is = (one.square() + other.square() + light) * (sum(spread) + contrast)
    return (alike / all_there_is).flatten(1).mean(1)


def _gaussian(size: int) -> Tensor:
    """`[size,size]`, adding up to 1."""
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = torch.exp(-places.square() / (2 * _DEVIATION**2))
    square = torch.outer(line, line)
    return square / square.sum()
