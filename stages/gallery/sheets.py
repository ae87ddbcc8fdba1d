"""Cuts images out of the sheets in a release, real and generated ones, at their own size."""

import io

import numpy as np
from PIL import Image

from stages.common.levels import Levels
from stages.common.pictures import encode_png, grid, grid_scale
from stages.common.templates import data_uri

COLUMNS = 10
_WHITE = 255


def row_of(sheet: bytes, shape: tuple[int, ...], number: int) -> Levels | None:
    """The images `[10,C,H,W]` in row `number`, from 0, of a sheet (PNG); None if it has another layout.

    Names at the left of a sheet are cut off.
    """
    channels, height, width = shape
    scale = grid_scale(height, width)
    with Image.open(io.BytesIO(sheet), formats=["PNG"]) as image:
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(image.height, image.width, -1)
    wide, top = (COLUMNS * (width + 1) - 1) * scale, number * (height + 1) * scale
    if pixels.shape[1] < wide or len(pixels) < top + height * scale or (len(pixels) + scale) % ((height + 1) * scale):
        return None
    row = pixels[top : top + height * scale : scale, pixels.shape[1] - wide :: scale]
    row = np.pad(row, ((0, 0), (0, 1), (0, 0)), constant_values=_WHITE).reshape(height, COLUMNS, width + 1, channels)
    if (row[:, :, width] != _WHITE).any():  # what should lie between two images
        return None
    return row[:, :, :width].transpose(1, 3, 0, 2)


def shrunk(images: Levels, shape: tuple[int, int, int]) -> Levels:
    """Images `[N,C,H,W]` that `mintage.sources.for_display` enlarged, at their former size: `[N,S,h,w]`."""
    _, _, high, wide = images.shape
    rows, columns = (_first_of(high, shape[1]), _first_of(wide, shape[2]))
    return images[:, : shape[0], rows[:, None], columns]


def _first_of(many: int, few: int) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """For each of `few` pixels the first of those, of `many`, that it has become."""
    return np.minimum(-(-np.arange(few) * many // few), many - 1)


def as_strip(images: Levels) -> str:
    """A data URI of one PNG, in which images `[N,C,H,W]` stand side by side."""
    return data_uri("image/png", encode_png(grid(images, len(images), gap=0)))
