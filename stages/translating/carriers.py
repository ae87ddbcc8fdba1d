"""How files of a kind go through a translator: pictures at its size or as tiles, samples of any length as windows, and
samples in a row, which it goes on with.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast
from zlib import crc32

import numpy as np
import torch

from mintage.model import Model
from mintage.sources import maps_in
from mintage.windows import Windows
from stages.common.levels import FloatImages, floats, to_uint8
from stages.common.pictures import encode_png
from stages.images.decode import decode
from stages.images.fit import Fit, Geometry, fitted
from stages.images.tensors import tensors
from stages.images.tiles import Tiling
from stages.media.medium import Medium, UnusableError
from stages.sources.limits import EXTENSIONS
from stages.sources.tree import Entry

MAX_PIXELS = 50_000_000
TILES = "tiles"
_MOST_SAMPLES = 2**28
"""Of a file: nine hours at 8 kHz."""


class Carrier(Protocol):
    """Files of a kind, in the form that a model takes, and back."""

    one: str
    """What a file of the kind is called."""
    suffix: str
    """Of what is written."""
    known_by: tuple[str, ...]
    """The endings of files that are taken of a folder."""
    maps: tuple[int, ...] = (0,)
    """How many pictures may be given with each of them."""
    map: str = "map"
    """What such a one is called."""
    how: str = ""
    """What decides beside model, seed and files what becomes of them."""
    in_parts: bool = False
    """Whether there are `parts`."""

    def cut(self, content: bytes, *maps: bytes) -> tuple[Any, Iterator[FloatImages]]:
        """The pieces `[C,*S]` of a file, as the model takes them, and the plan by which they are joined.

        `maps` are files of pictures that join that of the first. Raises UndecodableError or UnusableError where it is
        none.
        """

    def joined(self, plan: Any, made: Iterator[FloatImages]) -> bytes:
        """A file of what was made of the pieces, of which `made` gives those of the plan and then others."""

    def parts(self, plan: Any) -> Iterator[tuple[str, bytes]]:
        """Files by name that a folder beside it is to hold, once it is joined."""
        return iter(())

    @staticmethod
    def gathered(entries: list[Entry], given: Path) -> Iterator[tuple[str, list[Entry]]]:
        """What belongs together of the files of an input, by the name that tells where it is written."""
        return ((entry.name, [entry]) for entry in entries)


class Pictures(Carrier):
    """Brought to the model's size, or, as tiles, at their own."""

    one = "picture"
    suffix = ".png"
    known_by = EXTENSIONS

    def __init__(self, model: Model, fit: str) -> None:
        source = model.generator.config.bare_source_shape
        assert source is not None
        channels, *self._size = source
        maps = maps_in(source, model.shape)
        self.maps, self._channels, self.how = (maps,), channels // (1 + maps), fit
        height, width = self._size
        self._geometry = None if fit == TILES else Geometry(height, width, cast(Fit, fit))

    def cut(self, content: bytes, *maps: bytes) -> tuple[Tiling, Iterator[FloatImages]]:
        pictures = [picture_of(one, self._channels, self._geometry) for one in (content, *maps)]
        if len({picture.shape for picture in pictures}) > 1:
            raise UnusableError("its map is of another size")
        image = np.concatenate(pictures)
        tiling = Tiling((image.shape[1], image.shape[2]), (self._size[0], self._size[1]))
        return tiling, tiling.cut(image)

    def joined(self, plan: Tiling, made: Iterator[FloatImages]) -> bytes:
        return encode_png(plan.joined(made) if self._geometry is None else to_uint8(next(made)))


def picture_of(content: bytes, channels: int, geometry: Geometry | None) -> FloatImages:
    """`[C,H,W]` in [-1,1], of the size that the geometry says, or of its own."""
    picture = decode(content, channels, MAX_PIXELS).picture
    picture = picture if geometry is None else fitted(picture, geometry)
    image: FloatImages = floats(tensors([picture], channels))[0]
    return image


class Lengths(Carrier):
    """Samples of one side and any length, as windows that share halves."""

    def __init__(self, model: Model, medium: Medium) -> None:
        self._medium, self.one = medium, medium.words.one
        self._channels, self._size = model.shape
        self.suffix, self.known_by = medium.suffixes[0], medium.suffixes

    def cut(self, content: bytes, *_: bytes) -> tuple[Windows, Iterator[FloatImages]]:
        sample = self._medium.decode_whole(content, self._channels, _MOST_SAMPLES)
        windows = Windows(sample.shape[1], self._size)
        return windows, iter(windows.cut(torch.from_numpy(sample)).numpy())

    def joined(self, plan: Windows, made: Iterator[FloatImages]) -> bytes:
        pieces = (torch.from_numpy(next(made)) for _ in range(len(plan)))
        content, _ = self._medium.encode(plan.joined(pieces).numpy())
        return content


class Rows(Carrier):
    """Samples in a row, as long as they are, and so many more, each made of the one before."""

    def __init__(self, model: Model, medium: Medium, count: int, seed: int) -> None:
        self._model, self._medium, self._count, self._seed = model, medium, count, seed
        self.how = f"{count} follow"
        self.one = medium.row or medium.words.one
        self.suffix, self.known_by = medium.suffixes[0], medium.suffixes

    def cut(self, content: bytes, *_: bytes) -> tuple[FloatImages, Iterator[FloatImages]]:
        row = self._medium.decode_row(content, MAX_PIXELS)
        return row, iter(row[-1:])

    def joined(self, plan: FloatImages, made: Iterator[FloatImages]) -> bytes:
        new = self._medium.as_written(torch.from_numpy(next(made)[None]))
        row = [torch.from_numpy(plan), new]
        seed = self._seed + crc32(plan.tobytes())  # else all files would go on with the same noise
        for number in range(1, self._count):
            new = self._medium.as_written(self._model.translate(new, seed=seed + number))
            row.append(new)
        return self._medium.encode_row(torch.cat(row).numpy())
