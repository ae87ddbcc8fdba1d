"""A tree of images: one folder a class, or one folder of images without labels.

Known shapes, `*` being images, at any depth below a class:
    root/*    root/CLASS/*    root/{train,test}/*    root/{train,test}/CLASS/*    and each inside one more folder.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.pictures import TooManyPixelsError, open_picture
from stages.sources import NOT_STATED, RawImage, Source

_EXTENSIONS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_TEST_NAMES = {"test", "val", "valid", "validation"}
_MAC_LEFTOVER = "__MACOSX"  # what macOS adds to a zip archive
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # the last are bytes that Python could not decode
_LARGEST_FILE = 2**31 - 1  # bytes that one value of a Parquet column can hold


@dataclass(frozen=True)
class _Listing:
    """What is in a folder, by name, hidden entries left out."""

    images: list[Path]
    folders: list[Path]
    others: list[Path]


@dataclass(frozen=True)
class _Group:
    """A folder whose images, at any depth, have one class and one split."""

    folder: Path
    class_name: str | None
    split: str | None


def read(params: Ingest) -> Source:
    """The images under `params.path`, as they came; keys are paths inside it.

    Links are followed. Raises UserError on a tree that cannot be read as classes, a loop of links, a class without
    images, and an image whose header says more than `params.max_pixels`. An image that cannot be decoded is let
    through: normalize counts those.
    """
    root = Path(params.path)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder that exists: set ingest.path to a folder of images")
    groups = _groups(root)
    classes = _class_names(groups)
    notes: list[str] = []
    return Source("folder", NOT_STATED, params.path, classes, _images(root, groups, classes, params, notes), notes)


def _groups(root: Path) -> list[_Group]:
    base = _without_wrapper(root)
    names = {folder.name for folder in _listing(base).folders}
    test_names = names & _TEST_NAMES
    if "train" not in names or not test_names or names - {"train"} - _TEST_NAMES:
        return _groups_in(base, None)
    if len(test_names) > 1:
        raise UserError(
            f"{base} holds {', '.join(sorted(names))}, which are splits, not classes: keep train and one other"
        )
    return _groups_in(base / "train", "train") + _groups_in(base / test_names.pop(), "test")


def _without_wrapper(root: Path) -> Path:
    """The only folder in `root`, where that is a mere wrapper: it too holds nothing but folders."""
    top = _listing(root)
    if len(top.folders) == 1 and not top.images:
        inner = _listing(top.folders[0])
        if inner.folders and not inner.images:
            return top.folders[0]
    return root


def _groups_in(base: Path, split: str | None) -> list[_Group]:
    listing = _listing(base)
    if listing.images and listing.folders:
        raise UserError(
            f"{base} holds both images ({listing.images[0].name!r}) and folders ({listing.folders[0].name!r}): "
            "keep either folders, one a class, or images without labels"
        )
    if not listing.folders:
        return [_Group(base, None, split)]
    return [_Group(folder, folder.name, split) for folder in listing.folders]


def _class_names(groups: list[_Group]) -> list[str] | None:
    names = {group.class_name for group in groups if group.split != "test"}
    for group in groups:
        if group.class_name not in names:
            raise UserError(f"{group.folder} has no counterpart in the train folder: both need the same classes")
    known = sorted(name for name in names if name is not None)
    return known or None


def _images(
    root: Path, groups: list[_Group], classes: list[str] | None, params: Ingest, notes: list[str]
) -> Iterator[RawImage]:
    others = _others_above(root, groups)
    seen = _above(groups)
    for group in groups:
        label = classes.index(group.class_name) if classes and group.class_name else None
        count = 0
        for listing in _walk(group.folder, seen):
            others += listing.others
            count += len(listing.images)
            for path in listing.images:
                content = _content(path, params.max_pixels)
                yield RawImage(path.relative_to(root).as_posix(), path.name, content, label, group.split)
        if not count:
            raise UserError(f"{group.folder} holds no images ({_known()}): add some, or remove the folder")
    if others:
        notes.append(f"left out {len(others)} files that are not images by their name, such as {others[0]}")


def _others_above(root: Path, groups: list[_Group]) -> list[Path]:
    folders = {folder for group in groups for folder in group.folder.parents if folder.is_relative_to(root)}
    return [path for folder in sorted(folders) for path in _listing(folder).others]


def _above(groups: list[_Group]) -> dict[tuple[int, int], Path]:
    """The folders that hold the groups, up to the file system's root: a link to one of them is a loop."""
    parents = {Path(os.path.abspath(group.folder)).parent.resolve() for group in groups}
    return {_identity(folder): folder for parent in parents for folder in (parent, *parent.parents)}


def _walk(top: Path, seen: dict[tuple[int, int], Path]) -> Iterator[_Listing]:
    """What is in `top` and in all folders below, in the order of names; `seen` is where one has been."""
    stack = [top]
    while stack:
        folder = stack.pop()
        before = seen.setdefault(_identity(folder), folder)
        if before is not folder:
            raise UserError(
                f"{folder} leads back to {before} (a loop of links, or a second link to it): remove the link"
            )
        listing = _listing(folder)
        yield listing
        stack.extend(reversed(listing.folders))


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror})") from None
    return status.st_dev, status.st_ino


def _listing(folder: Path) -> _Listing:
    listing = _Listing([], [], [])
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if not entry.name.startswith(".") and entry.name != _MAC_LEFTOVER:
                    _kind(entry, listing).append(folder / entry.name)
    except OSError as error:  # no permission, a link to itself, a name too long
        raise UserError(f"{error.filename or folder} cannot be read ({error.strerror})") from None
    return listing


def _kind(entry: os.DirEntry[str], listing: _Listing) -> list[Path]:
    if _UNPRINTABLE.search(entry.name):
        raise UserError(f"{entry.path!a} has a name with control characters, or not in UTF-8: rename it")
    if entry.is_dir():
        return listing.folders
    if entry.is_file():
        return listing.images if os.path.splitext(entry.name)[1].lower() in _EXTENSIONS else listing.others
    if entry.is_symlink():
        raise UserError(f"{entry.path} is a link to nothing: remove or mend it")
    return listing.others  # a pipe, a socket, a device: never opened


def _content(path: Path, max_pixels: int) -> bytes:
    try:
        if path.stat().st_size > min(8 * max_pixels + 2**20, _LARGEST_FILE):  # RGBA in 16 bits, not compressed
            raise UserError(f"{path} is larger than an image of ingest.max_pixels ({max_pixels}) can be: remove it")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    try:
        open_picture(content, max_pixels)
    except TooManyPixelsError as error:
        raise UserError(f"{path} says it has {error} (ingest.max_pixels): remove it, or raise that limit") from None
    except Exception:  # Pillow raises nearly anything on a damaged header
        pass
    return content


def _known() -> str:
    return "known by " + " ".join(sorted(_EXTENSIONS))
