"""The arrays of an npz, an npy, or a folder of npy files, by name; never unpickled, and never whole in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from stages.common.errors import UserError, one_line
from stages.common.npy import npy_header
from stages.sources.names import check_printable, of_system
from stages.sources.packed import refusing
from stages.sources.steady import stamp, steady
from stages.sources.zips import Member, Zip

_MAX_RATIO = 1000.0  # arrays of flat images compress far better than archives of compressed images


@dataclass(frozen=True)
class Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


class ArrayFiles:
    """Arrays by name: the members of an npz, or npy files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, Member] | None = None
        if not path.exists():
            raise UserError(
                "source-missing",
                f"{path} is not there: set ingest.path to an npy or npz file, or a folder of npy files",
            )
        if path.is_dir():
            files = [file for file in sorted(path.glob("*.np[yz]")) if not of_system(file.name)]
            self._paths = {file.stem: file for file in files if file.suffix == ".npy"}
            packed = [file for file in files if file.suffix == ".npz"]
            if not self._paths and len(packed) == 1:
                self.path = packed[0]
        else:
            self._paths = {path.stem: path}
        if self.path.is_file() and _starts(self.path) == b"PK":
            found = ((member.info.filename, member) for member in Zip(self.path, _MAX_RATIO).members())
            arrays = ((name, member) for name, member in found if name.endswith(".npy"))
            self._members = {
                name.removesuffix(".npy"): member for name, member in arrays if not any(map(of_system, name.split("/")))
            }
            self._paths = dict.fromkeys(self._members, self.path)
        for name in self._paths:
            check_printable(str(self.path), name)

    @property
    def names(self) -> list[str]:
        return list(self._paths)

    def place(self, name: str) -> str:
        return str(self._paths[name]) if self._members is None else f"{self.path}: {name}"

    def stamp(self, name: str) -> str:
        return stamp(self._paths[name])

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        path = self._paths[name]
        with steady([path]), refusing(path), self._opened(name) as file:
            yield file

    def _opened(self, name: str) -> BinaryIO:
        return open(self._paths[name], "rb") if self._members is None else cast(BinaryIO, self._members[name].open())


def _starts(path: Path) -> bytes:
    with refusing(path), open(path, "rb") as file:
        return file.read(2)


def read_header(place: str, file: BinaryIO) -> Header:
    """The header of the npy format (numpy.lib.format), versions 1 and 2. Raises UserError on pickled objects."""
    try:
        shape, columns_first, dtype = npy_header(file)
    except (ValueError, EOFError) as error:
        raise UserError(
            "arrays-no-array",
            f"{place} is no NumPy array ({one_line(error)}): write it with numpy.save; a pickle is never read, "
            "since reading one can run any code that is in it",
        ) from None
    if dtype.hasobject:
        raise UserError(
            "arrays-pickled",
            f"{place} holds Python objects, as pickles, of which reading one can run any code: "
            "write it again as numbers of one shape (numpy.stack)",
        )
    if columns_first and len(shape) > 1:
        raise UserError("arrays-fortran", f"{place} is in Fortran's order: write it again with numpy.ascontiguousarray")
    return Header(shape, dtype)


def exactly(place: str, file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise UserError(
            "source-cut-off", f"{place} is cut off: it holds fewer bytes than its header says; write or copy it again"
        )
    return content
