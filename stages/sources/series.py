"""Slices of DICOM in a tree: each series becomes one file with all its slices; see `stages.media.slices`.

A folder with the slices of one patient becomes one file, so that the folder above it, with other patients' files, may
be a class. A folder with slices of several patients has a file for each series in it.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import sha256

from stages.common.errors import UserError, counted
from stages.common.readers import require_reader
from stages.media.endings import SLICES
from stages.media.slices import READERS, Slice, is_slice, packed, slice_of
from stages.sources import RawImage
from stages.sources.limits import check_size
from stages.sources.names import of_system
from stages.sources.steady import changed
from stages.sources.tree import Entry, Tree

_NUMBERED = re.compile(r"[^.]+|.*\.\d+")
"""Names of DICOM files without an ending: IM0001, or 1.2.840.10008.1."""


@dataclass
class _Found:
    """The slices of one series in a folder."""

    patient: str | None
    """The patient's id; None for a file that cannot be read."""
    names: list[str] = field(default_factory=list)
    stamps: list[Callable[[], str]] = field(default_factory=list)

    def stamp(self) -> str:
        return sha256(" ".join(stamp() for stamp in self.stamps).encode()).hexdigest()


@dataclass
class _Known:
    """What is known of the slices in a tree."""

    series: dict[str, _Found] = field(default_factory=dict)
    """Each series by its name as a file."""
    slices: set[str] = field(default_factory=set)
    without_pixels: set[str] = field(default_factory=set)
    """Names of DICOM files without pictures: reports, plans, tables of contents."""
    folders: set[str] = field(default_factory=set)
    """Folders that became files."""


class Series:
    """A tree whose slices are joined; see `tree.Tree`. Raises UserError on a series in several folders."""

    def __init__(self, tree: Tree, max_pixels: int) -> None:
        self.place = tree.place
        self._tree, self._max_pixels = tree, max_pixels

    @property
    def of_several_patients(self) -> bool:
        return len(_patients(self._known.series.values())) > 1

    @property
    def said(self) -> list[str]:
        """How slices were understood."""
        found = self._known.series.values()
        slices = counted(sum(len(one.names) for one in found), "slice")
        patients = counted(len(_patients(found)), "patient")
        return [f"joined {slices} of DICOM to {len(found)} series of {patients}"] if found else []

    def entries(self) -> Iterator[Entry]:
        known = self._known
        for entry in self._tree.entries():
            if entry.name in known.slices or (entry.kind == "folder" and entry.name in known.folders):
                continue
            yield entry._replace(kind="other") if entry.name in known.without_pixels else entry
        for name, found in sorted(known.series.items()):
            yield Entry(name, "file", partial(self._content, name, found), found.stamp)

    def find(self, name: str) -> Callable[[], bytes] | None:
        return self._tree.find(name)

    def advice(self) -> str:
        return self._tree.advice()

    def by_patient(self, images: Iterator[RawImage]) -> Iterator[RawImage]:
        """The images; if there are several patients, the group of a joined volume is its patient."""
        for image in images:
            found = self._known.series.get(image.key) if self.of_several_patients else None
            yield image if found is None else replace(image, group=found.patient)

    def _content(self, name: str, found: _Found) -> bytes:
        content = packed(map(self._slice, found.names))
        check_size(f"{self.place}/{name}", len(content), self._max_pixels)
        return content

    def _slice(self, name: str) -> bytes:
        read = self._tree.find(name)
        if read is None:
            raise changed(f"{self.place}/{name}")
        return read()

    @cached_property
    def _known(self) -> _Known:
        known, folders, by_folder = _Known(), dict[str, str](), dict[str, dict[str, _Found]]()
        for entry, said in _slices_in(self._tree):
            if said is not None and not said.has_pixels:
                known.without_pixels.add(entry.name)
                continue
            folder, _, name = entry.name.rpartition("/")
            series, patient = (name, None) if said is None else (said.series, said.patient)
            if said is not None and (other := folders.setdefault(series, folder)) != folder:
                raise UserError(
                    "series-in-two-folders",
                    f"{self.place}: slices of one series lie in two folders, {other or '.'} and {folder or '.'}: put "
                    "all of them into one, or take the copy out",
                )
            found = by_folder.setdefault(folder, {}).setdefault(series, _Found(patient))
            found.names.append(entry.name)
            found.stamps.append(entry.stamp)
            known.slices.add(entry.name)
        for folder, of_folder in by_folder.items():
            stands_for_it = bool(folder) and len(_patients(of_folder.values())) <= 1
            known.folders |= {folder} if stands_for_it else set()
            known.series |= _named(folder if stands_for_it else f"{folder}/series".lstrip("/"), of_folder)
        return known


def _patients(series: Iterable[_Found]) -> set[str]:
    return {one.patient for one in series if one.patient is not None}


def _slices_in(tree: Tree) -> Iterator[tuple[Entry, Slice | None]]:
    """DICOM files, each with its header as a `Slice`; None if it cannot be read."""
    for entry in tree.entries():
        *above, name = entry.name.split("/")
        if entry.kind != "file" or any(map(of_system, (*above, name))):
            continue
        by_name = name.lower().endswith(SLICES)
        if by_name or _NUMBERED.fullmatch(name):
            content = entry.content()
            if by_name or is_slice(content):
                require_reader(*READERS)
                yield entry, slice_of(content)


def _named(begin: str, series: dict[str, _Found]) -> dict[str, _Found]:
    """Each series by its name as a file, numbered if there are several; unreadable files keep their names."""
    readable = [one for one in series.values() if one.patient is not None]
    digits = len(str(len(readable)))
    numbers = [f"-{number:0{digits}d}" for number in range(1, len(readable) + 1)] if readable[1:] else [""]
    named = {f"{begin}{number}{SLICES[0]}": one for number, one in zip(numbers, readable, strict=False)}
    broken = {f"{begin}-{name}": one for name, one in series.items() if one.patient is None}
    return named | {name if name.lower().endswith(SLICES) else name + SLICES[0]: one for name, one in broken.items()}
