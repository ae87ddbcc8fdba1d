"""Releases in a local or mounted folder."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from stages.common.errors import UserError
from stages.common.files import replacing_directory, sha256_of, write_bytes
from stages.stores import CHUNK, File


class FolderStore:
    """A release is copied into a hidden folder beside its place, synced and renamed: there whole or not at all."""

    def __init__(self, url: str) -> None:
        """`url` is `file:FOLDER`, relative to the working directory or absolute, or `file:///FOLDER`."""
        self.url = url.rstrip("/")
        self.root = _folder_of(url)

    def missing(self, folder: str, files: list[File]) -> list[File]:
        """None of the files when all are there with the right content, else all: a release is placed as one."""
        with self._sentences():
            return [] if all(_same(self.root / folder / file.path, file) for file in files) else files

    def add(self, folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        with self._alone(), replacing_directory(self.root / folder) as partial:
            for file in files:
                (partial / file.path).parent.mkdir(parents=True, exist_ok=True)
                _copy(file, partial / file.path, progress)

    def read(self, key: str) -> bytes | None:
        with self._sentences():
            path = self.root / key
            return path.read_bytes() if path.exists() else None

    def write(self, key: str, content: bytes) -> None:
        with self._alone():
            write_bytes(self.root / key, content)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time; the lock goes with its process, what a killed one left behind is cleared."""
        with self._sentences():
            self.root.mkdir(parents=True, exist_ok=True)
            with open(self.root / ".lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for left in self.root.glob("releases/.*.partial"):
                    shutil.rmtree(left)
                yield

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UserError(
                f"cannot use {self.root} as the store ({reason}): make it a folder with room that you may write, "
                "or set upload.url in params.yaml to another, and run again"
            ) from None


def _folder_of(url: str) -> Path:
    path = url.removeprefix("file:")
    if path.startswith("//"):
        host, slash, path = path.removeprefix("//").partition("/")
        if host not in ("", "localhost") or not path:
            raise UserError(
                f"params.yaml: upload.url = {url!r} names a host, not a folder: write file:FOLDER (relative) or file:///FOLDER"
            )
        path = slash + path
    return Path(unquote(path)).expanduser()


def _same(path: Path, file: File) -> bool:
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def _copy(file: File, target: Path, progress: Callable[[int], object]) -> None:
    """Copy and hash in one reading, so that what is kept is what the manifest says."""
    digest = hashlib.sha256()
    with file.open() as source, open(target, "wb") as copy:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            progress(len(chunk))
    if digest.hexdigest() != file.sha256:
        raise file.changed()
