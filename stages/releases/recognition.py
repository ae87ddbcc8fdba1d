"""Which release made a picture, a sound or a tune: by its mark; a picture else by its looks among a store's samples.

A model makes far more images than its release has. By looks, only images in a release's samples can be recognized.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import UnidentifiedImageError

from stages.common.errors import UserError, quoted
from stages.common.levels import Levels
from stages.common.marks import Mark, mark_in
from stages.common.pictures import open_picture
from stages.images.near import Cells, Pictures, small_pictures, unit
from stages.images.perceptual import gray_cells
from stages.releases.manifest import Release

RATIO = 0.4
"""A picture is recognized as a sample at most this many times as far from it as the next one, as in `copies`."""
TWINS = 3
"""How many nearly equal samples a picture may be similar to, at most."""
FLATTEST = 2.0
"""Standard deviation of the cells, in levels of 255, up to which a picture is too flat to be recognized."""
SMALLEST = 8
"""Pixels a side; smaller samples have too little in them."""
WEIGHTS = "generator.safetensors"
_UNNAMED = "its mark says that Mintage generated it, and names no model"
_MAX_PIXELS = 50_000_000
_SAME_ASPECT = 0.02
_MODES = {"1": "L", "L": "L", "LA": "L", "I;16": "L"}


@dataclass(frozen=True)
class Found:
    """What is known about a file's origin."""

    releases: list[str]
    """Names of the releases that may have made it; several if they have the same samples or the same model."""
    why: str
    """By what it was recognized, or why it was not, as the end of a sentence."""
    mark: Mark | None = None


def recognize(content: bytes, releases: list[Release], name: str = "this") -> Found:
    """Which of the releases made a file; none if that is unknown.

    Raises UserError, with `name` as its name, if it is neither picture nor WAV nor MIDI.
    """
    mark = mark_in(content)
    if mark is not None and mark.model is not None:
        makers = makers_of(mark.model, releases)
        known = "its mark names the model" if makers else "its mark names a model of no release here"
        return Found(makers, known, mark)
    if _is_heard(content):
        return Found([], _UNNAMED if mark else "it has no mark, and only pictures are known by their looks", mark)
    found = Samples((release.name, samples_of(release)) for release in releases).search(levels_of(content, name))
    if mark is not None and not found.releases:
        return Found([], _UNNAMED, mark)
    return Found(found.releases, found.why, mark)


def levels_of(content: bytes, name: str = "this") -> Levels:
    """A picture `[C,H,W]`, C 1 or 3. Raises UserError if it cannot be read."""
    try:
        with open_picture(content, _MAX_PIXELS) as image:
            image.load()
            levels = np.asarray(image.convert(_MODES.get(image.mode, "RGB")))
    except UnidentifiedImageError:
        raise UserError(
            "picture-unreadable", f"{name} is no picture, WAV or MIDI file, which are all that is recognized"
        ) from None
    except Exception as error:  # Pillow raises nearly anything
        raise UserError(
            "picture-unreadable", f"{name} cannot be read as a picture ({quoted(str(error))}): name another file"
        ) from None
    return levels[None] if levels.ndim == 2 else np.ascontiguousarray(np.moveaxis(levels, -1, 0))


class Samples:
    """The samples of releases, reduced to what is compared."""

    def __init__(self, named: Iterable[tuple[str, Iterable[Levels]]]) -> None:
        """`named` has the samples `[C,H,W]` of releases, by name."""
        parts: dict[tuple[int, int], list[tuple[str, Pictures]]] = {}
        for name, samples in named:
            for levels in samples:
                if min(levels.shape[1:]) >= SMALLEST:
                    part = (name, small_pictures(levels[None]))
                    parts.setdefault((levels.shape[1], levels.shape[2]), []).append(part)
        self._groups = [_Group.of_pictures(shape, named) for shape, named in parts.items()]

    def search(self, picture: Levels) -> Found:
        """The releases with a picture `[C,H,W]` among their samples, even shifted by a pixel, or encoded anew."""
        if not self._groups:
            return Found([], "no release here holds samples that are pictures")
        found = [names for group in self._groups if (names := group.search(picture))]
        if not found:
            return Found([], "it has no mark, and is none of the samples here")
        return Found(sorted(set().union(*found)), "it has no mark, and looks like one of its samples")


