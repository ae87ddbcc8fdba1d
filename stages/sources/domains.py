"""Two domains in one tree, read as a tree each: what lies in the folders of a domain, without these in its names.

A domain has a folder of its own, at the top or in each split, or one for each split, as CycleGAN's data have them:
    photo/*    photo/SPLIT/*    SPLIT/photo/*    trainA/* testA/*    and each in one more folder, with classes inside.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from stages.common.errors import counted
from stages.sources.limits import is_image
from stages.sources.names import SPLITS, composed, in_order, of_system

if TYPE_CHECKING:
    from stages.sources import RawImage, Source
    from stages.sources.tree import Entry, Tree

_DEEPEST = 2
"""A wrapper and a split are above a domain's folder at most."""
_SHOWN = 4

Parts = tuple[str, ...]


def of_domains(tree: "Tree", domains: Mapping[str, str], read: Callable[["Tree"], "Source"]) -> "Source":
    """The images of both domains, the first one's first, as `read` finds them in a tree of each; keys are of `tree`.

    `domains` gives the folder of each by its name. Raises UserError as `read` does, also where a domain has no images.
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
    """The part of a tree that is of one domain; see `tree.Tree`."""

    tree: "Tree"
    name: str
    folders: Mapping[str, str]
    """Of both domains, by their names."""
    strays: int = 0
    """Images of no domain, as `entries` counted them."""
    stray: str = ""
    """One of them."""
    others: dict[str, None] = field(default_factory=dict)
    """Folders of their images, in order."""

    def __post_init__(self) -> None:
        self.place = self.tree.place

    def entries(self) -> Iterator["Entry"]:
        self.strays = 0
        for entry in self.tree.entries():
            parts = tuple(composed(part) for part in entry.name.split("/") if part)
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
        """The domain, and the names without its folder, behind the splits above it; None where it is of no domain."""
        above = parts if is_folder else parts[:-1]
        for depth in range(min(len(above), _DEEPEST + 1)):
            for name, folder in self.folders.items():
                own = tuple(composed(part) for part in folder.split("/") if part)
                if above[depth : depth + len(own)] == own:
                    return name, (*parts[:depth], *parts[depth + len(own) :])
                split = _split_before(above[depth], own[-1]) if len(own) == 1 else None
                if split is not None:
                    return name, (*parts[:depth], split, *parts[depth + 1 :])
        return None


def _split_before(name: str, folder: str) -> str | None:
    """The split in a name such as trainA; None where it is no split and this folder's name."""
    if not name.endswith(folder):
        return None
    before = name.removesuffix(folder).rstrip(" _-")
    return before if before.casefold() in SPLITS else None
