"""Packed files: damage becomes a sentence, and archives that unpack to too much are refused."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from stages.common.errors import UserError, one_line
from stages.sources.names import of_system
from stages.sources.steady import steady

_PACKERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_ALWAYS_ALLOWED = 2**26  # bytes that any archive may unpack to: headers and flat images of a small one compress well
_BLOCK = 512
_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")


def archives_in(folder: Path) -> list[Path]:
    """The archives in a folder, recognized by their names."""
    found = (path for path in folder.iterdir() if is_archive_name(path.name) and not of_system(path.name))
    return sorted(path for path in found if path.is_file())


def is_archive_name(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn errors on damaged bytes into a UserError that names the file."""
    try:
        yield
    except (UserError, GeneratorExit):
        raise
    except Exception as error:  # tarfile, zipfile and the decompressors raise nearly anything on damaged bytes
        raise UserError(
            "source-damaged",
            f"{path} is damaged, or no tar and no zip ({one_line(error, 200)}): fetch or copy it again",
        ) from None


def check_unpacked(path: Path, size: int, max_ratio: float) -> None:
    """Refuse an archive that claims to unpack to more bytes than allowed."""
    if size > _allowed(path, max_ratio):
        raise _bomb(path, max_ratio)


def tar_members(path: Path, max_ratio: float, at_once: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The members of a tar, compressed or not (its first bytes show it), one at a time and in its order.

    At most `at_once` bytes are in memory, headers included. Raises UserError on a tar that is damaged or cut off,
    unpacks to more than allowed, or changes meanwhile.
    """
    with (
        steady([path]),
        refusing(path),
        _unpacked(path, max_ratio, at_once) as file,
        tarfile.open(fileobj=cast(BinaryIO, file), mode="r:") as tar,
    ):
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it keeps all that it saw
            yield tar, member
        _check_end(path, file, tar.offset)


def _check_end(path: Path, file: "_Bounded", offset: int) -> None:
    """Check that a tar ends where tarfile stopped, which takes a damaged header for the end without an error."""
    file.seek(offset)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise UserError("source-cut-off", f"{path} is cut off or damaged {offset} bytes in: fetch or copy it again")


def _allowed(path: Path, max_ratio: float) -> float:
    return max(_ALWAYS_ALLOWED, max_ratio * path.stat().st_size)


def _bomb(path: Path, max_ratio: float) -> UserError:
    return UserError(
        "archive-bomb",
        f"{path} unpacks to more than {max_ratio:g} times its size, as a bomb does: "
        "check it, and raise ingest.options.max_ratio if that is meant",
    )


def _unpacked(path: Path, max_ratio: float, at_once: int) -> "_Bounded":
    with open(path, "rb") as file:
        opener = _PACKERS.get(file.read(2))
    unpacked = opener(path) if opener else open(path, "rb")  # noqa: SIM115 - closed by _Bounded
    return _Bounded(cast(BinaryIO, unpacked), _allowed(path, max_ratio), at_once, _bomb(path, max_ratio))


class _Bounded:
    """An unpacked file from which at most `allowed` bytes are read in total, and at most `at_once` at once."""

    def __init__(self, file: BinaryIO, allowed: float, at_once: int, bomb: UserError) -> None:
        self._file, self._allowed, self._at_once, self._bomb = file, allowed, at_once, bomb

    def __enter__(self) -> "_Bounded":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        if size > self._at_once or self._file.tell() + size > self._allowed:
            raise self._bomb
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset > self._allowed:
            raise self._bomb
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
