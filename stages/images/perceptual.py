"""A fingerprint of an image's looks: near-duplicates have similar ones, unlike their SHA-256."""

import numpy as np
import numpy.typing as npt

from stages.common.levels import Images

Hashes = npt.NDArray[np.uint64]
Cells = npt.NDArray[np.float64]
ROWS, COLUMNS = 8, 9
MARGIN = 4
"""Levels of 255 by which neighbors must differ, so that JPEG noise on a plain background decides no bit."""
_LUMINANCE = (299, 587, 114)  # thousandths, ITU-R BT.601
_AT_ONCE = 2**18  # values at a time


def difference_hash(images: Images) -> Hashes:
    """The 64-bit difference hash `[N]` of images `[N,C,H,W]` (C is 1 or 3); near images differ in few bits.

    In gray, averaged to 8 rows of 9 cells; a bit is 1 if a cell is darker than its right neighbor by more than
    `MARGIN`; row by row, the first bit is the most significant (Krawetz 2013, "Kind of like that").
    """
    step = max(1, _AT_ONCE // images[0].size) if len(images) else 1
    parts = [_hashes(images[start : start + step]) for start in range(0, len(images), step)]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def gray_cells(images: Images, rows: int, columns: int) -> Cells:
    """Images `[N,C,H,W]` in gray, averaged to `[N,rows,columns]`, in [0,255].

    Until the last division all sums are exact whole numbers: neither the order of adding nor the processor changes a
    bit.
    """
    _, channels, height, width = images.shape
    levels = (
        images if images.dtype == np.uint8 else np.nan_to_num(np.rint((images + np.float32(1)) * np.float32(127.5)))
    )
    weights = _LUMINANCE if channels == 3 else (1000,)
    gray = sum(levels[:, channel] * np.float32(weight) for channel, weight in enumerate(weights))
    cells: Cells = _shares(height, rows) @ np.asarray(gray, np.float64) @ _shares(width, columns).T
    cells /= 1000 * height * width
    return cells


def _hashes(images: Images) -> Hashes:
    cells = gray_cells(images, ROWS, COLUMNS)
    bits = cells[:, :, 1:] - cells[:, :, :-1] > MARGIN
    hashes: Hashes = np.packbits(bits.reshape(-1, 64), axis=1).view(">u8")[:, 0].astype(np.uint64)
    return hashes


def _shares(size: int, cells: int) -> Cells:
    """`[cells,size]`: the part of each pixel in each of the equal cells, as whole numbers; a row sums to `size`."""
    edges, pixels = np.arange(cells + 1) * size, np.arange(size + 1) * cells
    low = np.maximum(edges[:-1, None], pixels[None, :-1])
    high = np.minimum(edges[1:, None], pixels[None, 1:])
    shares: Cells = np.maximum(high - low, 0).astype(np.float64)
    return shares
