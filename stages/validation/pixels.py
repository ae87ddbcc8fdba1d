"""A few of the normalized images, by their keys."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.common.levels import FloatImages
from stages.common.shards import ShardReader

Places = npt.NDArray[np.int64]


def read_pixels(normalized: Path, wanted: pd.DataFrame) -> Iterator[tuple[Places, FloatImages]]:
    """The images `[M,C,H,W]` of the rows of `wanted` (columns split and key), with their row numbers `[M]`.

    A row group at a time is read and in memory; keys that the shards lack are left out.
    """
    order = np.arange(len(wanted))
    for split in ("train", "holdout"):
        chosen = (wanted["split"] == split).to_numpy() & ~wanted.duplicated(["split", "key"]).to_numpy()
        if chosen.any():
            index = pd.Index(wanted["key"].to_numpy()[chosen])
            for places, images in _from_split(normalized / split, index):
                yield order[chosen][places], images


def _from_split(folder: Path, index: pd.Index) -> Iterator[tuple[Places, FloatImages]]:
    reader = ShardReader(folder)
    for block in reader.blocks:
        places = index.get_indexer(pd.Index(reader.keys(block)))
        here = np.flatnonzero(places >= 0)
        if len(here):
            yield places[here], reader.images(block)[here]
