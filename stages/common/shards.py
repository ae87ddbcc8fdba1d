"""Images in Parquet, in a few large shards: encoded bytes (raw, samples) or values of one shape (normalized).

Sound and volumes are stored as images are, with fewer or more sides.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.errors import UserError, one_line
from stages.common.levels import FloatImages, Images, floats

Labels = npt.NDArray[np.int64]
Row = dict[str, Any]
Shape = tuple[int, ...]

SHARD_BYTES = 2**27
"""Image bytes at which a shard is full, even with few images, so that large photographs fit in memory."""
GROUP_BYTES = 2**22
"""Bytes of tensors in a row group of a normalized shard, the smallest part that is read at once."""


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An encoded image in the Hugging Face layout."""


def encoded_schema(
    classes: list[str] | None, extra: dict[str, pa.DataType], *, shown_as: str | None = "Image"
) -> pa.Schema:
    """The Hugging Face image layout: `image: struct<bytes, path>`, `label`, then `extra` columns.

    `datasets.load_dataset("parquet", ...)` shows images, if it knows this kind of file (`Medium.shown_as`), and class
    names; pandas reads it directly. Without `classes` all labels are null.
    """
    fields = {"image": IMAGE, "label": pa.int64(), **extra}
    features: dict[str, Any] = {name: _feature(kind, shown_as) for name, kind in fields.items()}
    if classes is not None:
        features["label"] = {"_type": "ClassLabel", "names": classes}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(fields.items()), metadata=metadata)


def _feature(kind: pa.DataType, shown_as: str | None = None) -> dict[str, Any]:
    """A column's feature for the `datasets` package; a file is `shown_as` a kind, or else as its bytes and path."""
    if kind == IMAGE:
        plain = {name: _feature(IMAGE.field(name).type) for name in ("bytes", "path")}
        return {"_type": shown_as} if shown_as else plain
    if pa.types.is_list(kind):
        return {"_type": "Sequence", "feature": _feature(kind.value_type)}
    return {"_type": "Value", "dtype": {"float": "float32"}.get(str(kind), str(kind))}


def tensor_schema(
    shape: tuple[int, ...],
    classes: list[str] | None,
    image: np.dtype[Any],
    partner: "Partners | None" = None,
    *,
    attributes: list[str] | None = None,
    domains: list[str] | None = None,
    alphabet: tuple[str, ...] | None = None,
) -> pa.Schema:
    """Normalized images: `image`, `label` (null without classes), `key`; then `partner`, `attributes`, `domain`.

    An image is its values `[C,*S]` as bytes: 8-bit levels, where 0 means -1 and 255 means 1, or, four times as long,
    little-endian float32 in [-1,1]. Lists of numbers would be slower.
    """
    values = int(np.prod(shape))
    fields = [("image", pa.binary(values * image.itemsize)), ("label", pa.int64()), ("key", pa.string())]
    fields += [] if partner is None else [("partner", pa.binary(partner.row_bytes))]
    fields += [] if attributes is None else [("attributes", pa.list_(pa.float32()))]
    fields += [] if domains is None else [("domain", pa.int64())]
    about: dict[str, Any] = {"classes": classes, "shape": shape}
    about |= {} if attributes is None else {"attributes": attributes}
    about |= {} if domains is None else {"domains": domains}
    about |= {} if alphabet is None else {"alphabet": alphabet}
    if partner is not None:
        about |= {"partner_shape": partner.shape, **({"damage": partner.damage} if partner.damage else {})}
    return pa.schema(fields, metadata={"mintage": json.dumps(about)})


@dataclass(frozen=True)
class Partners:
    """How partners are stored in their column."""

    shape: tuple[int, ...]
    """(S, h, w)."""
    dtype: np.dtype[Any]
    damage: tuple[str, float] | None = None
    """Kind and strength of the `mintage.damage.Damage` that made them; None if they were not made at random."""

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape)) * self.dtype.itemsize


