"""A file that changes while it is read is refused: the bytes read are neither the old file nor the new one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.common.errors import UserError


def stamp(path: str | Path) -> str:
    """Size, time and identity of a file, which change with its content. Raises UserError if it cannot be accessed."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise changed(path) from None
    except OSError as error:
        raise UserError("source-unreadable", f"{path} cannot be read ({error.strerror})") from None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


@contextmanager
def steady(paths: Iterable[str | Path]) -> Iterator[None]:
    """Around the reading of files: if a file changed meanwhile, that is the error, and not what it caused."""
    before = {path: stamp(path) for path in paths}
    try:
        yield
    except UserError:
        _compare(before)
        raise
    _compare(before)


def _compare(before: dict[str | Path, str]) -> None:
    for path, old in before.items():
        if stamp(path) != old:
            raise changed(path) from None


def changed(place: str | Path) -> UserError:
    """The error for a source that has changed."""
    return UserError(
        "source-changed", f"{place} changed while it was read: wait until nothing writes to it, then run again"
    )
