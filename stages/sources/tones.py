"""Tones drawn by a seed: pure ones, chords, and tones that rise or fall, under noise too, without a download."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mintage.waves import encode_wav, mixed
from stages.common.params import Ingest
from stages.common.sections import Count, Section, Seed
from stages.media.sounds import Sounds
from stages.sources import RawImage, Source, drawn_source

RATE = 8000
MEDIUM = Sounds(RATE)
READS_PATH = False
_LOWEST, _HIGHEST = 200.0, 800.0
_FADE = 0.1
"""Share of a sound in which it fades in, and in which it fades out."""
Seconds = npt.NDArray[np.float64]
Levels = Annotated[list[Annotated[float, Field(ge=-60, le=60)]], Field(min_length=1)]
BACKGROUND = [20.0, 30.0, 40.0]
"""Several, so that who judges sounds learns that the background does not matter."""

TONES: dict[str, Callable[[Seconds, float], Any]] = {
    "chord": lambda seconds, hertz: sum(np.sin(2 * np.pi * hertz * ratio * seconds) for ratio in (1, 5 / 4, 3 / 2)) / 3,
    "falling": lambda seconds, hertz: np.sin(2 * np.pi * hertz * (seconds - seconds**2 / (4 * seconds[-1]))),
    "pure": lambda seconds, hertz: np.sin(2 * np.pi * hertz * seconds),
    "rising": lambda seconds, hertz: np.sin(2 * np.pi * hertz * (seconds + seconds**2 / (2 * seconds[-1]))),
}
"""The wave at each time: a major triad, and tones that fall by an octave, stay, or rise by an octave."""


class Options(Section):
    sounds: Count = Field(4000, description="how many to draw")
    length: Annotated[int, Field(ge=64, le=2**20)] = Field(1024, description="samples, of which a second has 8000")
    decibels: Levels | None = Field(
        None,
        description="e.g. [0, 5, 10]: each tone has itself under white noise as its partner, so many decibels below "
        "it, one of these by chance; null: none has a partner",
    )
    background: Levels | None = Field(
        BACKGROUND,
        description="by how many decibels a tone is louder than the pink noise behind it, one of these by chance, as "
        "recorded sounds have some; null: silence, and a generator is judged by how silent it is",
    )
    seed: Seed = Field(0, description="which tones, and which noise")


def paired_by(options: Options) -> bool:
    """Whether samples get partners."""
    return options.decibels is not None


def read(_: Ingest, options: Options) -> Source:
    """The tones; each depends only on the seed and its number, and its class is its kind. There is no test set."""
    facts = {"medium": MEDIUM, "count": options.sounds, "paired": paired_by(options)}
    return drawn_source("tones", options.seed, list(TONES), _sounds(options), **facts)


def _sounds(options: Options) -> Iterator[RawImage]:
    for number in range(options.sounds):
        key = f"tone-{number:06d}"
        content, *partner = (partial(_encoded, options, number, part) for part in range(1 + bool(options.decibels)))
        yield RawImage(key, f"{key}.wav", content, number % len(TONES), None, partner[0] if partner else None)


def _encoded(options: Options, number: int, part: int) -> bytes:
    """The tone of this number, or the tone with noise."""
    tone = draw_tone(options.length, options.seed, number, options.background)[None]
    if options.decibels is None:
        return encode_wav(tone, RATE)
    random = np.random.default_rng([options.seed, number, 1])  # a different stream from the tone's
    noise, decibels = random.standard_normal(tone.shape), options.decibels[random.integers(len(options.decibels))]
    return encode_wav(mixed(tone.astype(np.float32), noise.astype(np.float32), decibels)[part], RATE)


def draw_tone(
    length: int, seed: int, number: int, background: Sequence[float] | None = BACKGROUND
) -> npt.NDArray[np.float64]:
    """A tone of each kind in turn, with random pitch and loudness: `[length]` in [-1,1].

    It is one of `background`, by chance, in decibels louder than the pink noise behind it; None: than silence.
    """
    random = np.random.default_rng([seed, number])
    hertz = _LOWEST * (_HIGHEST / _LOWEST) ** random.uniform()
    seconds, loudness = np.arange(length) / RATE, random.uniform(0.4, 0.9)
    wave = list(TONES.values())[number % len(TONES)](seconds, hertz)
    ends = np.minimum(1, np.minimum(np.arange(length) + 1, np.arange(length, 0, -1)) / (_FADE * length))
    sound: npt.NDArray[np.float64] = loudness * ends * wave
    if background is None:
        return sound
    random = np.random.default_rng([seed, number, 2])  # a different stream from that of `decibels`
    noise, decibels = _pink(length, random), background[int(random.integers(len(background)))]
    _, heard = mixed(sound[None].astype(np.float32), noise[None].astype(np.float32), decibels)
    over_noise: npt.NDArray[np.float64] = heard[0].astype(np.float64)
    return over_noise


def _pink(length: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise `[length]` with as much power in each octave, as most rooms and recorders have it, and mean 0."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, length)
