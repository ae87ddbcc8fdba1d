"""Images in Parquet, in a few large shards: encoded bytes (raw, samples) or tensors in [-1,1] (normalized)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.errors import UserError

FloatImages = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Row = dict[str, Any]

SHARD_BYTES = 2**27
"""Image bytes that fill a shard, however few images they are, so that photographs too fit in memory."""


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An encoded image in the Hugging Face layout."""


def encoded_schema(classes: list[str] | None, extra: dict[str, pa.DataType]) -> pa.Schema:
    """The Hugging Face image layout: `image: struct<bytes, path>`, `label`, then `extra` columns.

    `datasets.load_dataset("parquet", ...)` shows images and class names; pandas reads it as it is.
    Without `classes` all labels are null.
    """
    fields = {"image": IMAGE, "label": pa.int64(), **extra}
    features: dict[str, Any] = {
        name: {"_type": "Image"} if kind == IMAGE else {"_type": "Value", "dtype": str(kind)}
        for name, kind in fields.items()
    }
    if classes is not None:
        features["label"] = {"_type": "ClassLabel", "names": classes}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(fields.items()), metadata=metadata)


def tensor_schema(shape: tuple[int, int, int], classes: list[str] | None) -> pa.Schema:
    """Normalized images: `image` a float32 tensor `[C,H,W]` in [-1,1], `label` (null without classes), `key`."""
    image = pa.fixed_shape_tensor(pa.float32(), shape)
    metadata = {"mintage": json.dumps({"classes": classes})}
    return pa.schema([("image", image), ("label", pa.int64()), ("key", pa.string())], metadata=metadata)


def class_names(schema: pa.Schema) -> list[str] | None:
    """The class names kept in a shard's schema, by label; None where images have no labels."""
    metadata = schema.metadata or {}
    if b"mintage" in metadata:
        names: list[str] | None = json.loads(metadata[b"mintage"])["classes"]
        return names
    features = json.loads(metadata.get(b"huggingface", b'{"info": {"features": {}}}'))["info"]["features"]
    found: list[str] | None = features.get("label", {}).get("names")
    return found


def write_encoded(
    directory: Path, rows: Iterable[Row], schema: pa.Schema, shard_images: int, held_images: int | None = None
) -> int:
    """Write rows (one dict an image) as `part-00000.parquet`, ...; return how many.

    A shard is closed at `shard_images` images, or sooner at SHARD_BYTES. Memory: `held_images` of them,
    a row group of the file; by default the whole shard.
    """
    count = 0
    for index, shard in groupby(_by_shard(rows, shard_images), key=itemgetter(0)):
        # The images are compressed already, and no two are alike: neither compression nor a dictionary helps.
        path = shard_path(directory, index)
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=["label"]) as writer:
            while held := [row for _, row in islice(shard, held_images or shard_images)]:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                count += len(held)
                held.clear()  # before the next are made
    return count


def _by_shard(rows: Iterable[Row], shard_images: int) -> Iterator[tuple[int, Row]]:
    """Each row with the number of its shard."""
    shard = images = size = 0
    for row in rows:
        yield shard, row
        images, size = images + 1, size + len(row["image"]["bytes"])
        if images == shard_images or size >= SHARD_BYTES:
            shard, images, size = shard + 1, 0, 0


def tensor_table(images: FloatImages, labels: list[int | None], keys: list[str], schema: pa.Schema) -> pa.Table:
    """Images `[N,C,H,W]` float32 as a table of `tensor_schema`."""
    tensor = schema.field("image").type
    storage = pa.FixedSizeListArray.from_arrays(pa.array(images.reshape(-1)), int(np.prod(tensor.shape)))
    columns = [pa.ExtensionArray.from_storage(tensor, storage), pa.array(labels, pa.int64()), pa.array(keys)]
    return pa.Table.from_arrays(columns, schema=schema)


def shard_path(directory: Path, index: int) -> Path:
    return directory / f"part-{index:05d}.parquet"


def shards(directory: str | Path) -> list[Path]:
    """The shards in a folder, in order; at least one."""
    found = sorted(Path(directory).glob("*.parquet"))
    if not found:
        raise UserError(f"{directory} holds no Parquet files: run the stage that makes it (`dvc repro`)")
    return found


def read_tables(directory: str | Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """One table a shard, in order."""
    for path in shards(directory):
        try:
            yield pq.read_table(path, columns=columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path} cannot be read as Parquet ({error}): remove it and run `dvc repro`") from None


@dataclass(frozen=True)
class Split:
    """A split of the normalized images, in memory."""

    images: FloatImages
    """`[N,C,H,W]` in [-1,1]."""
    labels: Labels | None
    """`[N]` in `[0, len(classes))`; None without classes."""
    classes: list[str] | None
    keys: list[str]

    @property
    def shape(self) -> tuple[int, int, int]:
        _, channels, height, width = self.images.shape
        return channels, height, width


def read_split(directory: str | Path) -> Split:
    """Read a normalized split, `data/normalized/train` or `.../holdout`, whole."""
    tables = list(read_tables(directory))
    images = np.concatenate([t["image"].combine_chunks().to_numpy_ndarray() for t in tables])
    classes = class_names(tables[0].schema)
    labels = None if classes is None else np.concatenate([t["label"].to_numpy() for t in tables]).astype(np.int64)
    return Split(images, labels, classes, [key for t in tables for key in t["key"].to_pylist()])
