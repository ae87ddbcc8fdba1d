"""What the names of a tree mean: which folders are splits, which are classes, and where that was a choice.

Known shapes, `*` being images, at any depth below a class:
    root/*    root/CLASS/*    root/SPLIT/*    root/SPLIT/CLASS/*    root/CLASS/SPLIT/*    and each in one more folder.
"""

import os
from collections import Counter
from dataclasses import dataclass, field

from stages.common.errors import UserError, counted
from stages.media.medium import Words
from stages.sources.limits import NOT_READ
from stages.sources.names import LeftOut, Split, in_order, split_of, splits_read

DEEPEST = 3
"""A wrapper, a split, a class: deeper folders mean nothing."""

CONVERT = "convert them to JPEG or PNG"
_ALL = "took {} for all there is, as no folder is named as held out beside one to train on"

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """What the images of a folder, at any depth, have in common."""

    class_name: str | None
    split: Split | None


class Skipped:
    """Counts files beside the images that are not taken, and those of them that are pictures of kinds not read."""

    def __init__(self) -> None:
        self.strange, self.first_strange = 0, ""
        self._empty, self._first_empty = 0, ""
        self._pictures: Counter[tuple[Parts, str]] = Counter()

    def add(self, path: str, parts: Parts, named_so: bool) -> None:
        """Count a file; `named_so`: its extension is right, but it is a pipe, say. `parts`: its name in the tree."""
        if named_so:
            self._empty, self._first_empty = self._empty + 1, self._first_empty or path
            return
        self.strange, self.first_strange = self.strange + 1, self.first_strange or path
        extension = os.path.splitext(parts[-1])[1].lower()
        if extension in NOT_READ:
            for depth in range(min(len(parts) - 1, DEEPEST) + 1):
                self._pictures[parts[:depth], extension] += 1

    def pictures(self, folder: Parts = ()) -> str:
        """The pictures below a folder that are not read, in words: 200 .heic and 1 .psd."""
        found = sorted((extension, count) for (parts, extension), count in self._pictures.items() if parts == folder)
        return " and ".join(f"{count:,} {extension}" for extension, count in found)

    def notes(self, words: Words, of_pictures: bool) -> list[str]:
        found = []
        if self.strange:
            files, pictures = counted(self.strange, "file"), self.pictures() if of_pictures else ""
            named = f"{self.first_strange}{f' ({pictures}: {CONVERT})' if pictures else ''}"
            found.append(f"skipped {files} whose extension is not that of {words.a}, such as {named}")
        if self._empty:
            found.append(f"skipped {counted(self._empty, 'file')} without {words.a} in it, such as {self._first_empty}")
        return found


@dataclass
class Survey:
    """What is known from the names, without a list of them."""

    images: Counter[Parts] = field(default_factory=lambda: Counter({(): 0}))
    """How many images are, at any depth, below each of the upper folders."""
    direct: dict[Parts, str] = field(default_factory=dict)
    """For each folder, an image directly in it, if there is one."""
    tables: dict[Parts, bytes] = field(default_factory=dict)
    """Files that may hold labels; see `tables`."""
    left_out: LeftOut = field(default_factory=LeftOut)
    skipped: Skipped = field(default_factory=Skipped)

    def add(self, parts: Parts, image: bool) -> None:
        """Count an image, or a folder."""
        folder = parts[:-1] if image else parts
        for depth in range(min(len(folder), DEEPEST) + 1):
            self.images[folder[:depth]] += image
        if image and len(folder) < DEEPEST:
            self.direct.setdefault(folder, parts[-1])

    def folders(self, above: Parts) -> list[str]:
        return sorted(parts[-1] for parts in self.images if len(parts) == len(above) + 1 and parts[:-1] == above)


Groups = dict[Parts, Group]


def groups_of(place: str, survey: Survey, by_folder: bool) -> tuple[Groups, list[str]]:
    """The groups of images by their folder, and sentences on how ambiguous names were understood.

    Without `by_folder` folders are no classes. Raises UserError on folders that are neither splits nor classes.
    """
    return _Reading(place, survey, by_folder).groups()


