"""Files with several pages or frames: TIFF stacks, GIF, APNG, animated WebP, MPO, films; each as a file of its own.

Whole pictures (a page of a TIFF, a picture in an MPO) are cut out to the bit. A frame of an animation is a PNG of what
is visible at that moment.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL import Image

from stages.common.pictures import encoded, open_picture
from stages.sources import films
from stages.sources.metadata import turned_upright

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHOLE_PICTURE = 0
"""Tag 254 of a TIFF's page: the page is not a thumbnail, a smaller copy or a mask of another page."""
_KIND, _OLD_KIND = 254, 255
_PLACES = {273: 279, 324: 325, 513: 514}
"""Tags of the places of strips, tiles and a JPEG, with the tags of their sizes."""
_ELSEWHERE = {288, 289, 330, 34665, 34853, 40965}
"""Tags that point to gaps and to other tables: smaller copies, EXIF, GPS."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by its type (TIFF 6.0, section 2; BigTIFF)."""
_HEAD = 2**16
_MPF = b"MPF\0"
_THUMBNAIL = "Large Thumbnail"


def frame_count(content: bytes, max_pixels: int) -> int:
    """How many pictures a file has, without smaller copies and masks of others; 1 if it cannot be read.

    For nearly all files the first bytes are enough. Raises UserError on a film if av is not installed.
    """
    if films.is_film(content):
        return films.frame_count(content, max_pixels)
    if not _may_have_several(content):
        return 1
    try:
        if content[:4] in _TIFF:
            return max(1, len(list(_Tiff(content).pictures())))
        with open_picture(content, max_pixels) as image:
            return (
                max(1, len(_places_in_mpo(image, content))) if image.format == "MPO" else getattr(image, "n_frames", 1)
            )
    except Exception:  # Pillow raises nearly anything on damaged bytes; normalize counts those
        return 1


def frames(content: bytes, max_pixels: int) -> Iterator[bytes]:
    """Each of the pictures that `frame_count` counts, encoded; empty bytes for a damaged one. Memory: two pictures."""
    if frame_count(content, max_pixels) == 1:
        yield content
        return
    if films.is_film(content):
        yield from films.frames(content, max_pixels)
        return
    if content[:4] in _TIFF:
        tiff = _Tiff(content)
        yield from (_or_nothing(partial(tiff.cut_out, page)) for page in tiff.pictures())
        return
    with open_picture(content, max_pixels) as image:
        if image.format == "MPO":
            yield from (content[start : start + size] for start, size in _places_in_mpo(image, content))
            return
        for number in range(image.n_frames):  # type: ignore[attr-defined]  # of files with several
            yield _or_nothing(partial(_png, image, number))


def _or_nothing(encoded: Callable[[], bytes]) -> bytes:
    try:
        return encoded()
    except Exception:  # Pillow raises nearly anything on damaged bytes
        return b""


def _may_have_several(content: bytes) -> bool:
    if content.startswith(b"\xff\xd8"):
        return _MPF in content[:_HEAD]
    if content.startswith(b"\x89PNG"):
        return b"acTL" in content[:_HEAD]
    if content[:4] == b"RIFF":
        return content[8:16] == b"WEBPVP8X" and bool(content[20] & 2)  # the flag for an animation
    return content[:4] in (*_TIFF, b"GIF8")


def _png(image: Image.Image, number: int) -> bytes:
    image.seek(number)
    upright, kept = turned_upright(image)
    return encoded(upright, **kept)


def _places_in_mpo(image: Image.Image, content: bytes) -> list[tuple[int, int]]:
    """Start and size of each picture (CIPA DC-007), without previews, which are smaller copies."""
    entries: list[dict[str, Any]] = image.mpinfo[0xB002]  # type: ignore[attr-defined]  # of MPO
    base = content.index(_MPF) + len(_MPF)
    starts = [0, *(base + entry["DataOffset"] for entry in entries[1:])]
    kinds = [entry["Attribute"]["MPType"] for entry in entries]
    return [
        (start, entry["Size"])
        for start, entry, kind in zip(starts, entries, kinds, strict=True)
        if not kind.startswith(_THUMBNAIL)
    ]


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    count: int
    value: bytes
    """The whole value, wherever it is stored."""


