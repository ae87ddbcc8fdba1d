"""How near each translation is to its truth: pictures `[N,C,H,W]` or sounds `[N,C,T]`, in [-1,1], to figures `[N]`."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from mintage.metrics.distances import nearest_rows

_WINDOW, _DEVIATION = 11, 1.5
_RANGE = 2.0
"""From black to white."""
_LUMINANCE, _BLUE, _RED = (0.299, 0.587, 0.114), 0.564, 0.713
"""Weights of red, green and blue in luminance; factors of its differences from blue and red, Cb and Cr."""
_LEAST_DECIBELS, _MOST_DECIBELS = -30.0, 100.0
"""Decibels of a sound that has nothing of its truth, and of a translation equal to its truth."""


def likeness(images: Tensor, truths: Tensor, hole: Tensor | None = None) -> dict[str, Tensor]:
    """By name, every figure `[N]` of images and their truths that data with so many axes has.

    `hole` `[N,1,H,W]` (bool) is where images were filled in.
    """
    found: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": absolute_error, "psnr": psnr}
    if images.ndim == 3:
        found["si_sdr"] = si_sdr
    if images.ndim == 4:
        found |= {"ssim": ssim, "luminance_correlation": luminance_correlation}
        found |= {"chroma_error": chroma_error} if images.shape[1] == 3 else {}
    filled = {} if hole is None else {"hole_psnr": hole_psnr(images, truths, hole)}
    return {name: figure(images, truths) for name, figure in found.items()} | filled


def absolute_error(images: Tensor, truths: Tensor) -> Tensor:
    """The mean absolute difference of pixels, from 0 to 2."""
    return (images - truths).abs().flatten(1).mean(1)


def psnr(images: Tensor, truths: Tensor) -> Tensor:
    """The peak signal-to-noise ratio in decibels, 100 at most; higher is better."""
    error = (images - truths).square().flatten(1).mean(1)
    return (10 * (_RANGE**2 / error).log10()).clamp(max=_MOST_DECIBELS)


def si_sdr(sounds: Tensor, truths: Tensor) -> Tensor:
    """The scale-invariant signal-to-distortion ratio of sounds `[N,C,T]`, from -30 to 100 decibels; higher is better.

    How much of a sound is its truth, at any loudness (Le Roux et al. 2019, equation 5). Both have their mean removed;
    all channels count together. It is -30 for a silent truth.
    """
    sound, truth = (each.double() - each.double().mean(-1, keepdim=True) for each in (sounds, truths))
    power = truth.square().flatten(1).sum(1)
    scale = (sound * truth).flatten(1).sum(1) / power.clamp(min=1e-12)
    target = scale[:, None, None] * truth
    parts = (each.square().flatten(1).sum(1) for each in (target, sound - target))
    of_truth, of_others = (each.clamp(min=1e-12) for each in parts)
    decibels = (10 * (of_truth / of_others).log10()).clamp(_LEAST_DECIBELS, _MOST_DECIBELS)
    return torch.where(power > 1e-9, decibels, _LEAST_DECIBELS).to(sounds.dtype)


def ssim(images: Tensor, truths: Tensor) -> Tensor:
    """Structural similarity, 1 for equal images (Wang et al. 2004), in Gaussian windows of 11 pixels.

    A smaller image has the largest window that fits.
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
    """A Gaussian window `[size,size]` with sum 1."""
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = torch.exp(-places.square() / (2 * _DEVIATION**2))
    square = torch.outer(line, line)
    return square / square.sum()


def hole_psnr(images: Tensor, truths: Tensor, hole: Tensor) -> Tensor:
    """PSNR inside the hole `[N,1,*S]` (bool) alone; NaN for an image without a hole."""
    missing = hole.expand_as(images).to(images.dtype)
    error = ((images - truths).square() * missing).flatten(1).sum(1) / missing.flatten(1).sum(1)
    return (10 * (_RANGE**2 / error).log10()).clamp(max=_MOST_DECIBELS)


def chroma_error(images: Tensor, truths: Tensor) -> Tensor:
    """The mean absolute difference of Cb and Cr (ITU-R BT.601) of images in color; each has a range of 2."""
    return (_chroma(images) - _chroma(truths)).abs().flatten(1).mean(1)


def luminance_correlation(images: Tensor, others: Tensor) -> Tensor:
    """Pearson's correlation of the pixels' luminance; below 0 if light and dark are exchanged, 0 for a flat image."""
    one, other = (luminance(shown).flatten(1).double() for shown in (images, others))
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    product = (one.square().sum(1) * other.square().sum(1)).sqrt()
    return ((one * other).sum(1) / product.clamp(min=1e-12)).to(images.dtype)


def retrieval(features: Tensor, targets: Tensor) -> float:
    """The share of translations `[N,F]` that are nearer to their own truth `[N,F]` than to any other truth.

    By chance it is 1 / N (Taigman et al. 2017, table 4). A blur, which has a good PSNR, is near to many truths.
    """
    _, nearest = nearest_rows(features, targets, 1)
    return (nearest[:, 0].cpu() == torch.arange(len(features))).double().mean().item()


def luminance(images: Tensor) -> Tensor:
    """Luminance `[N,H,W]` of images with one or three channels."""
    weights = images.new_tensor(_LUMINANCE) if images.shape[1] == 3 else images.new_ones(1)
    return torch.einsum("nchw,c->nhw", images[:, : len(weights)], weights)


def _chroma(images: Tensor) -> Tensor:
    light = luminance(images)
    return torch.stack([(images[:, 2] - light) * _BLUE, (images[:, 0] - light) * _RED], dim=1)
