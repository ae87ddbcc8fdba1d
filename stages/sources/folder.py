"""A tree of images on disk: one folder a class, or one folder of images without labels."""

import heapq
import os
import stat
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from unicodedata import normalize

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.sources import NoOptions, Source
from stages.sources.kinds import advice_on
from stages.sources.limits import check_size, checked
from stages.sources.names import check_printable, composed, of_system
from stages.sources.steady import changed, stamp
from stages.sources.tree import Entry, Kind, tree_source

Options = NoOptions
_SORTED, _IN_BLOCK = 2**15, 2**8  # names in compact blocks: a million Python objects would take five times the memory
_KIND: dict[bytes, Kind] = {b"d": "folder", b"f": "file", b"o": "other"}
_TEXT = ("utf-8", "surrogateescape")
_Seen = dict[tuple[int, int], str]


def names_tell(_: Ingest) -> bool:
    return True


def read(params: Ingest, _: NoOptions) -> Source:
    """The images under `params.path`, unchanged; keys are paths inside it.

    Links are followed. Raises UserError on a tree that cannot be read as classes, a loop of links, a class without
    images, a file that changes while it is read, and an image whose header says more than `params.max_pixels`.
    """
    root = Path(params.path)
    if not root.is_dir():
        wrong = "a file, no folder" if root.is_file() else "not a folder that exists"
        advice = advice_on(root, but="folder") or "set ingest.path to a folder of images"
        raise UserError("source-missing", f"{root} is {wrong}: {advice}")
    return tree_source("folder", Folder(root, params.max_pixels), params)


class Folder:
    """A folder's files; see `tree.Tree`."""

    def __init__(self, root: Path, max_pixels: int) -> None:
        self.place = str(root)
        self._root, self._max_pixels = root, max_pixels
        self._odd = cache(_odd_names)

    def entries(self) -> Iterator[Entry]:
        """All files, in the order of names, a folder's own before those of its subfolders; memory: a folder's names.

        Hidden and system folders are named, but not entered: they may be locked.
        """
        seen = _above(self._root)
        stack = [("", self.place)]
        while stack:
            inside, folder = stack.pop()
            before = seen.setdefault(_identity(folder), folder)
            if before != folder:
                raise UserError(
                    "link-loop",
                    f"{folder} leads back to {before} (a loop of links, or a second link to it): remove the link",
                )
            below = []
            for name, spelled, kind in _listing(folder):
                inner, path = f"{inside}/{name}" if inside else name, os.path.join(folder, spelled)
                if not of_system(name):
                    check_printable(self.place, inner)
                if kind == "folder":
                    below.append((inner, path))
                yield Entry(inner, kind, partial(_content, path, self._max_pixels), partial(stamp, path))
            stack.extend(reversed(below))

    def find(self, name: str) -> Callable[[], bytes] | None:
        path = self.place
        for part in name.split("/"):
            path = os.path.join(path, self._spelled(path, part))
        return partial(_content, path, self._max_pixels) if os.path.isfile(path) else None

    def advice(self) -> str:
        return advice_on(self._root, but="folder")

    def _spelled(self, folder: str, name: str) -> str:
        """The file system's spelling of a composed name, which may be in another Unicode form."""
        if name.isascii() or os.path.lexists(os.path.join(folder, name)):
            return name
        apart = normalize("NFD", name)
        if os.path.lexists(os.path.join(folder, apart)):
            return apart
        return self._odd(folder).get(name, name)


def _odd_names(folder: str) -> dict[str, str]:
    """The spellings of names in neither Unicode form, such as on old disks of macOS."""
    if not os.path.isdir(folder):
        return {}
    apart = ((name, spelled) for name, spelled, _ in _listing(folder) if spelled != name)
    return {name: spelled for name, spelled in apart if spelled != normalize("NFD", name)}


def _above(root: Path) -> _Seen:
    """The root's parent folders, up to the file system's root: a link to one of them is a loop."""
    parent = Path(os.path.abspath(root)).parent.resolve()
    return {_identity(str(folder)): str(folder) for folder in (parent, *parent.parents)}


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise UserError("source-unreadable", f"{folder} cannot be read ({error.strerror})") from None
    return status.st_dev, status.st_ino


def _listing(folder: str) -> Iterator[tuple[str, str, Kind]]:
    """The entries of a folder, in the order of composed names: (name, the file system's spelling, kind)."""
    chunks: list[list[bytes]] = []
    held: list[bytes] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                held.append(_line(entry))
                if len(held) == _SORTED:
                    chunks.append(_blocks(held))
                    held.clear()
    except OSError as error:  # such as no permission, a link to itself, a name too long
        raise UserError("source-unreadable", f"{error.filename or folder} cannot be read ({error.strerror})") from None
    for line in heapq.merge(*map(_names, chunks), sorted(held)):
        name, kind, spelled = line.split(b"\0")
        yield name.decode(*_TEXT), (spelled or name).decode(*_TEXT), _KIND[kind]


def _line(entry: os.DirEntry[str]) -> bytes:
    """A name, its kind, and its spelling if that differs, separated by zero bytes, which no name has."""
    name = composed(entry.name)
    spelled = b"" if name == entry.name else entry.name.encode(*_TEXT)
    kind = b"o" if of_system(name) else _kind(entry)
    return b"\0".join((name.encode(*_TEXT), kind, spelled))


def _blocks(names: list[bytes]) -> list[bytes]:
    names.sort()
    return [b"/".join(names[start : start + _IN_BLOCK]) for start in range(0, len(names), _IN_BLOCK)]


def _names(blocks: list[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield from block.split(b"/")


def _kind(entry: os.DirEntry[str]) -> bytes:
    if entry.is_dir():
        return b"d"
    if entry.is_file():
        return b"f"
    if entry.is_symlink() and not os.path.exists(entry.path):
        raise UserError("link-broken", f"{entry.path} is a link to nothing: remove or mend it")
    return b"o"  # a pipe, a socket, a device: never opened


def _content(path: str, max_pixels: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # do not wait for a file that has become a pipe
        with open(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            check_size(path, before.st_size, max_pixels)
            content = file.read() if stat.S_ISREG(before.st_mode) else b""
            after = os.fstat(descriptor)
    except FileNotFoundError:
        raise changed(path) from None
    except OSError as error:
        raise UserError("source-unreadable", f"{path} cannot be read ({error.strerror})") from None
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns) or len(content) != after.st_size:
        raise changed(path)
    return checked(path, content, max_pixels)
