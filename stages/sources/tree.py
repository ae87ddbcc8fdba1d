"""Named files as a source, wherever they are: one folder a class, labels in a table beside them, or no labels.

`layout` has the known shapes of trees, `tables` the known tables. The tree is read twice, names first, so that no list
of files is in memory.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from stages.common.errors import UserError, counted
from stages.common.params import Ingest
from stages.media.images import Images
from stages.media.medium import Medium
from stages.sources import NOT_STATED, RawImage, Source, films
from stages.sources.domains import of_domains
from stages.sources.labels import with_table
from stages.sources.layout import CONVERT, DEEPEST, Groups, Parts, Survey, classes_of, groups_of
from stages.sources.limits import EXTENSIONS, is_image
from stages.sources.names import needs_no_word, of_system, parts_of
from stages.sources.steady import changed
from stages.sources.tables import NAMES, Found, labels_among

Kind = Literal["file", "folder", "other"]


class Entry(NamedTuple):
    """A file or folder in a tree."""

    name: str
    """Composed parts joined by single slashes, as from `limits.inner_name`."""
    kind: Kind
    content: Callable[[], bytes]
    """Reads the file; to be called before the next entry is asked for."""
    stamp: Callable[[], str]
    """See `RawImage.stamp`."""
    key: str = ""
    """The image's key, if that is not the entry's name."""


class Tree(Protocol):
    """Files by name, in the same order each time."""

    place: str
    """Its name in messages."""

    def entries(self) -> Iterator[Entry]:
        """All files and folders; raises UserError if they cannot be read."""

    def find(self, name: str) -> Callable[[], bytes] | None:
        """A reader for the file of a composed name, out of order; None if there is none."""

    def advice(self) -> str:
        """The end of the error on a tree without images: which source may read it, if any."""


@dataclass(frozen=True)
class Wanted:
    """Which files of a tree are taken."""

    medium: Medium
    extensions: tuple[str, ...]


PICTURES = Wanted(Images(), EXTENSIONS)
SCENES = Wanted(Images(), (*EXTENSIONS, *films.ENDINGS))
"""Files whose frames are taken (`ingest.scenes`)."""


def tree_source(name: str, tree: Tree, params: Ingest, readers: int = 1, wanted: Wanted | None = None) -> Source:
    """The images of a tree, unchanged; keys are names inside it, in Unicode's form NFC.

    With `params.labels`, neither folders nor tables are classes. With `params.pairs`, images are in its first folder,
    their partners in the second, and their maps in the folders after that. With `params.domains` there are two domains
    (`domains`). Raises UserError on a tree that cannot be read as classes, a class without images, an image without a
    label in the table, and an image without its partner.
    """
    wanted = wanted or (PICTURES if params.scenes is None else SCENES)
    if params.domains is not None:
        one = params.model_copy(update={"domains": None})
        return of_domains(tree, params.domains, lambda domain: tree_source(name, domain, one, readers, wanted))
    maps = 0 if params.pairs is None else params.pairs.maps
    if maps and not wanted.medium.of_pictures:
        raise UserError(
            "maps-of-pictures",
            f"ingest.pairs names {2 + maps} folders, and only pictures have maps, not {wanted.medium.words.many}: name "
            "two",
        )
    survey, partners = _survey(tree, params, wanted)
    place = _full_path(tree, _top(params))
    found = labels_among(place, survey.tables) if params.labels is None else Found(None, False, [])
    groups, said = groups_of(place, survey, found.folders_are_classes)
    for parts in groups:
        if not survey.images[parts]:
            known = f"known by {' '.join(sorted(wanted.extensions))}"
            raise UserError(
                "source-without-images",
                f"{'/'.join([place, *parts])} holds no {wanted.medium.words.many} ({known})"
                f"{_instead(tree, survey, parts, wanted)}",
            )
    classes = classes_of(groups)
    count = sum(survey.images[parts] for parts in groups)
    images = _images(tree, params, groups, classes, count, wanted=wanted)
    paired = params.pairs is not None
    by_class = Counter[str]()
    for parts, group in groups.items():
        if group.class_name is not None and found.labels is None:
            by_class[group.class_name] += survey.images[parts]
    has_split = any(group.split for group in groups.values())
    source = Source(
        name, NOT_STATED, tree.place, classes, images, _notes(survey, partners, count, paired, wanted), count=count,
        medium=wanted.medium, class_counts=by_class, paired=paired, maps=maps, readers=readers, has_split=has_split,
        layout=[*found.said, *said],
    )  # fmt: skip
    return source if found.labels is None else with_table(source, found.labels, params)


def _instead(tree: Tree, survey: Survey, parts: Parts, wanted: Wanted) -> str:
    """What a folder without images has in their place, and what to do."""
    skipped = survey.skipped
    if wanted.medium.of_pictures and (pictures := skipped.pictures(parts)):
        return f", but {pictures}: {CONVERT}"
    if survey.images[()] or not (advice := tree.advice()):
        return ": add some, or remove the folder"
    only = f", only {counted(skipped.strange, 'file')} such as {skipped.first_strange}" if skipped.strange else ""
    return f"{only}: {advice}"


def _notes(survey: Survey, partners: int, count: int, paired: bool, wanted: Wanted) -> list[str]:
    notes = [*survey.left_out.notes(), *survey.skipped.notes(wanted.medium.words, wanted.medium.of_pictures)]
    if paired and partners > count:
        notes.append(f"left out {counted(partners - count, 'image')} of the second folder, nobody's partner")
    return notes


def _full_path(tree: Tree, top: Parts) -> str:
    return "/".join([tree.place.rstrip("/"), *top])


def _top(params: Ingest) -> Parts:
    """The folder whose images are read."""
    return () if params.pairs is None else parts_of(params.pairs.folders[0])


def _below(top: Parts, parts: Parts) -> bool:
    return parts[: len(top)] == top


def _survey(tree: Tree, params: Ingest, wanted: Wanted) -> tuple[Survey, int]:
    """What is known from the names of the images, and how many images there are for partners."""
    survey, partners, top, named_in_params = Survey(), 0, _top(params), _tables(params)
    second = None if params.pairs is None else parts_of(params.pairs.folders[1])
    for entry in tree.entries():
        parts = parts_of(entry.name)
        if survey.left_out.takes(tree.place.rstrip("/"), parts):
            continue
        image = entry.kind == "file" and is_image(entry.name, wanted.extensions)
        if entry.kind == "folder" or image:
            if _below(top, parts):
                survey.add(parts[len(top) :], image)
            elif image and second is not None and _below(second, parts):
                partners += 1
        elif params.labels is None and _is_table(entry, parts, top):
            survey.tables[parts[len(top) :]] = entry.content()
        elif not needs_no_word(parts[-1]) and not {entry.name, _full_path(tree, parts)} & named_in_params:
            inner = parts[len(top) :] if _below(top, parts) else parts[-1:]
            survey.skipped.add(_full_path(tree, parts), inner, is_image(entry.name, wanted.extensions))
    return survey, partners


def _tables(params: Ingest) -> set[str]:
    """The tables beside the images that params name, which are read, though they are no images."""
    files = [section.file for section in (params.attributes, params.groups) if section is not None]
    return {os.path.normpath(file) for file in (params.labels, *files) if file}


def _is_table(entry: Entry, parts: Parts, top: Parts) -> bool:
    inner = len(parts) - len(top)
    return entry.kind == "file" and _below(top, parts) and 0 < inner <= DEEPEST and parts[-1].lower() in NAMES


def _images(
    tree: Tree, params: Ingest, groups: Groups, classes: list[str] | None, count: int, *, wanted: Wanted
) -> Iterator[RawImage]:
    top = _top(params)
    index = {name: label for label, name in enumerate(classes or [])}
    for entry in tree.entries():
        parts = parts_of(entry.name)
        taken = entry.kind == "file" and is_image(entry.name, wanted.extensions) and _below(top, parts)
        if not taken or any(map(of_system, parts)):
            continue
        inner = parts[len(top) :]
        group = next((groups[inner[:n]] for n in range(min(len(inner), DEEPEST + 1)) if inner[:n] in groups), None)
        count -= 1
        if group is None or count < 0:
            raise changed(tree.place)  # such images were not there when the names were read
        label = None if group.class_name is None else index[group.class_name]
        others = [] if params.pairs is None else params.pairs.folders[1:]
        beside = [_partner(tree, parts_of(other), parts, inner, wanted) for other in others]
        partner = beside[0] if beside else None
        key = entry.key or "/".join(inner)
        yield RawImage(
            key, inner[-1], entry.content, label, group.split, partner, entry.stamp(), maps=tuple(beside[1:])
        )
    if count:
        raise changed(tree.place)


def _partner(tree: Tree, second: Parts, parts: Parts, inner: Parts, wanted: Wanted) -> Callable[[], bytes]:
    """A reader for the file of the same name in another folder."""
    name = "/".join((*second, *inner))
    found = named(tree, name, wanted.extensions)
    if found is None:
        raise UserError(
            "partner-missing",
            f"{_full_path(tree, parts)} has no partner {_full_path(tree, (name,))}: add it, or remove the image",
        )
    return found


def named(tree: Tree, name: str, extensions: tuple[str, ...]) -> Callable[[], bytes] | None:
    """A reader for the file of that name, perhaps with another extension; None if there is none."""
    stem = name.rpartition(".")[0]
    others = (f"{stem}{extension}" for each in extensions for extension in (each, each.upper()))
    return next((found for one in (name, *others) if (found := tree.find(one)) is not None), None)
