"""Two domains in one tree, each read as its own tree: the files in the domain's folders, named without these folders.

A domain has one folder, at the top or in each split, or a folder for each split, as in CycleGAN's data:
    photo/*    photo/SPLIT/*    SPLIT/photo/*    trainA/* testA/*    and each in one more folder, with classes inside.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from stages.common.errors import counted
from stages.sources.limits import is_image
from stages.sources.names import SPLITS, in_order, of_system, parts_of

if TYPE_CHECKING:
    from stages.sources import RawImage, Source
    from stages.sources.tree import Entry, Tree

_DEEPEST = 2
"""At most two folders, a wrapper and a split, are above a domain's folder."""
_SHOWN = 4

Parts = tuple[str, ...]


def of_domains(tree: "Tree", domains: Mapping[str, str], read: Callable[["Tree"], "Source"]) -> "Source":
    """The images of both domains, the first domain first, as `read` finds them in each tree; keys are those in `tree`.

    `domains` has the folder of each domain by name. Raises UserError as `read` does, and if a domain has no images.
    """
    trees = [Domain(tree, name, domains) for name in domains]
    sources = [read(one) for one in trees]
    found = {name for source in sources for name in source.classes or ()}
    classes, notes = in_order(found) or None, list[str]()
    sizes = ", ".join(
        f"{name} {counted(source.count or 0, 'image')}" for name, source in zip(domains, sources, strict=True)
    )
    layout = [f"two domains: {sizes}"]
    if trees[0].strays:
        some = f"such as {trees[0].stray}"
        notes.append(f"left out {counted(trees[0].strays, 'image')} in no folder of a domain, {some}")
    layout += dict.fromkeys(said for source in sources for said in source.layout)
    counts = [source.count or 0 for source in sources]
    images = _images(sources, classes, notes)
    return replace(
        sources[0], classes=classes, images=images, notes=notes, layout=layout, count=sum(counts), domains=list(domains)
    )


def _images(sources: list["Source"], classes: list[str] | None, notes: list[str]) -> Iterator["RawImage"]:
    index = {name: label for label, name in enumerate(classes or [])}
    for number, source in enumerate(sources):
        for image in source.images:
            label = None if image.label is None else index[(source.classes or [])[image.label]]
            yield replace(image, label=label, domain=number)
        notes.extend(note for note in source.notes if note not in notes)


@dataclass
class Domain:
    """The part of a tree that belongs to one domain; see `tree.Tree`."""

    tree: "Tree"
    name: str
    folders: Mapping[str, str]
    """The folders of both domains, by name."""
    strays: int = 0
    """How many images are of no domain, counted by `entries`."""
    stray: str = ""
    """The name of an image of no domain."""
    others: dict[str, None] = field(default_factory=dict)
    """The folders of images of no domain, in order."""

    def __post_init__(self) -> None:
        self.place = self.tree.place

    def entries(self) -> Iterator["Entry"]:
        self.strays = 0
        for entry in self.tree.entries():
            parts = parts_of(entry.name)
            if any(map(of_system, parts)):
                continue
            found = self._place(parts, entry.kind == "folder")
            if found is None:
                stray = entry.kind == "file" and is_image(entry.name)
                self.strays, self.stray = self.strays + stray, self.stray or entry.name * stray
                if stray and len(parts) > 1:
                    self.others["/".join(parts[:-1])] = None
            elif found[0] == self.name and found[1]:
                yield entry._replace(name="/".join(found[1]), key="/".join(parts))

    def find(self, name: str) -> Callable[[], bytes] | None:
        return self.tree.find(name)

    def advice(self) -> str:
        folder = self.folders[self.name]
        places = f"{folder}, train/{folder} or train{folder}"
        there = f" (images lie in {', '.join(islice(self.others, _SHOWN))})" if self.others else ""
        return f"those of the domain {self.name!r} are to lie in {places}: add them, or mend ingest.domains{there}"

    def _place(self, parts: Parts, is_folder: bool) -> tuple[str, Parts] | None:
        """The domain, and the path without its folder, after the splits above it; None if it is of no domain."""
        above = parts if is_folder else parts[:-1]
        for depth in range(min(len(above), _DEEPEST + 1)):
            for name, folder in self.folders.items():
                own = parts_of(folder)
                if above[depth : depth + len(own)] == own:
                    return name, (*parts[:depth], *parts[depth + len(own) :])
                split = _split_before(above[depth], own[-1]) if len(own) == 1 else None
                if split is not None:
                    return name, (*parts[:depth], split, *parts[depth + 1 :])
        return None


def _split_before(name: str, folder: str) -> str | None:
    """The split in a name such as trainA; None if the name is not a split before `folder`."""
    if not name.endswith(folder):
        return None
    before = name.removesuffix(folder).rstrip(" _-")
    return before if before.casefold() in SPLITS else None
