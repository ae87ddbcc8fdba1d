"""Normalized images to shards, with a row of statistics for each."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.shards import SHARD_BYTES, FloatImages, shard_path, tensor_table
from stages.images.perceptual import difference_hash

STATS = pa.schema(
    {
        "key": pa.string(),
        "split": pa.string(),
        "label": pa.int64(),
        "min": pa.float64(),
        "max": pa.float64(),
        "mean": pa.float64(),
        "std": pa.float64(),
        "finite": pa.bool_(),
        "channels": pa.int64(),
        "height": pa.int64(),
        "width": pa.int64(),
        "source_channels": pa.int64(),
        "source_height": pa.int64(),
        "source_width": pa.int64(),
        "source_mode": pa.string(),
        "pixel_sha256": pa.string(),
        "difference_hash": pa.uint64(),
    }
)
_AT_ONCE = 2**18  # values whose statistics are computed together: they fit in a processor's cache


@dataclass(frozen=True)
class Origin:
    """What an image was before it was normalized."""

    key: str
    label: int | None
    mode: str
    channels: int
    height: int
    width: int


class SplitWriter:
    """Collects the images of one split and writes them a shard at a time; memory: one shard."""

    def __init__(self, directory: Path, split: str, schema: pa.Schema, shard_images: int, stats: pq.ParquetWriter):
        shape = tuple(schema.field("image").type.shape)
        room = max(1, min(shard_images, SHARD_BYTES // (4 * int(np.prod(shape)))))
        self._images: FloatImages = np.empty((room, *shape), np.float32)
        self._origins: list[Origin] = []
        self._directory, self._split, self._schema, self._stats = directory, split, schema, stats
        self._shards = 0
        self._digest = hashlib.sha256()
        self.labels: Counter[int | None] = Counter()
        """Images written, by label."""

    def add(self, image: FloatImages, origin: Origin) -> None:
        self._images[len(self._origins)] = image
        self._origins.append(origin)
        self.labels[origin.label] += 1
        if len(self._origins) == len(self._images):
            self.flush()

    def flush(self) -> None:
        """Write what is collected; call it once more at the end."""
        if not self._origins:
            return
        images = self._images[: len(self._origins)]
        labels = [origin.label for origin in self._origins]
        table = tensor_table(images, labels, [origin.key for origin in self._origins], self._schema)
        pq.write_table(table, shard_path(self._directory, self._shards), compression="zstd")
        hashes = [hashlib.sha256(image.data).hexdigest() for image in images]
        for label, sum_ in zip(labels, hashes, strict=True):
            self._digest.update(f"{label} {sum_}\n".encode())
        self._stats.write_table(_stats_table(images, self._origins, self._split, hashes))
        self._origins.clear()
        self._shards += 1

    def fingerprint(self) -> str:
        """SHA-256 over labels and pixels of all images so far, in order."""
        return self._digest.hexdigest()


def _stats_table(images: FloatImages, origins: list[Origin], split: str, hashes: list[str]) -> pa.Table:
    count, channels, height, width = images.shape
    columns: dict[str, Any] = {
        "key": [origin.key for origin in origins],
        "split": [split] * count,
        "label": [origin.label for origin in origins],
        **_moments(images.reshape(count, -1)),
        "channels": [channels] * count,
        "height": [height] * count,
        "width": [width] * count,
        "source_channels": [origin.channels for origin in origins],
        "source_height": [origin.height for origin in origins],
        "source_width": [origin.width for origin in origins],
        "source_mode": [origin.mode for origin in origins],
        "pixel_sha256": hashes,
        "difference_hash": difference_hash(images),
    }
    return pa.table(columns, schema=STATS)


def _moments(rows: FloatImages) -> dict[str, Any]:
    """Statistics of each row `[N,D]`, a few rows at a time, since they are made in double precision."""
    parts = []
    step = max(1, _AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        parts.append((part.min(1), part.max(1), part.mean(1), part.std(1), np.isfinite(part).all(1)))
    names = ("min", "max", "mean", "std", "finite")
    return {name: np.concatenate(values) for name, values in zip(names, zip(*parts, strict=True), strict=True)}
