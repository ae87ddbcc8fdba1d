"""The ingested data, as far as they decide which family suits them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median

from PIL import Image

from stages.common.errors import UserError, counted
from stages.common.foresight import Known
from stages.common.params import Params
from stages.images.raw import RawSet, raw_rows, read_raw_set

_LOOKED_AT = 64
"""How many images have their size and color read."""
_SAME_RATIO = 0.02

Sides = tuple[int, ...]


@dataclass(frozen=True)
class Looks:
    """The facts about the data that decide."""

    known: Known
    images: int
    sides: Sides
    """The median size if all images have one aspect; else a square of the shorter side."""
    text: str
    source: str
    """Their source, by ingest's name."""

    @property
    def keeps_its_size(self) -> bool:
        """Whether the size cannot be chosen: it is the data's, or, for data that are no pictures, that of params."""
        return self.known.medium.shape is not None or not self.known.medium.of_pictures


def look(raw: Path, params: Params) -> Looks:
    """The facts about the data in `raw`. Raises UserError if nothing is ingested."""
    if not any(raw.glob("*.parquet")):
        raise UserError(
            "output-missing", f"{raw} holds nothing yet: `mintage run ingest` brings what params.yaml names"
        )
    found, to = read_raw_set(raw), params.normalize
    images = sum(found.counts.values())
    medium = found.medium
    shape = medium.shape
    if shape is None and not medium.of_pictures:
        shape = to.shape_of(medium.sides)
    if shape is None:
        sizes = list(_sizes(found))
        sides = _common_sides(sizes)
        shape = (3 if any(color for *_, color in sizes) else 1, to.height, to.width)
        text = f"{medium.words.many} of {_middle(sizes)} pixels, {'in color' if shape[0] > 1 else 'gray'}"
    else:
        sides, text = shape[1:], medium.words.many
    known = replace(found.known(to), shape=shape)
    return Looks(known, images, sides, f"{images:,} {text}{_conditions(found, known)}", found.source["name"])


def _sizes(found: RawSet) -> Iterator[tuple[int, int, bool]]:
    """Width, height and whether it has colors, of some images of each shard; broken ones are left out."""
    each = max(1, _LOOKED_AT // len(found.counts))
    for path in list(found.counts)[:_LOOKED_AT]:
        for row in islice(next(raw_rows(path, ["image"], each)).to_pylist(), each):
            try:
                with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
                    yield *image.size, image.mode not in ("1", "L", "LA", "F", "I", "I;16")
            except OSError:
                continue


def _common_sides(sizes: list[tuple[int, int, bool]]) -> Sides:
    """The median height and width if all images have one aspect; else a square."""
    height, width = (int(median(size[axis] for size in sizes)) for axis in (1, 0))
    if all(abs(one[1] * width - one[0] * height) <= _SAME_RATIO * one[0] * height for one in sizes):
        return height, width
    return (int(median(min(size[:2]) for size in sizes)),) * 2


def _middle(sizes: list[tuple[int, int, bool]]) -> str:
    """Width and height in words: of all images, or about the median."""
    same = len({size[:2] for size in sizes}) == 1
    width, height = (int(median(size[axis] for size in sizes)) for axis in (0, 1))
    return f"{width}x{height}" if same else f"about {width}x{height}"


def _conditions(found: RawSet, known: Known) -> str:
    """The images' labels, attributes, partners or domains, in words."""
    parts = [counted(known.classes, "class")] if known.classes else []
    parts += [f"the attributes {', '.join(known.attribute_names)}"] if known.attributes else []
    maps = f" and {counted(known.maps, 'map')}" if known.maps else ""
    parts += [f"a partner{maps} each"] if known.paired else []
    parts += [f"of the domains {' and '.join(found.domains)}"] if found.domains else []
    return "; " + ", ".join(parts) if parts else ", without labels"
