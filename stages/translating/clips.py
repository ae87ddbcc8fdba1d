"""Continues clips: a file with several frames, or a folder of numbered ones, and as many more as are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast
from zlib import crc32

import numpy as np
import torch

from mintage.frames import as_source
from mintage.model import Model
from stages.common.errors import UserError
from stages.common.levels import FloatImages, to_uint8
from stages.common.pictures import as_picture, encode_png, encoded, open_picture
from stages.images.fit import Fit, Geometry
from stages.media.medium import Medium, UnusableError
from stages.sources import films
from stages.sources.frames import frame_count, frames
from stages.sources.scenes import in_series
from stages.sources.tree import SCENES, Entry
from stages.translating.carriers import MAX_PIXELS, TILES, Carrier, picture_of

_PACE = 100
"""Milliseconds for a frame if the clip has no time."""


@dataclass
class Clip:
    """A clip at the model's size."""

    frames: FloatImages
    """`[T,C,H,W]`, the clip's own frames, then the predicted ones."""
    own: int
    """How many frames are the clip's own."""
    pace: int
    """Milliseconds of each frame."""


class Clips(Carrier):
    """Clips, resized to the model's size, and written with predicted frames, each from those before it."""

    suffix = ".gif"
    known_by = SCENES.extensions
    in_parts = True

    def __init__(self, model: Model, medium: Medium, fit: str, count: int, seed: int) -> None:
        source = model.generator.config.bare_source_shape
        assert source is not None
        self.one, self._count, self._seed = medium.row or medium.words.one, count, seed
        if fit == TILES:
            raise UserError("clips-in-tiles", "clips go on at the model's size: set --fit to resize, crop or letterbox")
        _, height, width = model.shape
        self._model, self._geometry = model, Geometry(height, width, cast(Fit, fit))
        self._past, self.how = source[0] // model.shape[0], f"{fit}, {count} follow"

    @staticmethod
    def gathered(entries: list[Entry], given: Path) -> Iterator[tuple[str, list[Entry]]]:
        """Files with several frames alone, and a folder's numbered pictures together, named like the folder."""
        by_name = {entry.name: entry for entry in entries}
        for names in in_series(by_name):
            alike = [by_name[name] for name in names]
            if len(alike) == 1 or frame_count(alike[0].content(), MAX_PIXELS) > 1:
                yield from ((entry.name, [entry]) for entry in alike)
                continue
            first = PurePosixPath(names[0])
            before = first.stem.rstrip("0123456789").rstrip("-_. ")
            folder = first.parent if first.parent.name else PurePosixPath(given.resolve().name)
            yield str(folder / f"{before}.png" if before else f"{folder}.png"), alike

    def cut(self, content: bytes, *others: bytes) -> tuple[Clip, Iterator[FloatImages]]:
        """The single piece from which the first new frame is predicted; `others` are the frames of a folder."""
        contents = [content, *others] if others else _frames_in(content)
        if len(contents) < self._past:
            few = f"it has {len(contents)} frame{'s' * (len(contents) > 1)}"
            raise UnusableError(
                f"{few}, and the model makes one of the {self._past} before it: give a longer clip or folder"
            )
        channels = self._model.shape[0]
        row = np.stack([picture_of(one, channels, self._geometry) for one in contents])
        clip = Clip(row, len(row), _PACE if others else _pace_of(content))
        return clip, iter([self._source(torch.from_numpy(row)).numpy()[0]])

    def joined(self, plan: Clip, made: Iterator[FloatImages]) -> bytes:
        """A GIF of all frames; adds the predicted frames to the clip."""
        row = torch.cat([torch.from_numpy(plan.frames), torch.from_numpy(next(made)[None])])
        seed = self._seed + crc32(plan.frames.tobytes())  # else all clips would continue with the same noise
        for number in range(1, self._count):
            row = torch.cat([row, self._model.translate(self._source(row), seed=seed + number)])
        plan.frames = row.numpy()
        return encode_gif(plan.frames, plan.pace)

    def parts(self, plan: Clip) -> Iterator[tuple[str, bytes]]:
        """Each predicted frame as PNG, by its number in the clip: a GIF has only 256 colors."""
        for number, frame in enumerate(plan.frames[plan.own :], plan.own):
            yield f"{number:04d}.png", encode_png(to_uint8(frame))

    def _source(self, row: torch.Tensor) -> torch.Tensor:
        return as_source(row[None, -self._past :])


def encode_gif(frames: FloatImages, pace: int) -> bytes:
    """Frames `[T,C,H,W]` in [-1,1] as a looping GIF, `pace` milliseconds each; gray frames keep every level."""
    first, *others = map(as_picture, to_uint8(frames))
    return encoded(first, "GIF", save_all=True, append_images=others, duration=pace, loop=0)


def _frames_in(content: bytes) -> list[bytes]:
    """The frames of a file. Raises UnusableError if it breaks off."""
    found = list(frames(content, MAX_PIXELS))
    if b"" in found:
        raise UnusableError(f"it is cut off or damaged after frame {found.index(b'')}: give it up to there, or whole")
    return found


def _pace_of(content: bytes) -> int:
    if films.is_film(content):
        return films.pace(content, MAX_PIXELS) or _PACE
    pace = open_picture(content, MAX_PIXELS).info.get("duration")
    return round(pace) if isinstance(pace, int | float) and pace > 0 else _PACE