@dataclass(frozen=True)
class _Group:
    """The distinct samples of one shape."""

    shape: tuple[int, int]
    pictures: Pictures
    """`[M,R,C]`, as `stages.images.near.small_pictures` makes them."""
    owners: list[set[str]]
    """The releases that have each sample."""

    @classmethod
    def of_pictures(cls, shape: tuple[int, int], named: list[tuple[str, Pictures]]) -> "_Group":
        pictures, which = np.unique(np.concatenate([some for _, some in named]), axis=0, return_inverse=True)
        owners: list[set[str]] = [set() for _ in pictures]
        names = (name for name, some in named for _ in some)
        for number, name in zip(which.ravel().tolist(), names, strict=True):
            owners[number].add(name)
        return cls(shape, pictures, owners)

    def search(self, picture: Levels) -> set[str]:
        """The releases of the few samples that are much nearer to the picture `[C,H,W]` than the next; or empty."""
        height, width = picture.shape[1:]
        if abs(height / width * self.shape[1] / self.shape[0] - 1) > _SAME_ASPECT:
            return set()
        moved = self._moves(picture)
        if moved[0].std() <= FLATTEST:
            return set()
        squared = 2 - 2 * (unit(self.pictures[:, 1:-1, 1:-1]) @ unit(moved).T).max(1)
        order = np.argsort(squared, kind="stable")[: TWINS + 1]
        near = np.maximum(squared[order], 0)
        for count in range(1, len(order)):
            if near[count - 1] <= RATIO**2 * near[count]:
                return set().union(*(self.owners[index] for index in order[:count]))
        return set()

    def _moves(self, picture: Levels) -> Cells:
        """The picture in the samples' cells, without the edge: unchanged, and shifted by a pixel of a sample."""
        _, rows, columns = self.pictures.shape
        height, width = picture.shape[1:]
        down, right = (max(1, round(side / own)) for side, own in zip((height, width), self.shape, strict=True))
        wide = np.pad(picture, [(0, 0), (down, down), (right, right)], mode="edge")
        places = [(0, 0), (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
        corners = ((down * (1 + y), right * (1 + x)) for y, x in places)
        moved = np.stack([wide[:, top : top + height, left : left + width] for top, left in corners])
        return gray_cells(moved, rows, columns)[:, 1:-1, 1:-1].astype(np.float32)


def _is_heard(content: bytes) -> bool:
    """Whether it is a WAV or a MIDI file."""
    return content.startswith(b"MThd") or (content.startswith(b"RIFF") and content[8:12] == b"WAVE")


def makers_of(model: str, releases: Iterable[Release]) -> list[str]:
    """The releases with a model, of whose file of weights `model` begins the SHA-256."""
    return [release.name for release in releases if _is_of(release, model)]


def _is_of(release: Release, model: str) -> bool:
    with suppress(UserError):  # one damaged release hides no other
        files = release.manifest().files
        return any(file.path == WEIGHTS and file.sha256.startswith(model) for file in files)
    return False


def samples_of(release: Release) -> Iterator[Levels]:
    """The samples of a release that are pictures, until a damaged place."""
    with suppress(UserError, pa.ArrowException):
        for file in release.manifest().files:
            if file.path.startswith("samples/") and file.path.endswith(".parquet"):
                yield from pictures_in(b"".join(release.store.chunks(f"{release.folder}/{file.path}", file.size)))


def pictures_in(parquet: bytes) -> Iterator[Levels]:
    """The pictures `[C,H,W]` in a file of samples."""
    for batch in pq.ParquetFile(io.BytesIO(parquet)).iter_batches(columns=["image"]):
        for image in batch.column("image").to_pylist():
            with suppress(UserError):  # points, or another medium
                yield levels_of(image["bytes"])
