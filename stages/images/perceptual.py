"""A fingerprint of what an image looks like: near for near-duplicates, where a SHA-256 changes with the least bit."""

import numpy as np
import numpy.typing as npt

from stages.common.shards import FloatImages

Hashes = npt.NDArray[np.uint64]
ROWS, COLUMNS = 8, 9
_LUMINANCE = (np.float32(299), np.float32(587), np.float32(114))  # thousandths, ITU-R BT.601
_AT_ONCE = 2**18  # values at a time


def difference_hash(images: FloatImages) -> Hashes:
    """The 64-bit difference hash `[N]` of images `[N,C,H,W]` in [-1,1] (C is 1 or 3); near images differ in few bits.

    In grey, averaged to 8 rows of 9 cells; a bit is 1 where a cell is darker than the one right of it; row by row,
    the first bit is the most significant (Krawetz 2013, "Kind of like that"). All sums are of whole numbers that their
    type holds exactly, so that no order of adding, and no processor, changes a bit.
    """
    count, channels, height, width = images.shape
    down, across = _shares(height, ROWS), _shares(width, COLUMNS)
    step = max(1, _AT_ONCE // (channels * height * width))
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, step):
        levels = np.rint((images[start : start + step] + np.float32(1)) * np.float32(127.5))
        grey = levels[:, 0] if channels == 1 else sum(levels[:, c] * _LUMINANCE[c] for c in range(3))
        cells = down @ np.nan_to_num(grey).astype(np.float64) @ across.T
        bits = cells[:, :, :-1] < cells[:, :, 1:]
        hashes[start : start + step] = np.packbits(bits.reshape(-1, 64), axis=1).view(">u8")[:, 0]
    return hashes


def _shares(size: int, cells: int) -> npt.NDArray[np.float64]:
    """`[cells,size]`: how much of each pixel lies in each of the equal cells, in whole parts; a row sums to `size`."""
    edges, pixels = np.arange(cells + 1) * size, np.arange(size + 1) * cells
    low = np.maximum(edges[:-1, None], pixels[None, :-1])
    high = np.minimum(edges[1:, None], pixels[None, 1:])
    shares: npt.NDArray[np.float64] = np.maximum(high - low, 0).astype(np.float64)
    return shares
