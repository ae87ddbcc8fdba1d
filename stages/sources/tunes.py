"""Melodies drawn by a seed, in a known scale and by known chances, without a download."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from mintage.midi import Sounding
from stages.common.params import Ingest
from stages.common.sections import Count, Section, Seed
from stages.media.cells import npy
from stages.media.rolls import STEPS, Rolls, bar_at
from stages.sources import RawImage, Source

LOWEST, OCTAVES = 60, 2
PITCHES = 12 * OCTAVES
MEDIUM = Rolls(LOWEST, PITCHES)
READS_PATH = False

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "pentatonic": (0, 2, 4, 7, 9),
}
"""Semitones above C."""
MOVES = {-4: 0.05, -2: 0.15, -1: 0.3, 1: 0.3, 2: 0.15, 4: 0.05}
"""Notes of the scale up or down to the next one, and how likely; at either end of the range it turns round."""
RHYTHMS: dict[tuple[int, ...], float] = {
    (4,): 0.3,
    (2, 2): 0.3,
    (3, 1): 0.15,
    (2, 1, 1): 0.1,
    (8,): 0.05,
    (6, 2): 0.1,
}
"""How long notes last, in steps, until the next beat, and how likely, where there is room."""
REST = 0.04
"""How likely a note is silent."""


class Options(Section):
    tunes: Count = Field(1000, description="how many to draw")
    bars: Annotated[int, Field(ge=1, le=64)] = Field(4, description="of each, all on one side of the split")
    seed: Seed = Field(0, description="which tunes")
    previous: bool = Field(False, description="the bar before is each one's partner; an empty one that of the first")


def paired_by(options: Options) -> bool:
    """Whether they ask for partners."""
    return options.previous


def read(_: Ingest, options: Options) -> Source:
    """Each tune is drawn by the seed and its own number alone; its class says its scale. There is no test set."""
    return Source(
        name="tunes",
        licence="CC0 1.0",
        origin=f"drawn by this pipeline, seed {options.seed}",
        classes=list(SCALES),
        images=_bars(options),
        medium=MEDIUM,
        count=options.tunes * options.bars,
        grouped=True,
        paired=paired_by(options),
    )


def _bars(options: Options) -> Iterator[RawImage]:
    for number in range(options.tunes):
        group = f"tune-{number:06d}"
        tune = draw_tune(options.bars, options.seed, number)
        for bar in range(options.bars):
            key = f"{group}#{bar:02d}"
            content, before = (partial(npy, bar_at(tune, STEPS * place)) for place in (bar, bar - 1))
            partner = before if options.previous else None
            yield RawImage(key, f"{bar:02d}.npy", content, number % len(SCALES), None, partner, group=group)


def draw_tune(bars: int, seed: int, number: int) -> Sounding:
    """A melody in one of the scales in turn, a walk by `MOVES` in `RHYTHMS`: `[16 bars, 24]`, from C4 up."""
    random = np.random.default_rng([seed, number])
    scale = list(SCALES.values())[number % len(SCALES)]
    pitches = [12 * octave + tone for octave in range(OCTAVES) for tone in scale]
    tune = np.zeros((STEPS * bars, PITCHES), np.bool_)
    place, step = int(random.integers(len(pitches))), 0
    while step < len(tune):
        for steps in _rhythm(random, STEPS - step % STEPS):
            if random.random() >= REST:
                tune[step : step + steps, pitches[place]] = True
            place = _next(random, place, len(pitches))
            step += steps
    return tune


def _rhythm(random: np.random.Generator, room: int) -> tuple[int, ...]:
    fitting = {notes: chance for notes, chance in RHYTHMS.items() if sum(notes) <= room}
    chances = np.array([*fitting.values()])
    return list(fitting)[random.choice(len(fitting), p=chances / chances.sum())]


def _next(random: np.random.Generator, place: int, count: int) -> int:
    moved = place + int(random.choice([*MOVES], p=[*MOVES.values()]))
    return moved if 0 <= moved < count else 2 * place - moved
