"""Images small and grey: what is left of each, so that copies can be looked for in pixels."""

import torch
from torch import Tensor
from torch.nn import functional as F

LARGEST_SIDE = 32
SMALLEST_SIDE = 8
"""Smaller images have no thumbnail: too little is left of them once an edge is cut off for shifts."""


def has_thumbnails(images: Tensor) -> bool:
    """Whether images are pictures `[N,C,H,W]`, and large enough."""
    return images.ndim == 4 and min(images.shape[2:]) >= SMALLEST_SIDE


def thumbnails(images: Tensor) -> Tensor:
    """Images `[N,C,H,W]` in [-1,1] in grey, averaged over blocks of whole pixels: `[N,h,w]` in [0,255], uint8.

    No side is over 32; what the blocks leave over at the bottom and on the right is cut off.
    """
    grey = F.avg_pool2d(images.mean(1, keepdim=True), block_of(images.shape[2:]))[:, 0]
    return ((grey.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def block_of(sides: tuple[int, ...]) -> tuple[int, int]:
    """How many pixels of an image of `(H, W)` a pixel of its thumbnail averages, down and to the right."""
    height, width = sides
    return -(-height // LARGEST_SIDE), -(-width // LARGEST_SIDE)
