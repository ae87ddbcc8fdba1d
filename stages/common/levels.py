"""Pixels in [-1,1], and the 8-bit levels that most of them come from: 0 is -1 and 255 is 1, exactly."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatImages = npt.NDArray[np.float32]
Levels = npt.NDArray[np.uint8]
Images = FloatImages | Levels
"""Images `[N,C,*S]`: floats in [-1,1], or the equivalent levels in a quarter of the memory."""


def in_range(images: npt.NDArray[Any]) -> FloatImages:
    """Levels in [0,255] of any type as float32 in [-1,1]; `to_uint8` is the inverse for all 256 whole levels."""
    values: FloatImages = images.astype(np.float32)
    values /= np.float32(127.5)
    values -= np.float32(1)
    return values


def to_uint8(images: npt.NDArray[np.floating[Any]]) -> Levels:
    """[-1,1] to [0,255]: -1 is 0, 1 is 255, halves round to even."""
    levels: Levels = np.rint((np.clip(images, -1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
    return levels


def floats(images: Images) -> FloatImages:
    """Images as float32 in [-1,1]."""
    return in_range(images) if images.dtype == np.uint8 else images.astype(np.float32, copy=False)


def compact(images: Images) -> Images:
    """Images as levels if every value is exactly a level; else unchanged."""
    if images.dtype == np.uint8:
        return images
    levels = to_uint8(floats(images))
    return levels if np.array_equal(in_range(levels), images) else images
