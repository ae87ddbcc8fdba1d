"""Scenes as pairs: each frame's partner and maps are the frames before it, the latest first.

A scene is a film, a file with several frames (GIF, animated PNG and WebP, a TIFF stack), or a folder's numbered
pictures.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice, pairwise
from pathlib import PurePosixPath

from stages.common.errors import UserError, counted, quoted
from stages.common.pictures import open_picture
from stages.common.sections import Scenes
from stages.media.frames import Frames
from stages.sources import RawImage, Source
from stages.sources.frames import frame_count, frames

_NUMBER = re.compile(r"(?s)(.*?)([0-9]+)([^0-9]*)")
"""A name's last number, and the text before and after it."""


@dataclass
class Found:
    """The scenes of a source, and what is wrong with them."""

    scenes: int = 0
    frames: int = 0
    short: list[str] = field(default_factory=list)
    """Names of scenes with too few frames."""
    damaged: list[str] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)

    def add(self, name: str, frames: int) -> None:
        """Count a scene, in which `frames` frames have enough frames before them."""
        if frames:
            self.scenes, self.frames = self.scenes + 1, self.frames + frames
        else:
            self.short.append(name)

    def notes(self, past: int) -> list[str]:
        reasons = {
            f"left out, of fewer than {past + 1} frames in a row": self.short,
            "cut off or damaged, of which the frames before that are taken": self.damaged,
            "with gaps in the numbers of frames, over which none is made of others": self.interrupted,
        }
        some = (f"{counted(len(names), 'scene')} {why}, such as {names[0]}" for why, names in reasons.items() if names)
        return [f"{counted(self.scenes, 'scene')}: {counted(self.frames, 'frame')} with {past} before each", *some]


def in_scenes(source: Source, scenes: Scenes, max_pixels: int) -> Source:
    """The frames of the source's scenes that have `scenes.past` before them.

    A scene's frames stay on one side of a random split, together with those of scenes that are equal to the byte,
    unless a table of groups says otherwise. Scenes that are too short are left out and counted. Memory: the files of
    one folder. Raises UserError on a source without pictures or with partners, on frames of different sizes or with
    equal numbers in a scene, on an archive whose folders come in pieces, and if no scene is long enough.
    """
    if not source.medium.of_pictures or source.paired or source.medium.shape is not None:
        many = source.medium.words.many
        what = "which has partners already" if source.paired else f"and these are {many}"
        raise UserError("scenes-of-pictures", f"ingest.scenes is of pictures without partners, {what}: set it to null")
    found = Found()
    return replace(
        source, images=_images(source, scenes, max_pixels, found), medium=Frames(scenes.past), count=None, paired=True,
        maps=scenes.past - 1, grouped=True, readers=1,
    )  # fmt: skip


def _images(source: Source, scenes: Scenes, max_pixels: int, found: Found) -> Iterator[RawImage]:
    for images in _by_scene(source.images, source.readers, max_pixels):
        yield from _of_scene(images, scenes, max_pixels, found)
    if not found.scenes:
        raise UserError(
            "scenes-missing",
            f"{source.origin} has no scene of {scenes.past + 1} frames, of which each is made of {scenes.past} before "
            "it: give films, clips (GIF, animated PNG or WebP) or folders of numbered frames, or a lower "
            "ingest.scenes.past",
        )
    source.notes.extend(found.notes(scenes.past))


def _by_scene(images: Iterable[RawImage], readers: int, max_pixels: int) -> Iterator[list[RawImage]]:
    """The files of each scene, in order and read: one file with several frames, or a folder's numbered files."""
    held: dict[str, list[RawImage]] = {}
    closed = set[str]()
    for image in _read(images, readers):
        folder = image.key.rpartition("/")[0]
        for done in [name for name in held if name and not f"{folder}/".startswith(f"{name}/")]:
            yield from _in_order(held.pop(done))
            closed.add(done)
        if folder in closed:
            raise UserError(
                "scene-in-pieces",
                f"{quoted(image.key)} comes after files of other folders: pack frames again in the order of names",
            )
        files = held.setdefault(folder, [])
        if frame_count(_content(image), max_pixels) > 1:
            yield [image]
        else:
            files.append(image)
    for rest in held.values():
        yield from _in_order(rest)


