"""Near-copies, found by the gate's own criteria, so that a random split keeps them on one side.

An image's looks are only known at its final size: a split is drawn first, and again if it separates near-copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.common.params import NearCopies
from stages.common.shards import ShardReader
from stages.images.near import Indices, Near, Pictures, near_pairs, small_pictures
from stages.images.raw import raw_rows
from stages.images.split import Mask, Pairs, equal_pairs
from stages.images.work import SIDES, STATS, Finished, Shard

_COLUMNS = ["key", "split", "pixel_sha256", "difference_hash"]


@dataclass(frozen=True)
class Alike:
    """Images that are equal or nearly equal at their final size."""

    pairs: Pairs
    """Pairs of the numbers of raw images."""
    complete: bool
    """False if there are too many candidates to compare."""

    def torn(self, held_out: Mask) -> int:
        """How many images of the holdout `held_out` `[N]` have an equal or nearly equal training image."""
        sides = held_out[self.pairs]
        apart = sides[:, 0] != sides[:, 1]
        return len(np.unique(self.pairs[apart][sides[apart]]))


def find_alike(finished: Sequence[Finished], shards: Sequence[Shard], near: NearCopies | None) -> Alike:
    """Equal images and near-copies in the finished shards, which correspond to `shards`, in order.

    Memory: 25 bytes an image, and small pictures of possible near-copies. With `near` None, only equal pixels count.
    """
    looks = _Looks(finished, shards)
    same = equal_pairs(looks.pixels)
    firsts = np.unique(looks.pixels, return_index=True)[1]
    found = Near(np.empty((0, 2), np.int64), complete=True)
    if near is not None:
        found = near_pairs(
            looks.hashes[firsts], near.hash_distance, near.likeness, lambda asked: looks.pictures(firsts[asked])
        )
    return Alike(looks.rows[np.concatenate([same, firsts[found.pairs]])], found.complete)


class _Looks:
    """Hashes of all usable images, in the order of raw images, by which near-copies are found."""

    def __init__(self, finished: Sequence[Finished], shards: Sequence[Shard]) -> None:
        self._folders = [one.folder for one in finished]
        rows, held, pixels, hashes = [], [], [], []
        first = 0
        for one, shard in zip(finished, shards, strict=True):
            stats = pq.read_table(one.folder / STATS, columns=_COLUMNS, use_threads=False)
            rows.append(first + _usable(one, shard, stats["key"].to_pylist()))
            held.append(pc.equal(stats["split"], SIDES[1]).to_numpy())
            pixels.append(np.array([int(sum_[:16], 16) for sum_ in stats["pixel_sha256"].to_pylist()], np.uint64))
            hashes.append(stats["difference_hash"].to_numpy())
            first += one.images
        self._held = held
        self._edges = np.cumsum([0, *map(len, rows)])
        self.rows, self.pixels, self.hashes = np.concatenate(rows), np.concatenate(pixels), np.concatenate(hashes)

    def pictures(self, asked: Indices) -> Pictures:
        """Small pictures `[M,R,C]` of some images `[M]`; memory: these, and a row group."""
        place = np.full(len(self.rows), -1)
        place[asked] = np.arange(len(asked))
        pictures: Pictures | None = None
        for number, folder in enumerate(self._folders):
            here = place[self._edges[number] : self._edges[number + 1]]
            for side, mask in zip(SIDES, (~self._held[number], self._held[number]), strict=True):
                places = here[mask]
                if not (places >= 0).any():
                    continue
                reader = ShardReader(folder / side)
                for block in reader.blocks:
                    wanted = places[block.start : block.stop]
                    if (wanted >= 0).any():
                        small = small_pictures(reader.images(block)[wanted >= 0])
                        if pictures is None:
                            pictures = np.empty((len(asked), *small.shape[1:]), np.uint8)
                        pictures[wanted[wanted >= 0]] = small
        assert pictures is not None
        return pictures


def _usable(one: Finished, shard: Shard, keys: list[str]) -> npt.NDArray[np.int64]:
    """The numbers, in a raw shard with these keys, of the images that are not broken."""
    if not one.broken:
        return np.arange(one.images)
    usable, numbers, number = set(keys), [], 0
    for batch in raw_rows(shard.path, ["key"], 2**13):
        for key in batch["key"].to_pylist():
            if key in usable:
                numbers.append(number)
            number += 1
    return np.array(numbers, np.int64)