class _Tiff:
    """The pages of a TIFF or BigTIFF, each cut out with all its tags and without a change to its pixels."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._end = "<" if content[:2] == b"II" else ">"
        self._big = 43 in content[2:4]
        self._count, self._offset = ("Q", "Q") if self._big else ("H", "I")
        self._left = 2 * len(content)  # bytes that all tables together may claim: fewer than a bomb's

    def pictures(self) -> Iterator[list[_Entry]]:
        """The tables of the pages that are independent pictures; a circular chain of pages ends where it began."""
        (place,) = self._read(self._offset, 8 if self._big else 4)
        known: set[int] = set()
        while place and place not in known:
            known.add(place)
            page, place = self._page(place)
            if _own_picture(self._numbers, page):
                yield page

    def _page(self, place: int) -> tuple[list[_Entry], int]:
        (count,) = self._read(self._count, place)
        place += struct.calcsize(self._count)
        entries = []
        for _ in range(count):
            tag, kind = self._read("HH", place)
            (length,) = self._read(self._offset, place + 4)
            inline = place + 4 + struct.calcsize(self._offset)
            size = _SIZES[kind] * length
            self._spend(12 + size)
            start = inline if size <= struct.calcsize(self._offset) else self._read(self._offset, inline)[0]
            value = self._content[start : start + size]
            if len(value) < size:
                raise ValueError("cut off")
            entries.append(_Entry(tag, kind, length, value))
            place = inline + struct.calcsize(self._offset)
        return entries, self._read(self._offset, place)[0]

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("its tables say more than it holds")

    def cut_out(self, page: list[_Entry]) -> bytes:
        """A file of one page."""
        head = 16 if self._big else 8
        body = bytearray(head)
        kept = {entry.tag: entry for entry in page if entry.tag not in _ELSEWHERE}
        for where, sizes in _PLACES.items():
            if where in kept and sizes in kept:
                if sum(self._numbers(kept[sizes])) > len(self._content):
                    raise ValueError("its strips say more than it holds")
                starts = [
                    self._copied(body, start, size)
                    for start, size in zip(self._numbers(kept[where]), self._numbers(kept[sizes]), strict=True)
                ]
                kind = 16 if self._big else 4
                kept[where] = _Entry(where, kind, len(starts), self._packed(self._offset * len(starts), *starts))
        entries = [self._entry(body, kept[tag]) for tag in sorted(kept)]
        if len(body) % 2:
            body.append(0)
        table = self._packed(self._count, len(entries)) + b"".join(entries) + self._packed(self._offset, 0)
        first = self._content[:8] if self._big else self._content[:4]
        body[:head] = first + self._packed(self._offset, len(body))
        return bytes(body) + table

    def _copied(self, body: bytearray, start: int, size: int) -> int:
        at = len(body)
        body += self._content[start : start + size]
        return at

    def _entry(self, body: bytearray, entry: _Entry) -> bytes:
        room = struct.calcsize(self._offset)
        value = entry.value.ljust(room, b"\0")
        if len(entry.value) > room:
            if len(body) % 2:
                body.append(0)
            value = self._packed(self._offset, len(body))
            body += entry.value
        return self._packed("HH", entry.tag, entry.kind) + self._packed(self._offset, entry.count) + value

    def _numbers(self, entry: _Entry) -> tuple[int, ...]:
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}[entry.kind]
        return struct.unpack(f"{self._end}{entry.count}{code}", entry.value)

    def _read(self, form: str, place: int) -> tuple[Any, ...]:
        return struct.unpack_from(f"{self._end}{form}", self._content, place)

    def _packed(self, form: str, *values: int) -> bytes:
        return struct.pack(f"{self._end}{form}", *values)


def _own_picture(numbers: Any, page: list[_Entry]) -> bool:
    kinds = {entry.tag: numbers(entry)[0] for entry in page if entry.tag in (_KIND, _OLD_KIND)}
    return kinds.get(_KIND, 0) & 0b101 == _WHOLE_PICTURE and kinds.get(_OLD_KIND) != 2
