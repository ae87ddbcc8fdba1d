"""A few of the normalized images, by their keys."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.errors import UserError
from stages.common.shards import FloatImages, shards

Places = npt.NDArray[np.int64]
_AT_ONCE = 256


def read_pixels(normalized: Path, wanted: pd.DataFrame) -> Iterator[tuple[Places, FloatImages]]:
    """The images `[M,C,H,W]` of the rows of `wanted` (columns split and key), with their places `[M]` there.

    A few at a time; a key that the shards lack is left out. Memory: a row group of a shard.
    """
    order = np.arange(len(wanted))
    for split in ("train", "holdout"):
        chosen = (wanted["split"] == split).to_numpy() & ~wanted.duplicated(["split", "key"]).to_numpy()
        if chosen.any():
            index = pd.Index(wanted["key"].to_numpy()[chosen])
            for places, images in _from_split(normalized / split, index):
                yield order[chosen][places], images


def _from_split(folder: Path, index: pd.Index) -> Iterator[tuple[Places, FloatImages]]:
    for path in shards(folder):
        try:
            with pq.ParquetFile(path) as file:
                yield from _from_shard(file, index)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise UserError(
                f"{path} cannot be read as Parquet ({error}): run `dvc repro --force --single-item normalize`"
            ) from None


def _from_shard(file: pq.ParquetFile, index: pd.Index) -> Iterator[tuple[Places, FloatImages]]:
    for number in range(file.num_row_groups):
        places = index.get_indexer(file.read_row_group(number, ["key"])["key"].to_pandas())
        here = np.flatnonzero(places >= 0)
        if not len(here):
            continue
        images = file.read_row_group(number, ["image"])["image"].combine_chunks()
        for start in range(0, len(here), _AT_ONCE):
            rows = here[start : start + _AT_ONCE]
            yield places[rows], images.take(pa.array(rows)).to_numpy_ndarray()
