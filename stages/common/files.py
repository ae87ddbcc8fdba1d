"""Whole files or none: everything is written under a temporary name, synced, and renamed."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.common.errors import UserError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it takes the place of `path`.

    The block may make a file or a folder there. If it fails, `path` is unchanged and the temporary is removed; the next
    try removes what a killed process left.
    """
    final = Path(path)
    partial = final.with_name(f".{final.name}.partial")
    old = final.with_name(f".{final.name}.old.partial")
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        yield partial
        sync(partial)
        _remove(old)
        if final.is_dir():
            os.rename(final, old)  # no rename can replace a folder with files; deleting it first would take time
        os.replace(partial, final)
        sync_entry(final.parent)
    except BaseException:
        _remove(partial)
        raise
    _remove(old)


@contextmanager
def replacing_directory(path: str | Path) -> Iterator[Path]:
    """Like `replacing`, with the temporary folder already made."""
    with replacing(path) as partial:
        partial.mkdir()
        yield partial


def write_bytes(path: str | Path, content: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    write_bytes(path, content.encode())


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def missing_output(path: str | Path) -> UserError:
    """The error if a stage's output is not there."""
    return UserError("output-missing", f"{path} is missing: `mintage run` makes it")


def read_json(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise missing_output(path) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            "output-damaged", f"{path} is not valid JSON ({error}): remove it and run `dvc repro`"
        ) from None


def write_tsv(path: str | Path, rows: list[dict[str, Any]], columns: list[str] | None = None) -> None:
    """Rows as tab-separated values: these columns, or those of the first row; None is an empty cell."""
    names = columns or (list(rows[0]) if rows else [])
    lines = [names] + [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    write_text(path, "".join("\t".join(line) + "\n" for line in lines))


def write_at(descriptor: int, offset: int, content: bytes) -> None:
    """Write all of `content` into an open file from `offset` on; several threads may do so at once."""
    left = memoryview(content)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


def sha256_of(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(path: Path, size: int, sha256: str) -> bool:
    return path.is_file() and path.stat().st_size == size and sha256_of(path) == sha256


def md5_of(path: str | Path) -> str:
    """A file's MD5, by which DVC names files; it only guards against accidents."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link if the file system can, else a copy; neither file may ever be written in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sync(path: Path) -> None:
    """Sync a file, or a folder with all its content, to the disk."""
    for entry in [path, *path.rglob("*")] if path.is_dir() else [path]:
        sync_entry(entry)


def sync_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def fingerprint_of(identity: Any) -> str:
    """A digest of what a result is made from, any JSON: unfinished work resumes only with the same one."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
