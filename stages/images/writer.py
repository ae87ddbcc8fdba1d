"""Normalized images to the parts of one split: files of a bounded size, in row groups of a bounded size."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.shards import GROUP_BYTES, SHARD_BYTES


class PartsWriter:
    """Writes the images of one split that are of one raw shard; memory: a row group.

    Where parts and row groups end depends on the rows alone, not on how many are added at a time.
    """

    def __init__(self, directory: Path, number: int, schema: pa.Schema, shard_images: int) -> None:
        """`number` is the raw shard's: parts are called by it, so that their order is that of the raw images."""
        columns = [field for field in schema if isinstance(field.type, pa.FixedShapeTensorType)]
        size = sum(4 * int(np.prod(field.type.shape)) for field in columns)
        self._part = max(1, min(shard_images, SHARD_BYTES // size))
        self._group = max(1, min(self._part, GROUP_BYTES // size))
        self._directory, self._number, self._schema = directory, number, schema
        self._held: pa.Table = schema.empty_table()
        self._parts = self._in_part = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        self._held = pa.concat_tables([self._held, rows])
        while self._held.num_rows >= self._room():
            self._write(self._room())

    def close(self) -> None:
        """Write what is still held."""
        if self._held.num_rows:
            self._write(self._held.num_rows)
        self._end_part()

    def _room(self) -> int:
        """Rows of the next group."""
        return min(self._group, self._part - self._in_part)

    def _write(self, count: int) -> None:
        if self._writer is None:
            path = self._directory / f"part-{self._number:05d}-{self._parts:03d}.parquet"
            # Statistics of pixels would help no reader, and cost time.
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", write_statistics=["label", "key"])
        self._writer.write_table(self._held.slice(0, count), row_group_size=count)
        self._held = self._held.slice(count)
        self._in_part += count
        if self._in_part == self._part:
            self._end_part()

    def _end_part(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer, self._in_part, self._parts = None, 0, self._parts + 1
