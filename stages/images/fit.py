"""A picture of any size to a tensor of one size."""

from typing import Literal

import numpy as np
from PIL import Image

from stages.common.shards import FloatImages

Fit = Literal["resize", "crop", "pad"]


def fitted(image: Image.Image, height: int, width: int, fit: Fit) -> Image.Image:
    """Bring a picture to `height` x `width`; one that has the size already stays as it is.

    resize stretches; crop keeps the aspect and the centre; pad keeps the aspect and the whole, on black.
    """
    if image.size == (width, height):
        return image
    if fit == "crop":
        return _resized(image.crop(_centre(image, height, width)), height, width)
    if fit == "pad":
        return _padded(image, height, width)
    return _resized(image, height, width)


def tensor(image: Image.Image, channels: int) -> FloatImages:
    """A picture of mode L, RGB or F as `[C,H,W]` float32: 0 is -1 and 255 is 1, exactly."""
    values = np.asarray(image, np.float32) / np.float32(127.5) - np.float32(1)
    planes = values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0)
    if planes.shape[0] < channels:
        planes = planes.repeat(channels, axis=0)
    clipped: FloatImages = np.clip(planes, -1.0, 1.0)  # resampling overshoots at edges in mode F
    return clipped


def _resized(image: Image.Image, height: int, width: int) -> Image.Image:
    """Lanczos where it shrinks, bicubic where it only grows; both weigh all pixels under a target pixel."""
    if image.size == (width, height):
        return image
    shrinks = image.width > width or image.height > height
    return image.resize((width, height), Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC)


def _centre(image: Image.Image, height: int, width: int) -> tuple[int, int, int, int]:
    """The largest box of the target's aspect, in whole pixels so that a mere cut stays exact."""
    scale = min(image.width / width, image.height / height)
    box_width = min(image.width, max(1, round(width * scale)))
    box_height = min(image.height, max(1, round(height * scale)))
    left, top = (image.width - box_width) // 2, (image.height - box_height) // 2
    return left, top, left + box_width, top + box_height


def _padded(image: Image.Image, height: int, width: int) -> Image.Image:
    scale = min(width / image.width, height / image.height)
    inner_width = min(width, max(1, round(image.width * scale)))
    inner_height = min(height, max(1, round(image.height * scale)))
    sheet = Image.new(image.mode, (width, height), 0)
    inner = _resized(image, inner_height, inner_width)
    sheet.paste(inner, ((width - inner_width) // 2, (height - inner_height) // 2))
    return sheet
