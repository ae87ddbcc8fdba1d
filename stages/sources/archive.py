"""Images in a tar, tar.gz (also bz2, xz) or zip, streamed: nothing of it is ever unpacked to disk."""

import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path

from pydantic import Field

from stages.common.errors import UserError, quoted
from stages.common.params import Ingest
from stages.common.sections import Positive, Section
from stages.sources import Source
from stages.sources.kinds import advice_on
from stages.sources.limits import EXTENSIONS, check_size, checked, inner_name, is_image, largest_file
from stages.sources.lookup import Lookup
from stages.sources.packed import archives_in, refusing, tar_members
from stages.sources.steady import stamp, steady
from stages.sources.tree import Entry, Kind, Tree, tree_source
from stages.sources.zips import Member, Zip

_SAYS_UTF_8 = 0x800  # APPNOTE.TXT 6.3.10, section 4.4.4, bit 11


class Options(Section):
    max_ratio: Positive = Field(100.0, description="times its own size that an archive may unpack to (or it is a bomb)")


def names_tell(params: Ingest) -> bool:
    """True for a zip, which has a table of contents; a tar must be unpacked to its end for its names."""
    return _starts_as_zip(_archive_at(Path(params.path)))


def read(params: Ingest, options: Options) -> Source:
    """The images in the archive at `params.path`, or in the only archive of the folder there.

    Folders are classes and splits, as in source `folder`. Links, absolute names, names with '..' and encrypted members
    are refused; pipes and devices are left out. Memory: an image, and a piece of a zip's table of contents; the names
    of a zip of pairs are looked up in a temporary file.
    """
    return tree_source("archive", archive_tree(Path(params.path), params.max_pixels, options.max_ratio), params)


def archive_tree(path: Path, max_pixels: int, max_ratio: float, extensions: tuple[str, ...] = EXTENSIONS) -> Tree:
    """The files with these extensions in the archive at a path, or in the only archive of the folder there."""
    return _tree(_archive_at(path), max_pixels, max_ratio, extensions)


def _archive_at(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = archives_in(path)
    if len(found) != 1:
        some = ", ".join(file.name for file in found[:3]) or "none"
        advice = "" if found else advice_on(path, but="archive")
        raise UserError(
            "archive-ambiguous",
            f"{path} holds {len(found)} archives ({some}): {advice or 'set ingest.path to the one to read'}",
        )
    return found[0]


def _tree(path: Path, max_pixels: int, max_ratio: float, extensions: tuple[str, ...]) -> Tree:
    """The files of an archive. First bytes show if it is a zip and how a tar is packed: names are not trusted."""
    try:
        if not path.is_file():
            raise UserError("source-missing", f"{path} is not a file that exists: set ingest.path to a tar or a zip")
        zipped = _starts_as_zip(path)
    except OSError as error:
        raise UserError(
            "source-unreadable", f"{path} cannot be read ({error.strerror}): set ingest.path to a tar or a zip"
        ) from None
    if advice := advice_on(path, but="archive"):
        raise UserError("archive-without-images", f"{path} is no tar and no zip of images: {advice}")
    if zipped:
        return _Zip(path, max_pixels, max_ratio, extensions)
    return _Tar(path, max_pixels, max_ratio)


def _starts_as_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


class _Tar:
    """The members of a tar, in its order; see `tree.Tree`."""

    def __init__(self, path: Path, max_pixels: int, max_ratio: float) -> None:
        self.place = str(path)
        self._path, self._max_pixels, self._max_ratio = path, max_pixels, max_ratio

    def entries(self) -> Iterator[Entry]:
        time = partial(stamp, self._path)
        for tar, member in tar_members(self._path, self._max_ratio, largest_file(self._max_pixels)):
            name = inner_name(self.place, member.name)
            if member.issym() or member.islnk():
                raise UserError(
                    "archive-link",
                    f"{self._path}: {quoted(name)} is a link: pack it again with the files themselves (tar -h)",
                )
            kind: Kind = "file" if member.isreg() else "folder" if member.isdir() else "other"
            yield Entry(name, kind, partial(self._content, tar, member), time)

    def find(self, _: str) -> Callable[[], bytes] | None:
        raise UserError(
            "tar-in-one-go",
            f"{self._path} is a tar, which is read in one go: for pairs, and slices of DICOM, use a zip or a folder",
        )

    def advice(self) -> str:
        return ""

    def _content(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
        where = f"{self._path}: {quoted(member.name)}"
        check_size(where, member.size, self._max_pixels)
        with refusing(self._path):
            file = tar.extractfile(member)
            content = b"" if file is None else file.read()
        return checked(where, content, self._max_pixels)


class _Zip:
    """The members of a zip, in the order of its table of contents; see `tree.Tree`."""

    def __init__(self, path: Path, max_pixels: int, max_ratio: float, extensions: tuple[str, ...]) -> None:
        self.place = str(path)
        self._path, self._max_pixels, self._zip = path, max_pixels, Zip(path, max_ratio)
        self._extensions = extensions

    def entries(self) -> Iterator[Entry]:
        time = partial(stamp, self._path)
        with steady([self._path]):
            for member in self._zip.members():
                info, name = member.info, self._name(member)
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise UserError(
                        "archive-link",
                        f"{self._path}: {quoted(name)} is a link: pack it again with the files themselves",
                    )
                if info.flag_bits & 1 and is_image(name, self._extensions):
                    raise UserError(
                        "archive-encrypted",
                        f"{self._path}: {quoted(name)} is encrypted: pack it again without a password",
                    )
                yield Entry(name, _kind(info), partial(self._content, member), time)

    def find(self, name: str) -> Callable[[], bytes] | None:
        place = self._places.find(name)
        return None if place is None else partial(self._content, self._zip.member(place))

    def advice(self) -> str:
        return advice_on(self._path, but="archive")

    @cached_property
    def _places(self) -> Lookup:
        files = (member for member in self._zip.members() if _kind(member.info) == "file")
        return Lookup((self._name(member), member.place) for member in files)

    def _name(self, member: Member) -> str:
        return inner_name(self.place, _text(member.info).replace("\\", "/"))

    def _content(self, member: Member) -> bytes:
        where = f"{self._path}: {quoted(member.info.filename)}"
        check_size(where, member.info.file_size, self._max_pixels)
        with refusing(self._path), member.open() as file:
            content = file.read()
        return checked(where, content, self._max_pixels)


def _text(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: macOS packs UTF-8 without the flag for it, so zipfile reads code page 437."""
    if info.flag_bits & _SAYS_UTF_8 or info.filename.isascii():
        return info.filename
    with suppress(UnicodeError):
        return info.filename.encode("cp437").decode()
    return info.filename


def _kind(info: zipfile.ZipInfo) -> Kind:
    return "folder" if info.filename.endswith(("/", "\\")) else "file"