def class_names(schema: pa.Schema) -> list[str] | None:
    """The class names in a shard's schema, by label; None if images have no labels."""
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

    A shard is closed at `shard_images` images, or sooner at SHARD_BYTES. Memory: `held_images` images, a row group of
    the file; by default the whole shard.
    """
    count = 0
    for index, shard in groupby(_by_shard(rows, shard_images), key=itemgetter(0)):
        # Images are already compressed, and hardly any are equal: neither compression nor a dictionary helps.
        path = shard_path(directory, index)
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=["label"]) as writer:
            while held := [row for _, row in islice(shard, held_images or shard_images)]:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                count += len(held)
                held.clear()  # freed before the next rows are made
    return count


def _by_shard(rows: Iterable[Row], shard_images: int) -> Iterator[tuple[int, Row]]:
    """Each row with the number of its shard."""
    shard = images = size = 0
    for row in rows:
        yield shard, row
        images, size = images + 1, size + len(row["image"]["bytes"])
        if images == shard_images or size >= SHARD_BYTES:
            shard, images, size = shard + 1, 0, 0


def tensor_table(
    images: Images,
    labels: Sequence[int | None],
    keys: Sequence[str],
    classes: list[str] | None,
    *,
    partners: Images | None = None,
    damage: tuple[str, float] | None = None,
    attributes: tuple[list[str], Sequence[list[float]]] | None = None,
    domains: tuple[list[str], Sequence[int]] | None = None,
    alphabet: tuple[str, ...] | None = None,
) -> pa.Table:
    """A table in `tensor_schema` of images `[N,C,*S]`, with partners `[N,S,h,w]`, attributes or domains if given."""
    names, rows = attributes or (None, None)
    of_domains, numbers = domains or (None, None)
    partner = None if partners is None else Partners(partners.shape[1:], partners.dtype, damage)
    schema = tensor_schema(
        images.shape[1:], classes, images.dtype, partner, attributes=names, domains=of_domains, alphabet=alphabet
    )
    columns = [_tensor_column(images), pa.array(labels, pa.int64()), pa.array(keys, pa.string())]
    columns += [] if partners is None else [_tensor_column(partners)]
    columns += [] if rows is None else [pa.array(rows, pa.list_(pa.float32()))]
    columns += [] if numbers is None else [pa.array(numbers, pa.int64())]
    return pa.Table.from_arrays(columns, schema=schema)


def _tensor_column(images: Images) -> pa.Array:
    rows = np.ascontiguousarray(images if images.dtype == np.uint8 else images.astype("<f4", copy=False))
    size = int(np.prod(rows.shape[1:])) * rows.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(rows), [None, pa.py_buffer(rows)])


def _tensors(column: pa.Array, shape: tuple[int, ...]) -> FloatImages:
    size, values = column.type.byte_width, int(np.prod(shape))
    content = np.frombuffer(column.buffers()[1], np.uint8, len(column) * size, column.offset * size)
    return floats(content.view(np.uint8 if size == values else "<f4").reshape(-1, *shape))


def shard_path(directory: Path, index: int) -> Path:
    return directory / f"part-{index:05d}.parquet"


def shards(directory: str | Path) -> list[Path]:
    """The shards in a folder, in order; at least one."""
    found = sorted(Path(directory).glob("*.parquet"))
    if not found:
        raise UserError("output-missing", f"{directory} holds no Parquet files: `mintage run` makes it")
    return found


@contextmanager
def read_safely(path: Path) -> Iterator[None]:
    """Turn Arrow's errors on a damaged file into a UserError."""
    try:
        yield
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UserError(
            "output-damaged",
            f"{path} cannot be read as Parquet ({one_line(error, None)}): remove it and run `dvc repro`",
        ) from None


def read_tables(directory: str | Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """One table a shard, in order."""
    for path in shards(directory):
        with read_safely(path):
            table = pq.read_table(path, columns=columns)
        yield table


@dataclass(frozen=True)
class Block:
    """Rows of a split that are stored and read together: a row group of a shard."""

    path: Path
    group: int
    start: int
    """The number of its first row in the split."""
    stop: int


def _facts(path: Path, schema: pa.Schema) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((schema.metadata or {}).get(b"mintage", b"{}"))
    if "shape" not in facts:
        raise UserError(
            "output-of-earlier-version", f"{path} is by an earlier version of the pipeline: run `dvc repro normalize`"
        )
    return facts


class ShardReader:
    """Reads any part of a normalized split without the rest; only the shards' footers are in memory.

    It keeps no file open, so that it may be copied to other processes and used by several threads.
    Raises UserError if a shard cannot be read.
    """

    def __init__(self, directory: str | Path) -> None:
        self.blocks: list[Block] = []
        self._footers: dict[Path, pq.FileMetaData] = {}
        for path in shards(directory):
            with read_safely(path):
                self._footers[path] = footer = pq.read_metadata(path)
            for group in range(footer.num_row_groups):
                start = len(self)
                self.blocks.append(Block(path, group, start, start + footer.row_group(group).num_rows))
        schema = pq.read_schema(self.blocks[0].path)
        self.classes = class_names(schema)
        facts = _facts(self.blocks[0].path, schema)
        self.shape: Shape = tuple(facts["shape"])
        partner_shape: Shape = tuple(facts.get("partner_shape", self.shape))
        self.partner_shape = partner_shape if "partner" in schema.names else None
        """(S, h, w); an image's shape if an earlier version wrote the shards; None if images have no partners."""
        self.damage: tuple[str, float] | None = facts.get("damage")
        """The random damage that made the partners; None if there was none."""
        self.attribute_names: list[str] | None = facts.get("attributes")
        self.domain_names: list[str] | None = facts.get("domains")
        self.alphabet: list[str] | None = facts.get("alphabet")
        """The words, if samples are sequences of words."""

    def __len__(self) -> int:
        """The number of images in the split."""
        return self.blocks[-1].stop if self.blocks else 0

    def images(self, block: Block, column: Literal["image", "partner"] = "image") -> FloatImages:
        """The images `[n,C,*S]` of a block, or their partners `[n,S,h,w]`, in [-1,1]."""
        shape = self.shape if column == "image" else self.partner_shape
        assert shape is not None
        return _tensors(self._read(block, column).combine_chunks(), shape)

    def labels(self, block: Block) -> Labels | None:
        """Labels `[n]` in `[0, len(classes))` of a block; None without classes."""
        return None if self.classes is None else self._read(block, "label").to_numpy().astype(np.int64)

    def attributes(self, block: Block) -> FloatImages | None:
        """Attributes `[n,K]` in [-1,1] of a block; None without attributes."""
        if self.attribute_names is None:
            return None
        values = self._read(block, "attributes").combine_chunks().flatten().to_numpy(zero_copy_only=False)
        return np.asarray(values, np.float32).reshape(-1, len(self.attribute_names))

    def domains(self, block: Block) -> Labels | None:
        """Domains `[n]` of a block, 0 or 1; None if there is only one domain."""
        return None if self.domain_names is None else self._read(block, "domain").to_numpy().astype(np.int64)

    def keys(self, block: Block) -> list[str]:
        keys: list[str] = self._read(block, "key").to_pylist()
        return keys

    def _read(self, block: Block, column: str) -> pa.ChunkedArray:
        with read_safely(block.path), pq.ParquetFile(block.path, metadata=self._footers[block.path]) as file:
            return file.read_row_group(block.group, [column], use_threads=False)[column]
