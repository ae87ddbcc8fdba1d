"""Releases in a local or mounted folder."""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from stages.common.errors import UserError, quoted
from stages.common.files import is_whole, replacing, sync, sync_entry, write_bytes
from stages.stores import CHUNK, IN_PARAMS, MANIFEST, Entry, File, Keep


class FolderStore:
    """A folder as a store. A release is copied into a hidden folder, synced and renamed, so it is whole or absent."""

    def __init__(self, url: str, setting: str = IN_PARAMS) -> None:
        """`url` is `file:FOLDER`, relative to the working directory or absolute, or `file:///FOLDER`."""
        self.url = url.rstrip("/")
        self.root = _folder_of(url, setting)
        self._setting = setting

    def missing(self, folder: str, files: list[File]) -> list[File]:
        """The missing files, without those that a killed publisher left; then always with the manifest, sent last."""
        with self._sentences():
            place = self.root / folder
            if place.exists():
                return _differing(place, files)
            lacking = _differing(_partial(place), files)
            return [file for file in files if file in lacking or file.path == MANIFEST]

    def add(self, folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        """Files of a killed publisher are kept: a release's hidden folder is also named by its content."""
        place = self.root / folder
        with self._locked():
            if place.exists():  # a damaged release is repaired file by file
                for file in files:
                    with replacing(place / file.path) as partial:
                        _copy(file, partial, progress)
                return
            for file in _differing(_partial(place), files):
                (_partial(place) / file.path).parent.mkdir(parents=True, exist_ok=True)
                _copy(file, _partial(place) / file.path, progress)
            sync(_partial(place))
            os.replace(_partial(place), place)
            sync_entry(place.parent)

    def entries(self, folder: str) -> dict[str, Entry]:
        with self._sentences():
            found = {}
            for path in (self.root / folder).rglob("*"):
                with suppress(FileNotFoundError):  # removed meanwhile
                    if not _hidden(path.relative_to(self.root)) and path.is_file():
                        stat = path.stat()
                        found[path.relative_to(self.root).as_posix()] = Entry(stat.st_size, stat.st_mtime)
            return found

    def require_there(self) -> None:
        if not self.root.is_dir():
            raise UserError(
                "store-missing",
                f"there is no folder {str(self.root)!r}: name another store, or publish there first",
            )

    def read(self, key: str) -> bytes | None:
        with self._sentences():
            path = self.root / key
            return path.read_bytes() if path.exists() else None

    def chunks(self, key: str, size: int, keep: Keep = lambda offset, chunk: None) -> Iterator[bytes]:
        with self._sentences():
            file = open(self.root / key, "rb")  # noqa: SIM115 - closed below
        offset = 0
        with file:
            while chunk := self._next(file):
                keep(offset, chunk)  # its errors are not this store's
                yield chunk
                offset += len(chunk)

    def _next(self, file: BinaryIO) -> bytes:
        with self._sentences():
            return file.read(CHUNK)

    def write(self, key: str, content: bytes) -> None:
        with self._locked():
            write_bytes(self.root / key, content)

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        with self._locked():
            if self.read(key) != old:
                return False
            write_bytes(self.root / key, new)
            return True

    def exclusion(self) -> None:
        """None: writers lock the file .lock, see docs/releases.md."""

    def remove(self, keys: Iterable[str]) -> None:
        with self._locked():
            for key in keys:
                path = self.root / key
                path.unlink(missing_ok=True)
                with suppress(OSError):  # stops at the first folder that is not empty
                    for folder in path.parents[: len(Path(key).parts) - 1]:
                        folder.rmdir()

    def unfinished(self) -> dict[str, float]:
        with self._sentences():
            found = [path for path in self.root.glob("*/.*.partial") if path.exists()]
            return {path.relative_to(self.root).as_posix(): _last_change(path) for path in found}

    def abandon(self, name: str) -> None:
        with self._locked():
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time; the lock ends with its process."""
        with self._sentences():
            self.root.mkdir(parents=True, exist_ok=True)
            with open(self.root / ".lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UserError(
                "store-not-writable",
                f"cannot use {self.root} as the store ({reason}): make it a folder with room that you may write, "
                f"or name another in {self._setting}, and run again",
            ) from None


def _folder_of(url: str, setting: str) -> Path:
    path = url.removeprefix("file:")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        raise UserError(
            "store-kind-unknown",
            f"{quoted(url)} is no kind of store that is known: name file:FOLDER or s3://BUCKET/PREFIX",
        )
    if path.startswith("//"):
        host, slash, path = path.removeprefix("//").partition("/")
        if host not in ("", "localhost") or not path:
            raise UserError(
                "store-url-invalid",
                f"{quoted(url)} in {setting} names a host, not a folder: write file:FOLDER (relative) or file:///FOLDER",
            )
        path = slash + path
    return Path(unquote(path)).expanduser()


def _partial(place: Path) -> Path:
    return place.with_name(f".{place.name}.partial")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _last_change(path: Path) -> float:
    return max(entry.stat().st_mtime for entry in [path, *path.rglob("*")])


def _differing(folder: Path, files: list[File]) -> list[File]:
    return [file for file in files if not is_whole(folder / file.path, file.size, file.sha256)]


def _copy(file: File, target: Path, progress: Callable[[int], object]) -> None:
    """Copy and hash in one reading, so that the copy matches the manifest."""
    digest = hashlib.sha256()
    with file.open() as source, open(target, "wb") as copy:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            progress(len(chunk))
    if digest.hexdigest() != file.sha256:
        raise file.changed()
