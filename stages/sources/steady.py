"""A file that changes while it is read is refused: what was read of it is neither the old nor the new."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.common.errors import UserError


def stamp(path: str | Path) -> str:
    """Size, time and identity of a file: changes with its content. Raises UserError where it cannot be seen."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise changed(path) from None
    except OSError as error:
        raise UserError("source-unreadable", f"{path} cannot be read ({error.strerror})") from None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


@contextmanager
def steady(paths: Iterable[str | Path]) -> Iterator[None]:
    """Around the reading of files: what is wrong with one that changed meanwhile is that it changed."""
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
    """What to raise where a source is no longer what it was."""
    return UserError(
        "source-changed", f"{place} changed while it was read: wait until nothing writes to it, then run again"
    )
