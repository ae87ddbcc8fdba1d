"""Near-duplicates: found by their perceptual hashes, certain by their pixels; without comparing all with all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.uint8]
HASH_BITS = 64
MOST_COMPARED = 300_000_000
MOST_CANDIDATES = 8_000_000
_AT_ONCE = 50_000
_COARSE = 2  # neighbouring cells a side, averaged for a first look


@dataclass(frozen=True)
class Near:
    """Pairs of images that are nearly the same, each pair once."""

    pairs: Pairs
    """`[P,2]`, the lower index first; of `near_pairs` in order."""
    complete: bool
    """False where there are more candidates than can be looked at: plain drawings by the hundred thousand."""


def near_pairs(hashes: Hashes, distance: int, likeness: float, pictures: Callable[[Indices], Pictures]) -> Near:
    """The near-duplicates among images of these hashes `[N]`.

    Candidates are those whose hashes differ in at most `distance` bits. Where the ground is plain, images that are
    unlike share hashes too, so of each candidate pair the grey pictures are correlated, which no change of brightness
    or contrast alters, and `likeness` is what they must reach, at most 1. `pictures` gives `[M,R,C]`, R and C even,
    for the indices `[M]` it is asked for.
    """
    found = candidates(hashes, distance)
    if not len(found.pairs):
        return found
    involved, places = np.unique(found.pairs, return_inverse=True)
    fine = pictures(involved)
    for cells in (_coarse(fine), fine):  # the first look is quick, and leaves little for the second
        kept = _alike(cells.reshape(len(cells), -1), places, likeness)
        places = places[kept]
    pairs = involved[places]
    return Near(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], found.complete)


def candidates(hashes: Hashes, distance: int, most: int = MOST_CANDIDATES) -> Near:
    """The pairs whose hashes differ in at most `distance` bits; `most` of them.

    Two such hashes agree in at least one of `distance + 1` bands of bits (the pigeonhole principle), so only those
    that share a band are compared: of a million photographs some ten with each, not a million.
    """
    bands = _bands(distance + 1)
    found, compared, room = [np.empty((0, 2), np.int64)], 0, most
    for number, band in enumerate(bands):
        for left, right in _sharing(hashes, band):
            differing = hashes[left] ^ hashes[right]
            new = np.bitwise_count(differing) <= distance
            for earlier in bands[:number]:
                new &= (differing & earlier) != 0  # else it was found there
            found.append(np.stack([left[new], right[new]], axis=1))
            room, compared = room - len(found[-1]), compared + len(left)
            if room < 0 or compared > MOST_COMPARED:
                return Near(np.sort(np.concatenate(found)[:most], axis=1), complete=False)
    return Near(np.sort(np.concatenate(found), axis=1), complete=True)


def _bands(count: int) -> list[np.uint64]:
    """Masks of as many bands of bits, of about the same width, that together are the whole hash."""
    edges = [HASH_BITS * band // count for band in range(count + 1)]
    return [np.uint64((1 << high) - (1 << low)) for low, high in pairwise(edges)]


def _sharing(hashes: Hashes, band: np.uint64) -> Iterator[tuple[Indices, Indices]]:
    """All pairs that agree in the band, left and right, those next to each other in order of their hashes first."""
    order = np.lexsort((hashes, hashes & band))
    keys = (hashes & band)[order]
    left = np.arange(len(order))
    for step in range(1, len(order)):
        left = left[left < len(order) - step]
        left = left[keys[left] == keys[left + step]]
        if not len(left):
            return
        yield order[left], order[left + step]


def _coarse(pictures: Pictures) -> Pictures:
    count, rows, columns = pictures.shape
    tiles = pictures.reshape(count, rows // _COARSE, _COARSE, columns // _COARSE, _COARSE)
    means: Pictures = np.rint(tiles.mean((2, 4), dtype=np.float32)).astype(np.uint8)
    return means


def _alike(flat: Pictures, pairs: Pairs, likeness: float) -> npt.NDArray[np.bool_]:
    """Of pairs `[P,2]` of rows, whether their correlation reaches `likeness`; never for a flat picture."""
    chunks = (pairs[start : start + _AT_ONCE] for start in range(0, len(pairs), _AT_ONCE))
    parts = [_correlation(flat[chunk[:, 0]], flat[chunk[:, 1]]) >= likeness for chunk in chunks]
    return np.concatenate(parts) if parts else np.empty(0, np.bool_)


def _correlation(left: Pictures, right: Pictures) -> npt.NDArray[np.float32]:
    """Pearson's, of each row `[P,D]` of one with its row of the other."""
    a, b = (side - side.mean(1, keepdims=True, dtype=np.float32) for side in (left, right))
    norms = np.sqrt(np.einsum("pd,pd->p", a, a) * np.einsum("pd,pd->p", b, b))
    product: npt.NDArray[np.float32] = np.einsum("pd,pd->p", a, b) / np.maximum(norms, np.float32(1e-3))
    return product
