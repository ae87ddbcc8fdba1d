"""Clips of two handwritten digits that move and turn back at the walls, drawn by a seed, for `ingest.scenes`.

Each clip is a TIFF with a page for each frame: other formats join equal frames.
"""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from stages.common.levels import Levels
from stages.common.params import Ingest
from stages.common.pictures import encoded
from stages.common.sections import Count, Section, Seed
from stages.sources import RawImage, Source
from stages.sources.digits import all_digits

READS_PATH = False
_DIGITS = 2
_SMALLER = 16 / 7
"""A frame's side, in sides of a digit."""
_FASTEST = 3
"""Pixels, of 32, that a digit moves at most along each side from one frame to the next."""


class Options(Section):
    clips: Count = Field(2000, description="how many to draw")
    frames: Annotated[int, Field(ge=2, le=1000)] = Field(14, description="of a clip")
    side: Annotated[int, Field(ge=16, le=256)] = Field(32, description="pixels")
    seed: Seed = Field(0, description="which digits, where they begin and how fast they are")


def read(_: Ingest, options: Options) -> Source:
    """The clips, of scikit-learn's digits; each depends only on the seed and its number.

    There is no test set: with `ingest.scenes` a random split keeps clips whole.
    """
    side = round(options.side / _SMALLER)
    digits = np.stack([np.asarray(Image.fromarray(digit).resize((side, side))) for digit in all_digits()[0]])
    return Source(
        name="moving",
        license="CC BY 4.0",
        origin=f"drawn by this pipeline of scikit-learn's digits, seed {options.seed}",
        classes=None,
        images=_clips(digits, options),
        count=options.clips,
    )


def _clips(digits: Levels, options: Options) -> Iterator[RawImage]:
    for number in range(options.clips):
        key = f"clip-{number:06d}.tif"
        yield RawImage(key, key, partial(_encoded, digits, options, number), None, None)


def _encoded(digits: Levels, options: Options, number: int) -> bytes:
    first, *others = map(Image.fromarray, draw_clip(digits, options.frames, options.side, (options.seed, number)))
    return encoded(first, "TIFF", save_all=True, append_images=others)


def draw_clip(digits: Levels, frames: int, side: int, numbers: tuple[int, ...]) -> Levels:
    """Frames `[T,side,side]` of two of the digits `[N,h,h]`, drawn by the seed `numbers`; bright is in front."""
    random = np.random.default_rng(numbers)
    own = digits.shape[1]
    fastest = max(1, _FASTEST * side // 32)
    canvas = np.zeros((frames, side, side), np.uint8)
    for digit in digits[random.integers(0, len(digits), _DIGITS)]:
        start, speed = random.integers(0, side - own + 1, 2), random.integers(-fastest, fastest + 1, 2)
        for frame, (top, left) in enumerate(_turned_back(start + np.arange(frames)[:, None] * speed, side - own)):
            part = canvas[frame, top : top + own, left : left + own]
            np.maximum(part, digit, out=part)
    return canvas


def _turned_back(places: npt.NDArray[np.int64], room: int) -> npt.NDArray[np.int64]:
    """Places of something that bounces back from walls at 0 and `room`."""
    there = places % (2 * room)
    return np.minimum(there, 2 * room - there)
