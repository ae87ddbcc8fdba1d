"""A picture of any size cut into tiles of one size, and processed tiles joined again, without seams."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stages.common.levels import FloatImages, Levels, to_uint8

_SHARED = 4
"""Neighbor tiles share at least a quarter of a side."""


@dataclass(frozen=True)
class Tiling:
    """Tiles over a picture; where they overlap, a tile's weight falls towards its edges."""

    size: tuple[int, int]
    """(H, W) of the picture."""
    tile: tuple[int, int]
    """(H, W) of a tile; a smaller picture is mirrored at its edges up to that."""

    @cached_property
    def corners(self) -> tuple[list[int], list[int]]:
        """The first rows, and the first columns, of the tiles."""
        high, wide = (_starts(*sizes) for sizes in zip(self.size, self.tile, strict=True))
        return high, wide

    def __len__(self) -> int:
        return len(self.corners[0]) * len(self.corners[1])

    def cut(self, picture: FloatImages) -> Iterator[FloatImages]:
        """The tiles `[C,h,w]` of a picture `[C,H,W]`, row by row."""
        lacking = [(0, max(0, tile - size)) for size, tile in zip(self.size, self.tile, strict=True)]
        picture = np.pad(picture, [(0, 0), *lacking], mode="symmetric")
        for top in self.corners[0]:
            for left in self.corners[1]:
                yield picture[:, top : top + self.tile[0], left : left + self.tile[1]]

    def joined(self, made: Iterator[FloatImages]) -> Levels:
        """The picture `[C,H,W]` joined from processed tiles, in their order, which may be a multiple of a tile's size.

        Memory: the levels, and floats of one row of tiles.
        """
        rows = self._rows(made)
        first = next(rows)
        scale = first.shape[1] // self.tile[0]
        tops = [scale * top for top in self.corners[0]]
        height, width = (scale * size for size in self.size)
        weight = _weight(first.shape[1])[:, None]
        levels = np.empty((first.shape[0], tops[-1] + first.shape[1], first.shape[2]), np.uint8)
        sums, weights = first * weight, weight.copy()
        for (top, bottom), row in zip(pairwise(tops), rows, strict=True):
            done = bottom - top
            levels[:, top:bottom] = to_uint8(sums[:, :done] / weights[:done])
            sums, weights = _moved(sums, done, axis=1) + row * weight, _moved(weights, done, axis=0) + weight
        levels[:, tops[-1] :] = to_uint8(sums / weights)
        return levels[:, :height, :width]

    def _rows(self, made: Iterator[FloatImages]) -> Iterator[FloatImages]:
        """A row of tiles at a time, joined to `[C,h,W]`."""
        for _ in self.corners[0]:
            row = [next(made) for _ in self.corners[1]]
            scale = row[0].shape[2] // self.tile[1]
            lefts = [scale * left for left in self.corners[1]]
            weight = _weight(row[0].shape[2])
            sums = np.zeros((*row[0].shape[:2], lefts[-1] + len(weight)), np.float32)
            weights = np.zeros(sums.shape[2], np.float32)
            for left, tile in zip(lefts, row, strict=True):
                sums[..., left : left + len(weight)] += tile * weight
                weights[left : left + len(weight)] += weight
            sums /= weights
            yield sums


def _starts(size: int, tile: int) -> list[int]:
    if size <= tile:
        return [0]
    step = max(1, tile - tile // _SHARED)
    count = 1 + -(-(size - tile) // step)
    return [round(place) for place in np.linspace(0, size - tile, count).tolist()]


def _weight(size: int) -> npt.NDArray[np.float32]:
    """Weights `[size]`: 1 in the middle, falling towards the edges in the shared part."""
    inside = np.minimum(np.arange(size), np.arange(size)[::-1]) + 1
    return np.minimum(inside / (size // _SHARED + 1), 1).astype(np.float32)


def _moved(values: FloatImages, rows: int, axis: int) -> FloatImages:
    """The values without their first rows, with zeros added at the end."""
    kept = np.take(values, range(rows, values.shape[axis]), axis)
    return np.pad(kept, [(0, rows if at == axis else 0) for at in range(values.ndim)])