class _Reading:
    def __init__(self, place: str, survey: Survey, by_folder: bool) -> None:
        self._place, self._survey, self._by_folder = place, survey, by_folder
        self._said: list[str] = []

    def groups(self) -> tuple[Groups, list[str]]:
        base = self._without_wrapper()
        names = self._survey.folders(base)
        of_splits = [name for name in names if split_of(name)]
        if names and len(of_splits) == len(names):
            return self._by_split(base, names), self._said
        if base and split_of(base[0]):
            self._said.append(_ALL.format(base[0]))
        elif base and self._by_folder:
            self._said.append(
                f"took {self._full_path(base)} for no class, as it is the only folder and holds folders alone"
            )
        if of_splits and self._by_folder:
            other = next(name for name in names if name not in of_splits)
            self._said.append(f"took {' and '.join(of_splits)} for classes, as there is also {other}")
        found = self._splits_in_classes(base, names) or self._of_classes(base, None)
        return found, self._said

    def _without_wrapper(self) -> Parts:
        """The only folder of the tree, if it is only a wrapper, which also has nothing but folders."""
        survey = self._survey
        top = survey.folders(())
        if len(top) != 1 or () in survey.direct:
            return ()
        inner = (top[0],)
        if inner in survey.direct or not survey.folders(inner):
            return ()
        return inner

    def _by_split(self, base: Parts, names: list[str]) -> Groups:
        kinds = {split_of(name) for name in names}
        if kinds == {"test"} and len(names) > 1:
            raise UserError(
                "split-without-training",
                f"{self._full_path(base)} holds {' and '.join(names)}, which are held out, and nothing to train on: "
                "name that folder train",
            )
        if base in self._survey.direct:
            raise UserError(
                "layout-mixed",
                f"{self._full_path(base)} holds both images ({self._survey.direct[base]!r}) and the folders of splits "
                f"({', '.join(names)}): move the images into one of them",
            )
        official = len(kinds) == 2
        if official:
            self._said.append(splits_read(names))
        else:
            self._said.append(_ALL.format(" and ".join(names)))
        groups: Groups = {}
        for name in sorted(names, key=lambda name: split_of(name) != "train"):
            found = self._of_classes((*base, name), split_of(name) if official else None)
            if groups:
                self._check_counterparts(groups, found)
            groups |= found
        return groups

    def _check_counterparts(self, before: Groups, found: Groups) -> None:
        """Check that the holdout has no classes of its own; a second folder to train on may, if the first has some.

        If training images have classes, images of the holdout outside a class's folder have no label.
        """
        known = {group.class_name for group in before.values()}
        for parts, group in found.items():
            may_be_new = None not in known and (group.split == "test") == (group.class_name is None)
            if group.class_name not in known and not may_be_new:
                raise UserError(
                    "split-classes-differ",
                    f"{self._full_path(parts)} has no counterpart in the train folder: both need the same classes",
                )

    def _of_classes(self, base: Parts, split: Split | None) -> Groups:
        folders, direct = self._survey.folders(base), self._survey.direct
        if not self._by_folder or not folders:
            return {base: Group(None, split)}
        if base in direct:
            raise UserError(
                "layout-mixed",
                f"{self._full_path(base)} holds both images ({direct[base]!r}) and folders ({folders[0]!r}): "
                "keep either folders, one a class, or images without labels",
            )
        return {(*base, name): Group(name, split) for name in folders}

    def _splits_in_classes(self, base: Parts, names: list[str]) -> Groups:
        """The groups of a tree in which each class has its own folders of splits; else empty."""
        if not self._by_folder or base in self._survey.direct:
            return {}
        inside = {name: self._survey.folders((*base, name)) for name in names}
        found = {inner for folders in inside.values() for inner in folders if split_of(inner)}
        if {split_of(inner) for inner in found} != {"train", "test"}:
            return {}
        for name, folders in inside.items():
            if (*base, name) in self._survey.direct or not folders or not all(map(split_of, folders)):
                some, place = " and ".join(sorted(found)), self._full_path((*base, name))
                self._said.append(f"took {some} for no splits, as not all of {place} is in such")
                return {}
        self._said.append(f"{splits_read(found)}, in each class")
        return {
            (*base, name, inner): Group(name, split_of(inner)) for name, folders in inside.items() for inner in folders
        }

    def _full_path(self, parts: Parts) -> str:
        return "/".join([self._place, *parts])


def classes_of(groups: Groups) -> list[str] | None:
    """The names of the classes, by label; None without classes."""
    return in_order({group.class_name for group in groups.values() if group.class_name is not None}) or None
