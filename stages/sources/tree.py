"""Named files as a source, wherever they are: one folder a class, or images without labels.

Known shapes, `*` being images, at any depth below a class:
    root/*    root/CLASS/*    root/{train,test}/*    root/{train,test}/CLASS/*    and each inside one more folder.
The files are gone through twice, names first, so that no list of them is held.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.sources import NOT_STATED, RawImage, Source
from stages.sources.limits import EXTENSIONS, is_image
from stages.sources.steady import changed

_TEST_NAMES = {"test", "val", "valid", "validation"}
_MAC_LEFTOVER = "__MACOSX"  # what macOS adds to a zip archive
_DEEPEST = 3  # a wrapper, a split, a class: no folder below decides anything

Parts = tuple[str, ...]
Kind = Literal["file", "folder", "other"]


class Entry(NamedTuple):
    """What has a name in a tree."""

    name: str
    """Parts between single slashes, by `limits.inner_name`."""
    kind: Kind
    content: Callable[[], bytes]
    """Of a file, to be called before the next entry is asked for."""
    stamp: Callable[[], str]
    """See RawImage."""


class Tree(Protocol):
    """Files by name, in the same order each time."""

    place: str
    """What to call it."""

    def entries(self) -> Iterator[Entry]:
        """All that is there; raises UserError where it cannot be read."""

    def find(self, name: str) -> Callable[[], bytes] | None:
        """What reads one file, out of order; None where there is none."""


@dataclass(frozen=True)
class _Group:
    """What the images of a folder, at any depth, have in common."""

    class_name: str | None
    split: str | None


@dataclass
class _Survey:
    """What the names tell, without a list of them."""

    images: Counter[Parts] = field(default_factory=Counter)
    """At any depth below each of the upper folders."""
    direct: dict[Parts, str] = field(default_factory=dict)
    """An image that lies directly in a folder."""
    others: int = 0
    other: str = ""

    def folders(self, above: Parts) -> list[str]:
        return sorted(parts[-1] for parts in self.images if len(parts) == len(above) + 1 and parts[:-1] == above)


def tree_source(name: str, tree: Tree, params: Ingest, readers: int = 1) -> Source:
    """The images of a tree, as they came; keys are names inside it.

    With `params.labels` folders are no classes; with `params.pairs` images are those of its first folder, and each
    has its partner in the second. Raises UserError on a tree that cannot be read as classes, a class without images,
    and an image without its partner.
    """
    survey, partners = _survey(tree, params)
    place = _shown(tree, _top(params))
    groups = _groups(place, survey, by_folder=params.labels is None)
    for parts in groups:
        if not survey.images[parts]:
            where = "/".join([place, *parts])
            raise UserError(
                f"{where} holds no images (known by {' '.join(sorted(EXTENSIONS))}): add some, or remove the folder"
            )
    classes = sorted({group.class_name for group in groups.values() if group.class_name is not None}) or None
    count = sum(survey.images[parts] for parts in groups)
    images = _images(tree, params, groups, classes, count)
    paired = params.pairs is not None
    return Source(
        name, NOT_STATED, tree.place, classes, images, _notes(survey, partners, count, paired), count=count,
        paired=paired, readers=readers,
    )  # fmt: skip


def _notes(survey: _Survey, partners: int, count: int, paired: bool) -> list[str]:
    notes = []
    if survey.others:
        notes.append(f"left out {survey.others} files that are not images by their name, such as {survey.other}")
    if paired and partners > count:
        notes.append(f"left out {partners - count} images of the second folder that are nobody's partner")
    return notes


def _shown(tree: Tree, top: Parts) -> str:
    return "/".join([tree.place.rstrip("/"), *top])


def _top(params: Ingest) -> Parts:
    """The folder whose images are read."""
    return () if params.pairs is None else _parts(params.pairs.folders[0])


def _parts(name: str) -> Parts:
    return tuple(part for part in name.split("/") if part)


def _below(top: Parts, parts: Parts) -> bool:
    return parts[: len(top)] == top


def _survey(tree: Tree, params: Ingest) -> tuple[_Survey, int]:
    """What the names of the images tell, and how many images there are for partners."""
    survey, partners, top = _Survey(), 0, _top(params)
    second = None if params.pairs is None else _parts(params.pairs.folders[1])
    survey.images[()] = 0
    for entry in tree.entries():
        parts = _parts(entry.name)
        if _hidden(parts):
            continue
        image = entry.kind == "file" and is_image(entry.name)
        if entry.kind != "folder" and not image:
            survey.others, survey.other = survey.others + 1, survey.other or _shown(tree, parts)
        elif _below(top, parts):
            _count(survey, parts[len(top) :], image)
        elif image and second is not None and _below(second, parts):
            partners += 1
    return survey, partners


def _hidden(parts: Parts) -> bool:
    return any(part.startswith(".") or part == _MAC_LEFTOVER for part in parts)


def _count(survey: _Survey, parts: Parts, image: bool) -> None:
    folder = parts[:-1] if image else parts
    for depth in range(min(len(folder), _DEEPEST) + 1):
        survey.images[folder[:depth]] += image
    if image and len(folder) < _DEEPEST:
        survey.direct.setdefault(folder, parts[-1])


def _groups(place: str, survey: _Survey, by_folder: bool) -> dict[Parts, _Group]:
    base = _without_wrapper(survey)
    names = set(survey.folders(base))
    test_names = names & _TEST_NAMES
    if "train" not in names or not test_names or names - {"train"} - _TEST_NAMES:
        return _groups_in(place, survey, base, None, by_folder)
    if len(test_names) > 1:
        where = "/".join([place, *base])
        raise UserError(
            f"{where} holds {', '.join(sorted(names))}, which are splits, not classes: keep train and one other"
        )
    test = (*base, test_names.pop())
    groups = _groups_in(place, survey, (*base, "train"), "train", by_folder)
    known = {group.class_name for group in groups.values()}
    for parts, group in _groups_in(place, survey, test, "test", by_folder).items():
        if group.class_name not in known:
            where = "/".join([place, *parts])
            raise UserError(f"{where} has no counterpart in the train folder: both need the same classes")
        groups[parts] = group
    return groups


def _without_wrapper(survey: _Survey) -> Parts:
    """The only folder of the tree, where that is a mere wrapper: it too holds nothing but folders."""
    top = survey.folders(())
    if len(top) == 1 and () not in survey.direct:
        inner = (top[0],)
        if survey.folders(inner) and inner not in survey.direct:
            return inner
    return ()


def _groups_in(place: str, survey: _Survey, base: Parts, split: str | None, by_folder: bool) -> dict[Parts, _Group]:
    folders = survey.folders(base)
    if not by_folder or not folders:
        return {base: _Group(None, split)}
    if base in survey.direct:
        where = "/".join([place, *base])
        raise UserError(
            f"{where} holds both images ({survey.direct[base]!r}) and folders ({folders[0]!r}): "
            "keep either folders, one a class, or images without labels"
        )
    return {(*base, name): _Group(name, split) for name in folders}


def _images(
    tree: Tree, params: Ingest, groups: dict[Parts, _Group], classes: list[str] | None, count: int
) -> Iterator[RawImage]:
    top = _top(params)
    index = {name: label for label, name in enumerate(classes or [])}
    for entry in tree.entries():
        parts = _parts(entry.name)
        if entry.kind != "file" or not is_image(entry.name) or _hidden(parts) or not _below(top, parts):
            continue
        inner = parts[len(top) :]
        group = next((groups[inner[:n]] for n in range(min(len(inner), _DEEPEST + 1)) if inner[:n] in groups), None)
        count -= 1
        if group is None or count < 0:
            raise changed(tree.place)  # there were no such images when the names were read
        label = None if group.class_name is None else index[group.class_name]
        partner = None if params.pairs is None else _partner(tree, _parts(params.pairs.folders[1]), parts, inner)
        yield RawImage("/".join(inner), inner[-1], entry.content, label, group.split, partner, entry.stamp())
    if count:
        raise changed(tree.place)


def _partner(tree: Tree, second: Parts, parts: Parts, inner: Parts) -> Callable[[], bytes]:
    """What reads the file of the same name in the second folder; its extension may differ."""
    name = "/".join((*second, *inner))
    stem = name.rpartition(".")[0]
    for candidate in (name, *(f"{stem}{extension}" for extension in EXTENSIONS)):
        found = tree.find(candidate)
        if found is not None:
            return found
    raise UserError(f"{_shown(tree, parts)} has no partner {_shown(tree, (name,))}: add it, or remove the image")
