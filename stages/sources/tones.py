"""Tones drawn by a seed: pure ones, chords, and tones that rise or fall, without a download."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mintage.waves import encode_wav
from stages.common.params import Ingest
from stages.common.sections import Count, Section, Seed
from stages.media.sounds import Sounds
from stages.sources import RawImage, Source

RATE = 8000
MEDIUM = Sounds(RATE)
READS_PATH = False
_LOWEST, _HIGHEST = 200.0, 800.0
_FADE = 0.1
"""Share of a sound in which it begins, and in which it ends."""
Seconds = npt.NDArray[np.float64]

TONES: dict[str, Callable[[Seconds, float], Any]] = {
    "chord": lambda seconds, hertz: sum(np.sin(2 * np.pi * hertz * ratio * seconds) for ratio in (1, 5 / 4, 3 / 2)) / 3,
    "falling": lambda seconds, hertz: np.sin(2 * np.pi * hertz * (seconds - seconds**2 / (4 * seconds[-1]))),
    "pure": lambda seconds, hertz: np.sin(2 * np.pi * hertz * seconds),
    "rising": lambda seconds, hertz: np.sin(2 * np.pi * hertz * (seconds + seconds**2 / (2 * seconds[-1]))),
}
"""What is heard at each time: major triads, half as high at the end, always as high, twice as high."""


class Options(Section):
    sounds: Count = Field(4000, description="how many to draw")
    length: Annotated[int, Field(ge=64, le=2**20)] = Field(1024, description="samples, of which a second has 8000")
    seed: Seed = Field(0, description="which tones")


def read(_: Ingest, options: Options) -> Source:
    """Each tone is drawn by the seed and its own number alone; its class says its kind. There is no test set."""
    return Source(
        name="tones",
        licence="CC0 1.0",
        origin=f"drawn by this pipeline, seed {options.seed}",
        classes=list(TONES),
        images=_sounds(options),
        medium=MEDIUM,
        count=options.sounds,
    )


def _sounds(options: Options) -> Iterator[RawImage]:
    for number in range(options.sounds):
        key = f"tone-{number:06d}"
        yield RawImage(key, f"{key}.wav", partial(_encoded, options, number), number % len(TONES), None)


def _encoded(options: Options, number: int) -> bytes:
    return encode_wav(draw_tone(options.length, options.seed, number)[None], RATE)


def draw_tone(length: int, seed: int, number: int) -> npt.NDArray[np.float64]:
    """One of a kind in turn, of a height and loudness that are drawn: `[length]` in [-1,1]."""
    random = np.random.default_rng([seed, number])
    hertz = _LOWEST * (_HIGHEST / _LOWEST) ** random.uniform()
    seconds, loudness = np.arange(length) / RATE, random.uniform(0.4, 0.9)
    heard = list(TONES.values())[number % len(TONES)](seconds, hertz)
    ends = np.minimum(1, np.minimum(np.arange(length) + 1, np.arange(length, 0, -1)) / (_FADE * length))
    sound: npt.NDArray[np.float64] = loudness * ends * heard
    return sound
