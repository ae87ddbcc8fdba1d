"""Fills holes in a picture: where a mask is white, or where the picture is transparent.

All other pixels stay to the byte. The pixels in the hole are not used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import ImageOps

from mintage.model import Model
from mintage.sources import untouched
from stages.common.levels import FloatImages, Levels, floats, to_uint8
from stages.common.pictures import encode_png, open_picture
from stages.images.decode import decode
from stages.images.fit import Fit, Geometry, fitted
from stages.images.tensors import tensors
from stages.images.tiles import Tiling
from stages.media.medium import UnusableError
from stages.sources.limits import EXTENSIONS
from stages.translating.carriers import MAX_PIXELS, TILES, Carrier, picture_of

Hole = npt.NDArray[np.bool_]
"""`[H,W]`, True where pixels are missing."""
_GRAY = np.float32(128 / 127.5 - 1)
"""The color of a hole, as in training."""
_BLACK_TO, _WHITE_FROM, _MOST_GRAY = 64, 192, 0.1
"""Levels that count as black and as white, and the share of other levels that a mask's soft edges may have."""


@dataclass(frozen=True)
class Plan:
    """A picture at its own size, unless it was cut or framed."""

    picture: Levels
    """`[C,H,W]`."""
    hole: Hole
    tiling: Tiling | None


class Holes(Carrier):
    """Pictures with holes, filled at the model's size and enlarged to their own, or filled at their own as tiles."""

    one = "picture"
    suffix = ".png"
    known_by = EXTENSIONS
    maps, map = (0, 1), "mask"

    def __init__(self, model: Model, fit: str) -> None:
        self._channels, height, width = model.shape
        self._tiles, self.how = fit == TILES, fit
        self._small = Geometry(height, width, "resize")
        self._first = Geometry(height, width, cast(Fit, fit)) if fit not in (TILES, "resize") else None

    def cut(self, content: bytes, *masks: bytes) -> tuple[Plan, Iterator[FloatImages]]:
        """The pieces with a mask as their last channel; `masks` is one mask, or none for a transparent picture."""
        picture = picture_of(content, self._channels, None)
        hole = _hole_in(masks[0]) if masks else _transparent(content)
        if hole.shape != picture.shape[1:]:
            (high, wide), (height, width) = hole.shape, picture.shape[1:]
            raise UnusableError(f"its mask is {wide} x {high} and it is {width} x {height}: give one of its size")
        if not hole.any():
            raise UnusableError(
                "its mask has no hole: make white what is to be filled"
                if masks
                else "it has no hole: give a mask with --with that is white there"
            )
        if hole.all():
            raise UnusableError("it is all hole: leave something to go by")
        picture = _closed(picture, hole)
        if self._first is not None:
            picture, hole = _resized(picture, self._first), _levels(hole, self._first) > 0
        size = picture.shape[1], picture.shape[2]
        tiling = Tiling(size, (self._small.height, self._small.width)) if self._tiles else None
        plan = Plan(to_uint8(picture), hole, tiling)
        if tiling is not None:
            return plan, tiling.cut(_with_hole(picture, hole))
        return plan, iter([_with_hole(_resized(picture, self._small), _levels(hole, self._small) > 0)])

    def joined(self, plan: Plan, made: Iterator[FloatImages]) -> bytes:
        """A PNG of the picture with its holes filled."""
        if plan.tiling is not None:
            filled = plan.tiling.joined(made)
        else:
            _, height, width = plan.picture.shape
            filled = to_uint8(_resized(next(made), Geometry(height, width, "resize")))
        return encode_png(np.where(plan.hole, filled, plan.picture))


def _closed(picture: FloatImages, hole: Hole) -> FloatImages:
    """The picture with its hole in the mean color around it, since resizing mixes neighbor pixels."""
    sources = torch.from_numpy(_with_hole(picture, hole)[None])
    closed: FloatImages = untouched(sources, picture.shape)[0].numpy()
    return closed


def _with_hole(picture: FloatImages, hole: Hole) -> FloatImages:
    """`[C+1,H,W]`: gray where pixels are missing, and the mask, 1 there and -1 elsewhere."""
    mask = np.where(hole, np.float32(1), np.float32(-1))
    return np.concatenate([np.where(hole, _GRAY, picture), mask[None]]).astype(np.float32)


def _resized(picture: FloatImages, to: Geometry) -> FloatImages:
    """A picture `[C,H,W]` at another size, resized with 8 bits."""
    levels = np.moveaxis(to_uint8(picture), 0, -1)
    levels = fitted(levels[..., 0] if levels.shape[2] == 1 else levels, to)
    found: FloatImages = floats(tensors([levels], len(picture)))[0]
    return found


def _levels(hole: Hole, to: Geometry) -> npt.NDArray[np.uint8]:
    """A hole as levels at another size: 255 inside, 0 outside, and between if a new pixel has some of both."""
    return fitted(
        np.where(hole, np.uint8(255), np.uint8(0)), Geometry(to.height, to.width, to.fit, "area", background="#000000")
    )


def _hole_in(mask: bytes) -> Hole:
    """The hole where a mask is white; its transparent parts count as black."""
    shown = decode(mask, 1, MAX_PIXELS, background="#000000").picture
    levels = to_uint8(floats(tensors([shown], 1)))[0, 0]
    if ((levels >= _BLACK_TO) & (levels < _WHITE_FROM)).mean() > _MOST_GRAY:
        raise UnusableError("its mask is not of black and white: make white what is to be filled, and black the rest")
    hole: Hole = levels > np.iinfo(np.uint8).max // 2
    return hole


def _transparent(content: bytes) -> Hole:
    """The hole where a picture is more than half transparent."""
    image = ImageOps.exif_transpose(open_picture(content, MAX_PIXELS))
    hole: Hole = np.asarray(image.convert("RGBA").getchannel("A")) <= np.iinfo(np.uint8).max // 2
    return hole
