"""A picture of any size to one size."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageColor

from stages.images.area import shrunk
from stages.images.deep import Picture

Fit = Literal["resize", "crop", "letterbox", "pad"]
Resample = Literal["lanczos", "area"]


class TooSmallError(Exception):
    """A picture that would have to be enlarged, which is refused."""


@dataclass(frozen=True)
class Geometry:
    """The size of pictures, and how they are resized to it."""

    height: int
    width: int
    fit: Fit
    resample: Resample = "lanczos"
    enlarge: bool = True
    background: str = "#ffffff"
    gap: float = 4.0
    """A picture that Lanczos would shrink more than so many times is averaged first, by whole pixels, to at least so
    many times its new size. At 4 a photograph differs by hardly a level from Lanczos alone, at 2 by about one."""


def fitted(picture: Picture, to: Geometry, place: float | None = None) -> Picture:
    """Resize a picture to its new size; a picture of that size is unchanged.

    resize stretches; crop takes the largest part with the new aspect, in the middle, or at `place` (in [0,1), from the
    left or the top) of the possible positions; letterbox keeps the whole, with bars beside it; pad does the same, but
    never enlarges. Raises TooSmallError if it must enlarge and may not.
    """
    height, width = picture.shape[:2]
    if (height, width) == (to.height, to.width):
        return picture
    if to.fit == "crop":
        return _resized(_largest(picture, to, place), to.height, to.width, to)
    if to.fit == "resize":
        return _resized(picture, to.height, to.width, to)
    return _framed(picture, to)


def _resized(picture: Picture, height: int, width: int, to: Geometry) -> Picture:
    """A picture at another size: shrunk over all pixels under a new one, or enlarged bicubic."""
    high, wide = picture.shape[:2]
    if not to.enlarge and (width > wide or height > high):
        raise TooSmallError(
            f"it would have to be enlarged from {high} x {wide} to {height} x {width} pixels, which "
            "normalize.upscale refuses"
        )
    low, narrow = min(height, high), min(width, wide)
    if to.resample == "area":
        picture = shrunk(picture, low, narrow)
    else:
        picture = _resampled(picture, low, narrow, Image.Resampling.LANCZOS, to.gap)
    return _resampled(picture, height, width, Image.Resampling.BICUBIC, None)


def _resampled(picture: Picture, height: int, width: int, filter_: Image.Resampling, gap: float | None) -> Picture:
    """Resample by Pillow, which can only do deep pictures in gray: their colors are resampled one by one."""
    if picture.shape[:2] == (height, width):
        return picture
    if picture.ndim == 3 and picture.dtype != np.uint8:
        return np.stack([_resampled(picture[..., color], height, width, filter_, gap) for color in range(3)], -1)
    return np.asarray(Image.fromarray(picture).resize((width, height), filter_, reducing_gap=gap))


def _largest(picture: Picture, to: Geometry, place: float | None) -> Picture:
    """The largest part with the target's aspect, in whole pixels so that a plain cut stays exact."""
    high, wide = picture.shape[:2]
    scale = min(wide / to.width, high / to.height)
    width = min(wide, max(1, round(to.width * scale)))
    height = min(high, max(1, round(to.height * scale)))
    left, top = _start(wide - width, place), _start(high - height, place)
    return picture[top : top + height, left : left + width]


def _start(room: int, place: float | None) -> int:
    return room // 2 if place is None else int((room + 1) * place)


def _framed(picture: Picture, to: Geometry) -> Picture:
    high, wide = picture.shape[:2]
    scale = min(to.width / wide, to.height / high)
    if to.fit == "pad":
        scale = min(scale, 1.0)
    width = min(to.width, max(1, round(wide * scale)))
    height = min(to.height, max(1, round(high * scale)))
    color = ImageColor.getcolor(to.background, "RGB" if picture.ndim == 3 else "L")
    sheet = np.full((to.height, to.width, *picture.shape[2:]), color, picture.dtype)
    top, left = (to.height - height) // 2, (to.width - width) // 2
    sheet[top : top + height, left : left + width] = _resized(picture, height, width, to)
    return sheet
