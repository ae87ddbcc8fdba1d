"""Where releases are stored: a folder or a bucket, with the same layout.

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
PART = 8 * CHUNK  # a larger file goes to and from a bucket in parts of at least this size, several at a time


@dataclass(frozen=True)
class File:
    """A file of a release: its name there, the place of its bytes, and their size and hash."""

    path: str
    source: Path | bytes
    size: int
    sha256: str
    stamp: tuple[int, ...] = ()
    """Identity, size and time of the file when it was hashed."""

    @classmethod
    def from_source(cls, path: str, source: Path | bytes) -> "File":
        if isinstance(source, bytes):
            return cls(path, source, len(source), hashlib.sha256(source).hexdigest())
        stamp = _stamp(source)
        return cls(path, source, stamp[1], sha256_of(source), stamp)

    def require_unchanged(self) -> None:
        """Raise UserError if the file has been written since it was hashed; cheaper than hashing it again."""
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
        """The error if the bytes that are sent are not those that were hashed."""
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
    """An object in a store: its size in bytes, and when it was written (seconds, by the store's clock)."""

    size: int
    modified: float


class Store(Protocol):
    """A place for releases; all its own errors are `UserError`s."""

    url: str

    def missing(self, folder: str, files: list[File]) -> list[File]:
        """Which of a release's files must still be sent; content is compared, not only names."""

    def add(self, folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        """Send files, the manifest last; `progress` gets the number of bytes as they arrive."""

    def entries(self, folder: str) -> dict[str, Entry]:
        """Everything whose key begins with `folder`, by key."""

    def require_there(self) -> None:
        """Raise `UserError` if the place itself is missing: nothing was ever written there."""

    def read(self, key: str) -> bytes | None:
        """A small object, whole; None when there is none."""

    def chunks(self, key: str, size: int, keep: Keep = lambda offset, chunk: None) -> Iterator[bytes]:
        """An object of `size` bytes, piece by piece in order; raises `UserError` if it is missing or breaks off.

        `keep` gets each piece with its offset, before it is yielded, in any order and from several threads.
        """

    def write(self, key: str, content: bytes) -> None:
        """A small object, replaced in one step."""

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Replace a small object in one step if it still is `old` (None: does not exist).

        Returns False, without a change, if another writer was faster.
        """

    def exclusion(self) -> str | None:
        """How `swap` excludes other writers here, in words; None if there is nothing special about it."""

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; an object that is already gone is no error."""

    def unfinished(self) -> dict[str, float]:
        """Unfinished uploads, by a name for `abandon`, with the time of their last activity."""

    def abandon(self, name: str) -> None:
        """Remove what an unfinished upload left."""


IN_PARAMS, GIVEN = "upload.url of params.yaml", "the command"
"""Sources of a store's address, as errors name them."""


def open_asked(url: str | None) -> Store:
    """The store at `url`, or that of params.yaml without one."""
    return open_store(url, GIVEN) if url else open_store(load_section(Upload).url)


def open_store(url: str, setting: str = IN_PARAMS) -> Store:
    """The store at `file:FOLDER`, `file:///FOLDER` or `s3://BUCKET/PREFIX`, the value of `setting`."""
    if url.startswith("s3://"):
        from stages.stores.s3 import S3Store  # boto3 takes half a second to import

        return S3Store(url, setting)
    from stages.stores.folder import FolderStore

    return FolderStore(url, setting)
