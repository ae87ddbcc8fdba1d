"""Near-duplicates: found by perceptual hashes and confirmed by pixels, without comparing all with all."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stages.common.levels import Images
from stages.common.stage import progress_bar
from stages.images.perceptual import gray_cells

CELLS = 16
"""Cells a side in which images are compared: averages, since a JPEG changes every pixel, but hardly any cell."""
LEAST_SIDE = 8
"""Pixels a side; a smaller picture has too little in it to be distinguished by its looks."""
Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.uint8]
Cells = npt.NDArray[np.float32]
HASH_BITS = 64
MOST_COMPARED = 300_000_000
MOST_CANDIDATES = 8_000_000
_AT_ONCE = 50_000
_LONG = 20_000
"""From so many images on the search takes seconds, and says how far it is."""
_COARSE = 2  # neighbor cells a side, averaged for a first comparison


@dataclass(frozen=True)
class Near:
    """Pairs of nearly equal images, each pair once."""

    pairs: Pairs
    """`[P,2]`, the lower index first; from `near_pairs` in order."""
    complete: bool
    """False if there are too many candidates to compare: plain drawings by the hundred thousand."""


def near_pairs(hashes: Hashes, distance: int, likeness: float, pictures: Callable[[Indices], Pictures]) -> Near:
    """The near-duplicates among images with these hashes `[N]`.

    Candidates are pairs whose hashes differ in at most `distance` bits. On a plain background, different images share
    hashes, too. So the gray pictures of each candidate pair must have a correlation of at least `likeness`, at most 1;
    it does not depend on brightness or contrast. `pictures` gives `[M,R,C]`, R and C even, for indices `[M]`.
    """
    with progress_bar("near-duplicates", distance + 1, unit="pass", shown=len(hashes) >= _LONG) as bar:
        found = candidates(hashes, distance, progress=bar.update)
    if not len(found.pairs):
        return found
    involved, places = np.unique(found.pairs, return_inverse=True)
    fine = pictures(involved)
    places = places[_alike(unit(_coarse(fine)), places, likeness)]  # quick, and leaves little for the next
    kept, places = np.unique(places, return_inverse=True)
    involved, places = involved[kept], places[_alike(unit(fine[kept]), places, likeness)]
    pairs = involved[places]
    return Near(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], found.complete)


def candidates(
    hashes: Hashes, distance: int, most: int = MOST_CANDIDATES, progress: Callable[[], object] = lambda: None
) -> Near:
    """The pairs whose hashes differ in at most `distance` bits, at most `most` pairs.

    Two such hashes agree in at least one of `distance + 1` bands of bits (the pigeonhole principle), so only pairs that
    share a band are compared: among a million photographs some ten with each, not a million. `progress` is called after
    each band.
    """
    bands = _bands(distance + 1)
    found, compared, room = [np.empty((0, 2), np.int64)], 0, most
    for number, band in enumerate(bands):
        for left, right in _sharing(hashes, band):
            differing = hashes[left] ^ hashes[right]
            new = np.bitwise_count(differing) <= distance
            for earlier in bands[:number]:
                new &= (differing & earlier) != 0  # else an earlier band has found the pair
            found.append(np.stack([left[new], right[new]], axis=1))
            room, compared = room - len(found[-1]), compared + len(left)
            if room < 0 or compared > MOST_COMPARED:
                return Near(np.sort(np.concatenate(found)[:most], axis=1), complete=False)
        progress()
    return Near(np.sort(np.concatenate(found), axis=1), complete=True)


def small_pictures(images: Images) -> Pictures:
    """Images `[N,C,H,W]` as the gray pictures `[N,R,C]` that are compared, R and C even and at most `CELLS`."""
    rows, columns = (min(CELLS, side // 2 * 2) for side in images.shape[2:])
    pictures: Pictures = np.rint(gray_cells(images, rows, columns)).astype(np.uint8)
    return pictures


def _bands(count: int) -> list[np.uint64]:
    """Masks of `count` bands of bits, of about equal width, which together are the whole hash."""
    edges = [HASH_BITS * band // count for band in range(count + 1)]
    return [np.uint64((1 << high) - (1 << low)) for low, high in pairwise(edges)]


def _sharing(hashes: Hashes, band: np.uint64) -> Iterator[tuple[Indices, Indices]]:
    """All pairs that agree in a band, as left and right indices; neighbors in the order of hashes come first."""
    order = np.lexsort((hashes, hashes & band))
    keys = (hashes & band)[order]
    left = np.arange(len(order))
    for step in range(1, len(order)):
        left = left[left < len(order) - step]
        left = left[keys[left] == keys[left + step]]
        if not len(left):
            return
        yield order[left], order[left + step]


def _coarse(pictures: Pictures) -> Cells:
    count, rows, columns = pictures.shape
    tiles = pictures.reshape(count, rows // _COARSE, _COARSE, columns // _COARSE, _COARSE)
    means: Cells = tiles.mean((2, 4), dtype=np.float32)
    return means


def unit(pictures: Pictures | Cells) -> Cells:
    """`[M,D]`: each picture minus its mean, scaled to length 1, so that products are correlations; a flat one is 0."""
    flat = pictures.reshape(len(pictures), math.prod(pictures.shape[1:]))
    centered = flat - flat.mean(1, keepdims=True, dtype=np.float32)
    lengths = np.linalg.norm(centered, axis=1, keepdims=True)
    unit: Cells = centered / np.maximum(lengths, np.float32(1e-3))
    return unit


def _alike(unit: Cells, pairs: Pairs, likeness: float) -> npt.NDArray[np.bool_]:
    """Whether the correlation of each pair of rows `[P,2]` is at least `likeness`."""
    alike = np.empty(len(pairs), np.bool_)
    for start in range(0, len(pairs), _AT_ONCE):
        left, right = pairs[start : start + _AT_ONCE].T
        alike[start : start + _AT_ONCE] = np.einsum("pd,pd->p", unit[left], unit[right]) >= likeness
    return alike
