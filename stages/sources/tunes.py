"""Melodies drawn by a seed, in a known scale and by known chances, without a download."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from mintage.chords import ATTRIBUTES, CHORDS, Chord
from mintage.midi import STEPS_A_BEAT, Sounding
from stages.common.params import Ingest
from stages.common.sections import Count, Section, Seed
from stages.media.cells import npy
from stages.media.rolls import STEPS, Rolls, bar_at
from stages.sources import RawImage, Source, drawn_source

LOWEST, OCTAVES = 60, 2
PITCHES = 12 * OCTAVES
MEDIUM = Rolls(LOWEST, PITCHES)
READS_PATH = False

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "pentatonic": (0, 2, 4, 7, 9),
}
"""The notes of each scale, in semitones above C."""
MOVES = {-4: 0.05, -2: 0.15, -1: 0.3, 1: 0.3, 2: 0.15, 4: 0.05}
"""Steps in the scale to the next note, and their probabilities; the walk turns at each end of the range."""
RHYTHMS: dict[tuple[int, ...], float] = {
    (4,): 0.3,
    (2, 2): 0.3,
    (3, 1): 0.15,
    (2, 1, 1): 0.1,
    (8,): 0.05,
    (6, 2): 0.1,
}
"""Durations of notes, in steps, up to the next beat, and their probabilities where there is room."""
REST = 0.04
"""Probability that a note is silent."""


class Options(Section):
    tunes: Count = Field(1000, description="how many to draw")
    bars: Annotated[int, Field(ge=1, le=64)] = Field(4, description="of each, all on one side of the split")
    seed: Seed = Field(0, description="which tunes")
    previous: bool = Field(False, description="the bar before is each one's partner; an empty one that of the first")
    chords: bool = Field(False, description="tunes over chords, in all keys; a bar's are its attributes, not its scale")


def paired_by(options: Options) -> bool:
    """Whether samples get partners."""
    return options.previous


def attributes_by(options: Options) -> bool:
    """Whether samples get chords as attributes."""
    return options.chords


def read(_: Ingest, options: Options) -> Source:
    """The tunes; each depends only on the seed and its number, and its class is its scale. There is no test set."""
    classes, attributes = (None, [*ATTRIBUTES]) if options.chords else (list(SCALES), None)
    facts = {"medium": MEDIUM, "grouped": True, "paired": paired_by(options), "attributes": attributes}
    return drawn_source("tunes", options.seed, classes, _bars(options), count=options.tunes * options.bars, **facts)


def _bars(options: Options) -> Iterator[RawImage]:
    for number in range(options.tunes):
        group = f"tune-{number:06d}"
        drawn = (options.bars, options.seed, number)
        tune, chords = draw_over_chords(*drawn) if options.chords else (draw_tune(*drawn), None)
        for bar in range(options.bars):
            key = f"{group}#{bar:02d}"
            content, before = (partial(npy, bar_at(tune, STEPS * place)) for place in (bar, bar - 1))
            label, attributes = (None, chords[bar].attributes) if chords else (number % len(SCALES), None)
            partner = before if options.previous else None
            yield RawImage(key, f"{bar:02d}.npy", content, label, None, partner, group=group, attributes=attributes)


def draw_tune(bars: int, seed: int, number: int) -> Sounding:
    """A melody `[16 bars, 24]`, from C4 up, in each scale in turn: a random walk by `MOVES` in `RHYTHMS`."""
    return _walk(np.random.default_rng([seed, number]), _scale(number), [None] * bars)


def draw_over_chords(bars: int, seed: int, number: int) -> tuple[Sounding, list[Chord]]:
    """Such a melody, in each of the twelve keys in turn, and a chord for each bar, any triad of its scale.

    A note that begins on a beat belongs to the chord: it is the chord's nearest pitch from the walk's place.
    """
    random = np.random.default_rng([seed, number])
    scale = _scale(number, key=number // len(SCALES) % 12)
    classes = {pitch % 12 for pitch in scale}
    within = [chord for chord in CHORDS if classes.issuperset(chord.tones)]
    chords = [within[random.integers(len(within))] for _ in range(bars)]
    return _walk(random, scale, chords), chords


def _scale(number: int, key: int = 0) -> list[int]:
    """The pitches of the scale of tune `number` in a key; 0 is C4."""
    classes = {(tone + key) % 12 for tone in list(SCALES.values())[number % len(SCALES)]}
    return [pitch for pitch in range(PITCHES) if pitch % 12 in classes]


def _walk(random: np.random.Generator, pitches: list[int], chords: Sequence[Chord | None]) -> Sounding:
    tune = np.zeros((STEPS * len(chords), PITCHES), np.bool_)
    place, step = int(random.integers(len(pitches))), 0
    while step < len(tune):
        chord = chords[step // STEPS]
        for steps in _rhythm(random, STEPS - step % STEPS):
            if chord is not None and step % STEPS_A_BEAT == 0:
                of_chord = [other for other, pitch in enumerate(pitches) if pitch % 12 in chord.tones]
                place = min(of_chord, key=lambda other: abs(other - place))
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
