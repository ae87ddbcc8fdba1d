"""Where releases are kept: a folder or a bucket, with one layout.

releases/<release>/...           a release's files; manifest.json comes last: without it there is no release
channels/<name>.json             the release that a name points to, e.g. latest, with the history of the name
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from stages.common.errors import UserError
from stages.common.files import sha256_of
from stages.common.params import Upload, load_section

MANIFEST = "manifest.json"
CHUNK = 1 << 20  # bytes read at a time
PART = 8 * CHUNK  # a larger file goes to and from a bucket in parts of this size at least, several at a time


@dataclass(frozen=True)
class File:
    """One file of a release: its name there, where its bytes are now, and what they must be."""

    path: str
    source: Path | bytes
    size: int
    sha256: str
    stamp: tuple[int, ...] = ()
    """Of the file when it was hashed: which one, its size, its time."""

    @classmethod
    def from_source(cls, path: str, source: Path | bytes) -> "File":
        if isinstance(source, bytes):
            return cls(path, source, len(source), hashlib.sha256(source).hexdigest())
        stamp = _stamp(source)
        return cls(path, source, stamp[1], sha256_of(source), stamp)

    def require_unchanged(self) -> None:
        """Raise where the file has been written since it was hashed: cheaper than to hash it again."""
        try:
            if not isinstance(self.source, bytes) and _stamp(self.source) != self.stamp:
                raise self.changed()
        except FileNotFoundError:
            raise self.changed() from None

    def open(self) -> BinaryIO:
        """Its bytes, to be read once from the start."""
        if isinstance(self.source, bytes):
            return BytesIO(self.source)
        try:
            return self.source.open("rb")
        except FileNotFoundError:
            raise self.changed() from None

    def changed(self) -> UserError:
        """What to raise when the bytes read for sending are not those that were hashed."""
        name = self.path if isinstance(self.source, bytes) else self.source
        return UserError(
            "output-changed-meanwhile",
            f"{name} changed while it was being uploaded: wait until nothing writes it, then run again",
        )


def _stamp(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


Keep = Callable[[int, bytes], object]


@dataclass(frozen=True)
class Entry:
    """An object that is there: its size in bytes, and when it was written (seconds, by the store's clock)."""

    size: int
    modified: float


class Store(Protocol):
    """A place for releases; everything it raises about itself is a `UserError`."""

    url: str

    def missing(self, folder: str, files: list[File]) -> list[File]:
        """Which of a release's files have still to be sent; the content is compared, not only the name."""

    def add(self, folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        """Send files, the manifest last; `progress` is told of bytes as they arrive."""

    def entries(self, folder: str) -> dict[str, Entry]:
        """Everything whose key begins with `folder`, by key."""

    def require_there(self) -> None:
        """Raise `UserError` where the place itself is missing: nothing was ever written there."""

    def read(self, key: str) -> bytes | None:
        """A small object, whole; None when there is none."""

    def chunks(self, key: str, size: int, keep: Keep = lambda offset, chunk: None) -> Iterator[bytes]:
        """An object of `size` bytes, piece by piece in order; what is not there, or breaks off, raises `UserError`.

        `keep` is given each piece with its place, before it is yielded, in any order and by several threads.
        """

    def write(self, key: str, content: bytes) -> None:
        """A small object, replaced in one step."""

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Replace a small object in one step where it still is `old` (None: is not there).

        False where another writer was faster, and then nothing is changed.
        """

    def exclusion(self) -> str | None:
        """How `swap` keeps writers apart here, in words; None where there is nothing to know of it."""

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no error."""

    def unfinished(self) -> dict[str, float]:
        """Uploads that were begun and not ended, by a name for `abandon`, with the time of their last sign of life."""

    def abandon(self, name: str) -> None:
        """Remove what an unfinished upload left."""


IN_PARAMS, GIVEN = "upload.url of params.yaml", "the command"
"""Where a store's address may be from, as errors name it."""


def open_asked(url: str | None) -> Store:
    """The store that a command is given; of params.yaml where it is given none."""
    return open_store(url, GIVEN) if url else open_store(load_section(Upload).url)


def open_store(url: str, setting: str = IN_PARAMS) -> Store:
    """The store at `file:FOLDER`, `file:///FOLDER` or `s3://BUCKET/PREFIX`, an address that `setting` has."""
    if url.startswith("s3://"):
        from stages.stores.s3 import S3Store  # boto3 takes half a second to import

        return S3Store(url, setting)
    from stages.stores.folder import FolderStore

    return FolderStore(url, setting)