def _read(images: Iterable[RawImage], readers: int) -> Iterator[RawImage]:
    """The images with their contents, in order; `readers` are read at once, in threads."""
    if readers == 1:
        yield from (replace(image, content=_content(image)) for image in images)
        return
    waiting = iter(images)
    with ThreadPoolExecutor(readers) as pool:
        while some := list(islice(waiting, 2 * readers)):
            for image, content in zip(some, pool.map(_content, some), strict=True):
                yield replace(image, content=content)


def _content(image: RawImage) -> bytes:
    return image.content if isinstance(image.content, bytes) else image.content()


def _in_order(images: list[RawImage]) -> Iterator[list[RawImage]]:
    by_key = {image.key: image for image in images}
    if len(by_key) < len(images):
        twice = next(one.key for one in images if by_key[one.key] is not one)
        raise UserError("key-twice", f"two images have the key {quoted(twice)}: rename one")
    yield from ([by_key[key] for key in keys] for keys in in_series(by_key))


def in_series(names: Iterable[str]) -> Iterator[list[str]]:
    """Names of files in series: names in a folder that differ only in a number, in its order; other names alone.

    The number is the last one before the ending.
    """
    numbered: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        found = _NUMBER.fullmatch(PurePosixPath(name).stem)
        alone = (name,)
        numbered.setdefault(
            alone if found is None else (str(PurePosixPath(name).parent), found[1], found[3]), []
        ).append(name)
    yield from (sorted(alike, key=_place) for alike in numbered.values())


def _place(name: str) -> int:
    found = _NUMBER.fullmatch(PurePosixPath(name).stem)
    return -1 if found is None else int(found[2])


def _of_scene(images: list[RawImage], scenes: Scenes, max_pixels: int, found: Found) -> Iterator[RawImage]:
    """Each frame of a scene with enough frames in a row before it, which become its partner and maps."""
    first = images[0]
    group = (
        first.group or f"scene {sha256(b''.join(sha256(_content(one)).digest() for one in images)).hexdigest()[:16]}"
    )
    count, held = 0, deque[bytes](maxlen=scenes.past)
    for row in _rows(images, max_pixels, found):
        held.clear()
        for image in _of_one_size(islice(row, 0, None, scenes.every), max_pixels):
            content = _content(image)
            if len(held) == scenes.past:
                latest, *earlier = reversed(held)
                count += 1
                yield replace(image, partner=latest, maps=tuple(earlier), group=group)
            held.append(content)
    found.add(first.key, count)


def _rows(images: list[RawImage], max_pixels: int, found: Found) -> Iterator[Iterator[RawImage]]:
    """Rows of consecutive frames of a scene; a gap in the numbers begins a new row."""
    if len(images) == 1:
        yield _of_file(images[0], max_pixels, found)
        return
    places = [_place(image.key) for image in images]
    steps = [after - before for before, after in pairwise(places)]
    if min(steps) == 0:
        twice = steps.index(0)
        raise UserError(
            "frame-twice",
            f"{quoted(images[twice].key)} and {quoted(images[twice + 1].key)} have one number in their scene: remove "
            "one of them",
        )
    ends = [0, *(number for number, step in enumerate(steps, 1) if step > min(steps)), len(images)]
    if len(ends) > 2:
        found.interrupted.append(images[0].key)
    yield from (iter(images[start:end]) for start, end in pairwise(ends))


def _of_file(image: RawImage, max_pixels: int, found: Found) -> Iterator[RawImage]:
    """The frames of a file up to the first damaged one, each as PNG."""
    for number, content in enumerate(frames(_content(image), max_pixels)):
        if not content:
            found.damaged.append(image.key)
            return
        yield replace(image, key=f"{image.key}#{number:04d}", path=f"{number:04d}.png", content=content)


def _of_one_size(images: Iterable[RawImage], max_pixels: int) -> Iterator[RawImage]:
    """The images; raises UserError if sizes differ. Normalize reports those that cannot be opened."""
    known: tuple[int, int] | None = None
    for image in images:
        size = known
        with suppress(Exception):  # Pillow raises nearly anything on damaged bytes
            size = open_picture(_content(image), max_pixels).size
        known = known or size
        if size is not None and known is not None and size != known:
            raise UserError(
                "frames-differ",
                f"{quoted(image.key)} is {size[0]} x {size[1]} and frames before it {known[0]} x {known[1]}: a scene "
                "has frames of one size; mend it, or put it into another folder",
            )
        yield image
