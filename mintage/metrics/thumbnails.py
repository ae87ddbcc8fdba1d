"""Small gray thumbnails of images, and of shapes in few cells, in which copies are looked for."""

import torch
from torch import Tensor
from torch.nn import functional as F

LARGEST_SIDE = 32
LARGEST_OF_SHAPES = 16
SMALLEST_SIDE = 8
"""Smaller images have no thumbnail: too little is left after the edges are cut off for shifts."""
_OF_PICTURES, _OF_SHAPES = 4, 5
"""Axes of a batch."""


def has_thumbnails(images: Tensor) -> bool:
    """Whether images are pictures `[N,C,H,W]` or shapes `[N,C,D,H,W]`, and large enough."""
    return images.ndim in (_OF_PICTURES, _OF_SHAPES) and min(images.shape[2:]) >= SMALLEST_SIDE


def thumbnails(images: Tensor) -> Tensor:
    """Images `[N,C,H,W]` in [-1,1] in gray, averaged over blocks of whole pixels: `[N,h,w]` in [0,255], uint8.

    No side is over 32; pixels left over at the bottom and on the right are cut off. For shapes `[N,C,D,H,W]` it is the
    occupied share of each block, `[N,d,h,w]`, and no side is over 16.
    """
    block = block_of(images.shape[2:])
    if images.ndim == _OF_SHAPES:
        shares = F.avg_pool3d((images > 0).any(1, keepdim=True).float(), block)[:, 0]
        return (shares * 255).round().to(torch.uint8)
    gray = F.avg_pool2d(images.mean(1, keepdim=True), block)[:, 0]
    return ((gray.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def block_of(sides: tuple[int, ...]) -> tuple[int, ...]:
    """How many pixels of an image `(H, W)`, or cells of `(D, H, W)`, are averaged to one, along each side."""
    largest = LARGEST_SIDE if len(sides) == _OF_PICTURES - 2 else LARGEST_OF_SHAPES
    return tuple(-(-side // largest) for side in sides)
