"""Where releases are kept: a folder or a bucket, with one layout.

releases/<release>/...           a release's files; manifest.json comes last: without it there is no release
channels/<name>.json             the release that a name points to, e.g. latest
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from stages.common.errors import UserError
from stages.common.files import sha256_of

MANIFEST = "manifest.json"
CHUNK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class File:
    """One file of a release: its name there, where its bytes are now, and what they must be."""

    path: str
    source: Path | bytes
    size: int
    sha256: str

    @classmethod
    def of(cls, path: str, source: Path | bytes) -> "File":
        if isinstance(source, bytes):
            return cls(path, source, len(source), hashlib.sha256(source).hexdigest())
        return cls(path, source, source.stat().st_size, sha256_of(source))

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
        return UserError(f"{name} changed while it was being uploaded: wait until nothing writes it, then run again")


class Store(Protocol):
    """A place for releases; everything it raises about itself is a `UserError`."""

    url: str

    def missing(self, folder: str, files: list[File]) -> list[File]:
        """Which of a release's files have still to be sent; the content is compared, not only the name."""

    def add(self, folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        """Send files, the manifest last; `progress` is told of bytes as they arrive."""

    def read(self, key: str) -> bytes | None:
        """A small object, whole; None when there is none."""

    def write(self, key: str, content: bytes) -> None:
        """A small object, replaced in one step."""


def open_store(url: str) -> Store:
    """The store that `upload.url` names: `file:FOLDER`, `file:///FOLDER` or `s3://BUCKET/PREFIX`."""
    if url.startswith("s3://"):
        from stages.stores.s3 import S3Store  # boto3 takes half a second to import

        return S3Store(url)
    from stages.stores.folder import FolderStore

    return FolderStore(url)
