"""How near each translation is to its truth; all in [-1,1], pictures `[N,C,H,W]` or sounds `[N,C,T]` to `[N]`."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from mintage.metrics.distances import nearest_rows

_WINDOW, _DEVIATION = 11, 1.5
_RANGE = 2.0
"""From black to white."""
_LUMINANCE, _BLUE, _RED = (0.299, 0.587, 0.114), 0.564, 0.713
"""What makes luminance, and of the differences from it Cb and Cr."""
_LEAST_DECIBELS, _MOST_DECIBELS = -30.0, 100.0
"""Of a sound that has nothing of its truth, and of a translation that is its truth."""


def likeness(images: Tensor, truths: Tensor, hole: Tensor | None = None) -> dict[str, Tensor]:
    """Every figure `[N]` of images beside their truths that is of data of so many axes, by name.

    `hole` says where they were filled in, `[N,1,H,W]` (bool).
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

    How much of a sound is its truth, however loud (Le Roux et al. 2019, equation 5), both with their mean taken off;
    all channels together. A truth that is silent has nothing to be found: -30.
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


def hole_psnr(images: Tensor, truths: Tensor, hole: Tensor) -> Tensor:
    """PSNR of what is filled in alone: where the hole `[N,1,*S]` (bool) is; not a number of an image without one."""
    missing = hole.expand_as(images).to(images.dtype)
    error = ((images - truths).square() * missing).flatten(1).sum(1) / missing.flatten(1).sum(1)
    return (10 * (_RANGE**2 / error).log10()).clamp(max=_MOST_DECIBELS)


def chroma_error(images: Tensor, truths: Tensor) -> Tensor:
    """The mean absolute difference of Cb and Cr (ITU-R BT.601) of images in color, of 2 from end to end."""
    return (_chroma(images) - _chroma(truths)).abs().flatten(1).mean(1)


def luminance_correlation(images: Tensor, others: Tensor) -> Tensor:
    """Pearson's correlation of the pixels' luminance, below 0 where light and dark are exchanged; 0 of a flat image."""
    one, other = (luminance(shown).flatten(1).double() for shown in (images, others))
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    product = (one.square().sum(1) * other.square().sum(1)).sqrt()
    return ((one * other).sum(1) / product.clamp(min=1e-12)).to(images.dtype)


def retrieval(features: Tensor, targets: Tensor) -> float:
    """The share of translations `[N,F]` that lie nearer to their own truth `[N,F]` than to any other's.

    By chance one in N does (Taigman et al. 2017, table 4). A blur, which is right in the pixels, is near to many.
    """
    _, nearest = nearest_rows(features, targets, 1)
    return (nearest[:, 0].cpu() == torch.arange(len(features))).double().mean().item()


def luminance(images: Tensor) -> Tensor:
    """`[N,H,W]` of images of one or three channels."""
    weights = images.new_tensor(_LUMINANCE) if images.shape[1] == 3 else images.new_ones(1)
    return torch.einsum("nchw,c->nhw", images[:, : len(weights)], weights)


def _chroma(images: Tensor) -> Tensor:
    light = luminance(images)
    return torch.stack([(images[:, 2] - light) * _BLUE, (images[:, 0] - light) * _RED], dim=1)
