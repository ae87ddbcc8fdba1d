"""Bars of music: a folder or archive of MIDI and MusicXML, cut at bar lines into bars of sixteen sixteenths."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from mintage.chords import ATTRIBUTES, NO_CHORD
from mintage.midi import Sounding
from mintage.rolls import Voices
from stages.common.errors import UserError, counted
from stages.common.params import Ingest
from stages.common.sections import Count, Positive, Section
from stages.media.cells import npy
from stages.media.endings import SCORES
from stages.media.medium import UnusableError
from stages.media.rolls import Rolls, bar_at
from stages.media.scores import STEPS, Score, moved, score_of
from stages.sources import RawImage, Source, content_of
from stages.sources.folder_or_archive import tree_at
from stages.sources.tree import Wanted, tree_source


class Options(Section):
    voices: Voices = Field("one", description="one: the highest that sounds | many: all that sounds")
    track: Count | None = Field(None, description="number of the one to take of those with notes; null: all")
    lowest: Annotated[int, Field(ge=0, le=120)] = Field(48, description="lowest pitch, by MIDI's number; 60 is C4")
    pitches: Annotated[int, Field(ge=8, le=128)] = Field(48, description="semitones from there; as normalize.width")
    tempo: Annotated[float, Field(ge=20, le=400)] = Field(
        120.0, description="quarter notes a minute that generated MIDI files are to be played at"
    )
    previous: bool = Field(False, description="the bar before is each one's partner; an empty one where there is none")
    chords: bool = Field(
        False,
        description="each bar's chord, written or heard in all its voices, is its attributes, in place of a class",
    )
    max_ratio: Positive = Field(100.0, description="times its own size that an archive may unpack to (or it is a bomb)")

    @model_validator(mode="after")
    def _within_midi(self) -> "Options":
        if self.lowest + self.pitches > 128:
            raise ValueError("lowest + pitches is over 128, and MIDI's pitches end at 127")
        return self


@dataclass
class LeftOut:
    """How many bars are left out, by reason."""

    of_another_meter: int = 0
    empty: int = 0
    out_of_range: int = 0
    without_chord: int = 0

    def notes(self, options: Options) -> list[str]:
        highest = options.lowest + options.pitches - 1
        reasons = {
            "not of 16 sixteenths (of another meter, or cut short by the next)": self.of_another_meter,
            "without notes": self.empty,
            f"with notes outside {options.lowest} to {highest} (ingest.options.lowest and pitches)": self.out_of_range,
            "whose chord symbol is none of the 24 triads, or that have none": self.without_chord,
        }
        return [f"left out {counted(count, 'bar')} {why}" for why, count in reasons.items() if count]


def medium_by(options: Options) -> Rolls:
    """The medium, with the steps and pitches that normalize must keep."""
    return Rolls(options.lowest, options.pitches, options.voices, options.tempo)


def paired_by(options: Options) -> bool:
    """Whether samples get partners."""
    return options.previous


def attributes_by(options: Options) -> bool:
    """Whether samples get chords as attributes."""
    return options.chords


def read(params: Ingest, options: Options) -> Source:
    """The bars of a folder or an archive of MIDI files, with classes and a test set as in source `folder`.

    All bars of a piece stay on one side of the split. A piece is transposed by whole octaves so that most of its bars
    are within the pitches. Bars outside them, empty bars and bars in other meters than 4/4 or 2/2 are left out. A file
    that cannot be read, or has no such bar, stays whole, so that normalize names it. Memory: a piece. Raises UserError
    as sources `folder` and `archive` do, and if mido is not installed.
    """
    if params.pairs is not None:
        raise UserError("pairs-not-supported", "ingest.pairs is of pictures, and these are bars: set it to null")
    medium, path = medium_by(options), Path(params.path)
    wanted = Wanted(medium, SCORES)
    tree = tree_at(path, params.max_pixels, options.max_ratio, wanted.extensions, "scores")
    source = tree_source("rolls", tree, params, wanted=wanted)
    bars = _bars(source.images, options, params.max_pixels, source.notes)
    source = replace(source, images=bars, count=None, grouped=True, paired=paired_by(options))
    return replace(source, classes=None, attributes=[*ATTRIBUTES]) if options.chords else source


def _bars(images: Iterator[RawImage], options: Options, most: int, notes: list[str]) -> Iterator[RawImage]:
    left_out = LeftOut()
    for whole in images:
        content = content_of(whole.content)
        image = replace(whole, label=None, attributes=NO_CHORD) if options.chords else whole
        try:
            score = score_of(content, most, options.voices, options.track)
        except UnusableError:
            yield replace(image, content=content, group=image.key)
            continue
        kept = bars_of(score, options, left_out)
        if not kept:
            yield replace(image, content=content, group=image.key)
        for number, bar, before in kept:
            key, partner = f"{image.key}#{number:04d}", partial(npy, before) if options.previous else None
            chord = score.chord_at(score.bars[number]) if options.chords else None
            yield replace(
                image, key=key, path=f"{number:04d}.npy", content=partial(npy, bar), partner=partner, group=image.key,
                attributes=chord.attributes if chord else image.attributes,
            )  # fmt: skip
    notes += left_out.notes(options)


def bars_of(score: Score, options: Options, left_out: LeftOut) -> list[tuple[int, Sounding, Sounding]]:
    """The bars `[16,P]` of a piece that are kept: each one's number, the bar, and the bar before.

    The bar before is empty if no bar of 16 sixteenths ends there; its notes outside the pitches are left out.
    """
    left_out.of_another_meter += score.others
    heard = moved(score, options.lowest, options.pitches)
    kept, begins = [], set(score.bars)
    for number, begin in enumerate(score.bars):
        inside, outside = bar_at(heard, begin), bar_at(score.sounding, begin)
        if not outside.any():
            left_out.empty += 1
        elif inside.sum() < outside.sum():
            left_out.out_of_range += 1
        elif options.chords and score.chord_at(begin) is None:
            left_out.without_chord += 1
        else:
            before = begin - STEPS if begin - STEPS in begins else -STEPS
            kept.append((number, inside, bar_at(heard, before)))
    return kept
