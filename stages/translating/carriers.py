"""How files of each kind go through a translator: pictures at its size or as tiles, samples of any length as windows,
and consecutive samples, which it continues.
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
"""Most samples of a file: nine hours at 8 kHz."""


class Carrier(Protocol):
    """Converts files of a kind to a model's inputs, and its outputs back to files."""

    one: str
    """The word for a file of the kind."""
    suffix: str
    """The ending of written files."""
    known_by: tuple[str, ...]
    """The endings of files that are read in a folder."""
    maps: tuple[int, ...] = (0,)
    """The allowed numbers of maps for each file."""
    map: str = "map"
    """The word for a map."""
    how: str = ""
    """Settings, beside model, seed and files, that decide the results."""
    in_parts: bool = False
    """Whether there are `parts`."""

    def cut(self, content: bytes, *maps: bytes) -> tuple[Any, Iterator[FloatImages]]:
        """The pieces `[C,*S]` of a file, as inputs of the model, and the plan by which they are joined.

        `maps` are files of pictures that join the first one. Raises UndecodableError or UnusableError on an unusable
        file.
        """

    def joined(self, plan: Any, made: Iterator[FloatImages]) -> bytes:
        """A file from the translated pieces; `made` gives those of the plan, then others."""

    def parts(self, plan: Any) -> Iterator[tuple[str, bytes]]:
        """The names and contents of more files, for a folder beside the joined one."""
        return iter(())

    @staticmethod
    def gathered(entries: list[Entry], given: Path) -> Iterator[tuple[str, list[Entry]]]:
        """Groups of an input's files that belong together, each by the name under which it is written."""
        return ((entry.name, [entry]) for entry in entries)


class Pictures(Carrier):
    """Pictures, resized to the model's size, or at their own size as tiles."""

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
    """A picture `[C,H,W]` in [-1,1], of the geometry's size, or of its own size."""
    picture = decode(content, channels, MAX_PIXELS).picture
    picture = picture if geometry is None else fitted(picture, geometry)
    image: FloatImages = floats(tensors([picture], channels))[0]
    return image


class Lengths(Carrier):
    """Samples with one side, of any length, as windows that share halves."""

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
    """Consecutive samples, and as many more as asked for, each predicted from the one before."""

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
        seed = self._seed + crc32(plan.tobytes())  # else all files would continue with the same noise
        for number in range(1, self._count):
            new = self._medium.as_written(self._model.translate(new, seed=seed + number))
            row.append(new)
        return self._medium.encode_row(torch.cat(row).numpy())
