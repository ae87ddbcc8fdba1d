"""What is done with sources without a network: they are resized to the images, shown, or kept around a hole."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool1d, max_pool2d, max_pool3d

from mintage.metrics.pairs import luminance

Shape = tuple[int, ...]
_IN_COLOR = 3
"""Channels of a picture in color."""
_REACH = 2
"""Pixels around a hole whose mean fills it."""
_POOLS = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}
"""By the number of spatial axes."""
_OF_PICTURES = 4
"""Axes of a batch of pictures."""


def has_mask(source_shape: Shape, image_shape: Shape) -> bool:
    """Whether a source's last channel is a mask: above 0 where the image's pixels are missing."""
    return source_shape == (image_shape[0] + 1, *image_shape[1:])


def enlarged(sources: Tensor, size: Sequence[int]) -> Tensor:
    """Sources `[N,S,*size]`; pictures of another height or width are enlarged bicubic, or shrunk by averages."""
    if list(sources.shape[2:]) == list(size):
        return sources
    return interpolate(sources.float(), list(size), mode="bicubic", antialias=True).clamp(-1, 1)


def with_attributes(sources: Tensor, attributes: Tensor) -> Tensor:
    """Sources `[N,S,*S]` with attributes `[N,K]` as more channels, each of a single value: `[N,S+K,*S]`."""
    channels = attributes[:, :, *[None] * (sources.ndim - 2)].to(sources)
    return torch.cat([sources, channels.expand(-1, -1, *sources.shape[2:])], dim=1)


def for_display(sources: Tensor, image_shape: Shape) -> Tensor:
    """Sources `[N,S,h,w]` as images `[N,C,H,W]` to look at: enlarged pixel by pixel, without their mask."""
    return _in_channels(interpolate(sources, list(image_shape[1:]), mode="nearest"), image_shape[0])


def visible(sources: Tensor, image_shape: Shape) -> Tensor:
    """Sources `[N,S,h,w]` as pictures of their own size, without their mask or their maps."""
    if maps_in(shape_of(sources), image_shape):
        return sources[:, : image_shape[0]]
    return sources[:, :-1] if has_mask(shape_of(sources), image_shape) else sources


def maps_in(source_shape: Sequence[int], image_shape: Sequence[int]) -> int:
    """How many pictures like the image a source has after its first one.

    Gray ones are at least three: a single one would be taken for a mask, and two with the first for a picture in color.
    """
    pictures, over = divmod(source_shape[0], image_shape[0])
    in_color, in_gray = image_shape[0] == 3 and pictures, image_shape[0] == 1 and pictures > _IN_COLOR
    return pictures - 1 if (in_color or in_gray) and not over else 0


def untouched(sources: Tensor, image_shape: Shape) -> Tensor:
    """The baseline that a translation must beat: the sources `[N,S,*s]` themselves as images `[N,C,*S]`.

    A smaller source is enlarged bicubic, a gray one becomes gray in all channels, and a hole under a mask is filled
    with the mean color of the pixels around it.
    """
    images = _in_channels(enlarged(sources, image_shape[1:]), image_shape[0])
    return _filled(images, sources[:, -1:] > 0) if has_mask(shape_of(sources), image_shape) else images


def with_known(images: Tensor, sources: Tensor) -> Tensor:
    """Images `[N,C,*S]` in the holes of sources `[N,C+1,*S]`, and the sources' own pixels around them."""
    known, mask = sources[:, :-1].to(images.dtype), sources[:, -1:] > 0
    return torch.where(mask, images, known)


def shape_of(images: Tensor) -> Shape:
    """(C, *S) of images `[N,C,*S]`."""
    return tuple(images.shape[1:])


def _in_channels(images: Tensor, channels: int) -> Tensor:
    """Images with `channels` channels: color to gray by luminance; else the first channels, repeated if too few."""
    own = images.shape[1]
    if (own, channels) == (_IN_COLOR, 1) and images.ndim == _OF_PICTURES:
        return luminance(images)[:, None]
    return images[:, torch.arange(channels) % own]


def _filled(images: Tensor, hole: Tensor) -> Tensor:
    """Images with their holes `[N,1,*S]` filled with the mean of pixels up to two places around them."""
    sides = tuple(range(2, images.ndim))
    near = _POOLS[len(sides)](hole.float(), 2 * _REACH + 1, 1, _REACH) > 0
    around = (near & ~hole).to(images)
    mean = (images * around).sum(sides, keepdim=True) / around.sum(sides, keepdim=True).clamp(min=1)
    return torch.where(hole, mean, images)
