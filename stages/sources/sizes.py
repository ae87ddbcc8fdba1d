"""Whether normalize can use a source's pictures: a look at some of them, taken evenly from all."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import prod

from stages.common.params import Normalize
from stages.sources import RawImage, Source, content_of

LOOKED_AT = 20
"""Pictures that are looked at."""
_LISTED = 50_000
"""The most whose names are listed for that: a folder's take a second or two."""
_GRAY, _COLORED = ("1", "L", "LA", "F"), ("RGB", "RGBA", "CMYK", "YCbCr", "LAB")
"""Pillow's modes of which a header tells the colors; those of 16 bits, which begin with I, are gray too."""


@dataclass
class Look:
    """What some pictures tell."""

    max_pixels: int
    """A larger one, which ingest refuses, is not decoded."""
    pixels: list[int] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)
    gray: list[str] = field(default_factory=list)
    """Their keys."""
    colored: int = 0

    def add(self, image: RawImage) -> None:
        from stages.common.pictures import open_picture

        try:
            with open_picture(content_of(image.content), sys.maxsize) as picture:
                pixels, mode = prod(picture.size), picture.mode
                picture.draft(None, (1, 1))  # of a JPEG an eighth, in a part of the time
                if pixels <= self.max_pixels:
                    picture.load()  # raises where the end is missing
        except Exception:  # Pillow, and a source's own module, may raise anything of a bad file
            self.unopened.append(image.key)
            return
        self.pixels.append(pixels)
        self.colored += mode in _COLORED
        self.gray += [image.key] if mode in _GRAY or mode.startswith("I") else []


def look(source: Source, to: Normalize, max_pixels: int) -> tuple[list[str], bool]:
    """Sentences on pictures that normalize cannot use, or that differ from the others; and whether it will surely stop.

    It stops if those that it cannot use are alone more than `normalize.max_broken` of all. Consumes `source.images`.
    """
    if not source.medium.of_pictures or find_spec("PIL") is None:  # a machine that only starts stages lacks it
        return [], False
    found, many = Look(max_pixels), source.medium.words.many
    with suppress(Exception):  # what cannot be read at all is left to ingest
        for image in _some(source):
            found.add(image)
    few = 0 if to.fit == "pad" or to.upscale == "allow" else sum(one < to.height * to.width for one in found.pixels)
    of = f"of the {len(found.pixels) + len(found.unopened)} {many} that were looked at"
    said = []
    if few:
        said.append(
            f"{few} {of} {_have(few)} fewer pixels than normalize.height x width ({to.height} x {to.width}), which "
            "counts as broken: lower height and width, set normalize.upscale to allow, or bring larger pictures"
        )
    if lost := len(found.unopened):
        said.append(f"{lost} {of} cannot be read, such as {found.unopened[0]!r}: mend or remove what is damaged")
    if to.channels == 3 and not source.domains and 0 < (gray := len(found.gray)) < found.colored:
        said.append(
            f"{gray} {of} {_have(gray)} no colors, such as {found.gray[0]!r}: remove what is not meant to be gray"
        )
    return said, source.count is not None and few + lost > to.max_broken * source.count


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _some(source: Source) -> Iterator[RawImage]:
    """Images in even steps over all, or over as many as take no time; the first ones where their number is unknown."""
    count = min(source.count or LOOKED_AT, _LISTED)
    wanted = {at * count // LOOKED_AT for at in range(LOOKED_AT)}
    for at, image in enumerate(source.images):
        if at in wanted:
            yield image
        if at >= max(wanted):
            return
