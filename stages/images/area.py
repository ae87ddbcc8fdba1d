"""Shrinking by area: a new pixel is the mean of the pixels under it, each weighted by the part that it covers.

Pillow's box filter takes or leaves a whole pixel by its center, and its `reduce` by whole factors rounds down.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.images.deep import Picture

Values = npt.NDArray[np.float64]


def shrunk(picture: Picture, height: int, width: int) -> Picture:
    """A picture shrunk to a size that is no larger in any direction; levels of 8 bits are rounded once."""
    means = area_means(area_means(picture, height, 0), width, 1)
    small: Picture = (np.rint(means) if picture.dtype == np.uint8 else means).astype(picture.dtype)
    return small


def area_means(values: npt.NDArray[Any], size: int, axis: int) -> Values:
    """Means over `size` equal parts of an axis, at most as many as it is long."""
    values = np.moveaxis(values, axis, 0)
    length = len(values)
    whole, part = np.divmod(np.arange(size + 1) * length, size)
    exact = np.uint64 if values.dtype == np.uint8 else np.float64
    sums = np.add.reduceat(values, whole[:-1], axis=0, dtype=exact).astype(np.float64)
    shares = values[np.minimum(whole, length - 1)] * (part / size).reshape(-1, *[1] * (values.ndim - 1))
    means: Values = (sums + np.diff(shares, axis=0)) * (size / length)
    return np.moveaxis(means, 0, axis)
