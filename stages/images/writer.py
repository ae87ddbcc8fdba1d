"""Normalized images to the parts of one split: files of a bounded size, in row groups of a bounded size."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.shards import GROUP_BYTES, SHARD_BYTES

_PIXELS = ("image", "partner")


class PartsWriter:
    """Writes the images of one raw shard that are in one split; memory: a row group.

    The ends of parts and row groups depend only on the rows, not on how many are added at a time. Images in another
    form, float32 after levels, begin a new part.
    """

    def __init__(self, directory: Path, number: int, values: int, shard_images: int) -> None:
        """`number` is that of the raw shard: parts are named by it, so that their order is that of raw images.

        `values` is how many numbers are in a row: those of an image and of its partner.
        """
        size = 4 * values
        self._part = max(1, min(shard_images, SHARD_BYTES // size))
        self._group = max(1, min(self._part, GROUP_BYTES // size))
        self._directory, self._number = directory, number
        self._held: pa.Table | None = None
        self._parts = self._in_part = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        if not rows.num_rows:
            return
        if self._held is not None and self._held.schema != rows.schema:
            self.close()
        self._held = rows if self._held is None else pa.concat_tables([self._held, rows])
        while self._held.num_rows >= self._room():
            self._held = self._written(self._held, self._room())

    def close(self) -> None:
        """Write the rows that are still in memory."""
        if self._held is not None and self._held.num_rows:
            self._written(self._held, self._held.num_rows)
        self._end_part()
        self._held = None

    def _room(self) -> int:
        """How many rows the next group has."""
        return min(self._group, self._part - self._in_part)

    def _written(self, rows: pa.Table, count: int) -> pa.Table:
        """Write the first `count` rows; returns the other rows."""
        if self._writer is None:
            path = self._directory / f"part-{self._number:05d}-{self._parts:03d}.parquet"
            # Statistics and a dictionary of pixels would help no reader, and take time.
            others = [name for name in rows.schema.names if name not in _PIXELS]
            self._writer = pq.ParquetWriter(
                path, rows.schema, compression="zstd", write_statistics=others, use_dictionary=others
            )
        self._writer.write_table(rows.slice(0, count), row_group_size=count)
        self._in_part += count
        if self._in_part == self._part:
            self._end_part()
        return rows.slice(count)

    def _end_part(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer, self._in_part, self._parts = None, 0, self._parts + 1
