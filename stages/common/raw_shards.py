"""Raw images to Parquet shards: a killed run resumes after the last finished shard."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.energy import Meter, Pieces
from stages.common.files import read_json, replacing, write_json
from stages.common.shards import IMAGE, SHARD_BYTES, shard_path

COLUMNS = {"key": pa.string(), "sha256": pa.string(), "split": pa.string()}
PARTNER = {"partner": IMAGE}
"""One more column, for pairs."""
MAPS = {"maps": pa.list_(pa.binary())}
"""One more column, for pairs with maps: the files of the maps."""
GROUP = {"group": pa.string()}
"""One more column, for images in groups."""
ATTRIBUTES = {"attributes": pa.list_(pa.float32())}
"""One more column, for attributes in [-1,1]."""
DOMAIN = {"domain": pa.int64()}
"""One more column, for two domains: 0 or 1."""
_GROUP_IMAGES, _GROUP_BYTES = 1000, 2**23
_DONE = "done.json"

Counts = Counter[tuple[str | None, int | None]]
"""Images by (split, label)."""


@dataclass(frozen=True)
class RawRow:
    """An image with its content, ready to be written."""

    key: str
    path: str
    content: bytes
    label: int | None
    split: str | None
    partner: bytes | None
    trace: str | None
    """Identifies its file without the content, see `Done.trace`; None for all but the first picture of a file."""
    group: str | None = None
    attributes: list[float] | None = None
    domain: int | None = None
    left_out: int = 0
    """How many other pictures of the same file are not taken."""
    maps: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        return len(self.content) + len(self.partner or b"") + sum(map(len, self.maps))


@dataclass
class Done:
    """The content of finished shards."""

    images: int = 0
    shards: int = 0
    files: int = 0
    """How many files the images are from; the last file may have more pictures to come."""
    of_last: int = 0
    """How many images are from the last file."""
    cut_short: int = 0
    """How many files have only their first picture taken."""
    left_out: int = 0
    """How many other pictures these files have."""
    trace: str = ""
    """SHA-256 chained over the traces of the files, in order: it differs for another or a changed source."""
    counts: list[tuple[str | None, int | None, int]] = field(default_factory=list)

    def counter(self) -> Counts:
        return Counter({(split, label): count for split, label, count in self.counts})


def chained(trace: str, one: str) -> str:
    """The trace of some files and one more."""
    return hashlib.sha256(f"{trace}\n{one}".encode(errors="surrogatepass")).hexdigest()


class RawShards:
    """The finished shards of one ingest, in `root`/`fingerprint`; the shards of other ingests are removed."""

    def __init__(self, root: Path, fingerprint: str, meter: Meter | None = None) -> None:
        self.folder = root / fingerprint[:16]
        for other in root.glob("*"):
            if other != self.folder:
                shutil.rmtree(other)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.done = self._found()
        self._pieces = Pieces(self.folder, meter)

    def forget(self) -> None:
        shutil.rmtree(self.folder)

    def how_to_resume(self) -> str:
        """A sentence on what is kept, for a user who stops the work."""
        images = f"{self.done.images:,} images are finished and kept in {self.folder}"
        return f"{images}; the same command goes on from there"

    def shards(self) -> list[Path]:
        return [shard_path(self.folder, index) for index in range(self.done.shards)]

    def write(self, rows: Iterable[RawRow], schema: pa.Schema, shard_images: int) -> None:
        """Write the rows after the finished shards; memory: a row group.

        A shard is closed at `shard_images` images, or sooner at SHARD_BYTES.
        """
        left = iter(rows)
        for first in left:  # a shard begins only if there is an image for it
            with replacing(shard_path(self.folder, self.done.shards)) as partial:
                done = _written(partial, chain([first], left), schema, shard_images, self.done)
            self._pieces.note()
            write_json(self.folder / _DONE, asdict(done))
            self.done = done

    def _found(self) -> Done:
        path = self.folder / _DONE
        if not path.exists():
            return Done()
        values = read_json(path)
        return Done(**{**values, "counts": [tuple(count) for count in values["counts"]]})


def _written(path: Path, rows: Iterator[RawRow], schema: pa.Schema, shard_images: int, done: Done) -> Done:
    """Write the next shard from `rows`; returns the content of all finished shards."""
    images = size = 0
    after = Done(**{**asdict(done), "shards": done.shards + 1})
    counts = done.counter()
    # Images are already compressed, and hardly any are equal: neither compression nor a dictionary helps.
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=["label"]) as writer:
        while images < shard_images and size < SHARD_BYTES:
            group = list(_group(rows, shard_images - images, SHARD_BYTES - size))
            if not group:
                break
            writer.write_table(_table(group, schema))
            images, size = images + len(group), size + sum(row.size for row in group)
            for row in group:
                counts[row.split, row.label] += 1
                _count(after, row)
    after.counts = [(split, label, count) for (split, label), count in counts.items()]
    return after


def _count(done: Done, row: RawRow) -> None:
    done.images += 1
    done.of_last += 1
    if row.trace is not None:
        done.files, done.of_last, done.trace = done.files + 1, 1, chained(done.trace, row.trace)
        done.cut_short, done.left_out = done.cut_short + (row.left_out > 0), done.left_out + row.left_out


def _group(rows: Iterator[RawRow], images: int, size: int) -> Iterator[RawRow]:
    """The rows of a row group, until the shard has `images` more images or its bytes, or the group is full."""
    images, size = min(images, _GROUP_IMAGES), min(size, _GROUP_BYTES)
    for row in rows:
        yield row
        images, size = images - 1, size - row.size
        if images <= 0 or size <= 0:
            return


def _table(rows: list[RawRow], schema: pa.Schema) -> pa.Table:
    paths = pa.array([row.path for row in rows], pa.string())
    columns: dict[str, Any] = {
        "image": _pictures([row.content for row in rows], paths),
        "label": [row.label for row in rows],
        "key": [row.key for row in rows],
        "sha256": [hashlib.sha256(row.content).hexdigest() for row in rows],
        "split": [row.split for row in rows],
    }
    for name in {"group", "attributes", "domain", "maps"} & set(schema.names):
        columns[name] = [getattr(row, name) for row in rows]
    if "partner" in schema.names:
        columns["partner"] = _pictures([row.partner for row in rows], paths)
    return pa.table(columns, schema=schema)


def _pictures(contents: list[bytes] | list[bytes | None], paths: pa.Array) -> pa.Array:
    values = pa.array(contents, pa.binary())
    return pa.StructArray.from_arrays([values, paths], fields=list(IMAGE), mask=values.is_null())
