"""Scores as bars: which pitches sound in each sixteenth of MIDI files and of MusicXML.

MIDI is read by mido, which is no part of the usual install. Time is counted in beats, so the tempo does not matter.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mintage.chords import Chord, chord_of
from mintage.midi import STEPS_A_BEAT, Sounding
from mintage.rolls import Voices
from stages.common.readers import require_reader
from stages.media.medium import UnusableError
from stages.media.notation import is_notation, written_in

STEPS = 16
"""Steps of a bar in 4/4."""
PITCHES = 128
_DRUMS = 9
_OCTAVE = 12
Meter = tuple[Fraction, Fraction]
"""The step at which a meter begins, and the steps of its bars."""


@dataclass(frozen=True)
class Score:
    """A piece in whole bars."""

    sounding: Sounding
    """`[T,128]`: which pitches, by MIDI's number, sound in each sixteenth."""
    bars: list[int]
    """The first steps of the bars of 16 sixteenths."""
    others: int
    """How many bars are left out, since they have another meter or are cut short by the next."""
    harmony: Sounding
    """`[T,128]`: the pitches that decide the chord: those of every track and voice, without drums."""
    written: Mapping[int, Chord | None]
    """The chord of each bar by the file's chord symbols, by the bar's first step; empty without symbols."""

    def chord_at(self, begin: int) -> Chord | None:
        """The chord of the bar that begins there: the written one, or, if the file has no symbols, the heard one."""
        return self.written[begin] if self.written else chord_of(self.harmony[begin : begin + STEPS])


def score_of(content: bytes, most: int, voices: Voices = "one", track: int | None = None) -> Score:
    """The notes of a MIDI file or of MusicXML, without drums; with one voice, the highest that sounds.

    A note begins and ends at the nearest sixteenth, and lasts at least one. `track` is the number, from 1, of the track
    to take among tracks with notes; in MusicXML, of the part. Raises UnusableError if it is no such file, is cut off,
    has no notes, or has more than `most` numbers in steps by pitches, and UserError if mido is needed and not
    installed.
    """
    if not content:
        raise UnusableError("it is empty: it has no bytes")
    played = _notation(content, most // PITCHES) if is_notation(content) else _midi(content, most // PITCHES)
    tracks = played.tracks
    if track is not None and track > len(tracks):
        raise UnusableError(f"it has notes in {len(tracks)} of its tracks: ingest.options.track is {track}")
    harmony = _sounding(tracks, played.length)
    sounding = harmony if track is None else _sounding([tracks[track - 1]], played.length)
    if voices == "one":
        sounding = sounding & (np.arange(PITCHES) == PITCHES - 1 - sounding[:, ::-1].argmax(1)[:, None])
    return Score(sounding, played.bars, played.others, harmony, played.chords)


def moved(score: Score, lowest: int, pitches: int) -> Sounding:
    """`[T,pitches]` from `lowest` up, transposed by the fewest octaves that bring the most bars fully inside."""
    shifts = sorted(range(-10, 11), key=abs)
    fits = [sum(_fits(score, begin, _OCTAVE * shift, lowest, pitches) for begin in score.bars) for shift in shifts]
    offset = lowest - _OCTAVE * shifts[int(np.argmax(fits))]
    padded = np.pad(score.sounding, ((0, 0), (PITCHES, PITCHES)))
    return padded[:, PITCHES + offset : PITCHES + offset + pitches]


def _fits(score: Score, begin: int, shift: int, lowest: int, pitches: int) -> bool:
    sounding = np.flatnonzero(score.sounding[begin : begin + STEPS].any(0)) + shift
    return bool(len(sounding)) and lowest <= int(sounding[0]) and int(sounding[-1]) < lowest + pitches


Note = tuple[int, int, int]
"""A note's first step, the step after its last one, and its pitch."""


@dataclass(frozen=True)
class _Played:
    """The notes of each track with notes, and bars as in `Score`."""

    tracks: list[list[Note]]
    bars: list[int]
    others: int
    length: int
    chords: Mapping[int, Chord | None]


def _sounding(tracks: Sequence[Sequence[Note]], length: int) -> Sounding:
    sounding = np.zeros((length, PITCHES), np.bool_)
    for begin, end, pitch in (note for track in tracks for note in track):
        sounding[begin:end, pitch] = True
    return sounding


def _notation(content: bytes, most: int) -> _Played:
    written = written_in(content, most)
    tracks = [[_note(*note, Fraction(1)) for note in part] for part in written.parts]
    _check_notes(tracks, written.has_drums)
    whole = [at for at, (begin, length) in enumerate(written.bars) if length == STEPS and begin.denominator == 1]
    bars = [int(written.bars[at][0]) for at in whole]
    chords = {begin: written.chords[at] for begin, at in zip(bars, whole, strict=True) if written.chords}
    last = max(end for notes in tracks for _, end, _ in notes)
    length = max(last, *(begin + STEPS for begin in bars), 0)
    return _Played(tracks, bars, len(written.bars) - len(bars), length, chords)


def _midi(content: bytes, most: int) -> _Played:
    tracks, meters = _read(content)
    _check_notes(tracks, has_drums=meters is None)
    last = max(end for notes in tracks for _, end, _ in notes)
    return _Played(tracks, *_bars(meters or [], last, most), {})


def _check_notes(tracks: list[list[Note]], has_drums: bool) -> None:
    if not tracks:
        raise UnusableError("it has no notes but of drums" if has_drums else "it has no notes")


def _read(content: bytes) -> tuple[list[list[Note]], list[Meter] | None]:
    """The notes of each track with notes, and meters in order; None for the meters if there are only drums."""
    require_reader("mido")
    import mido

    if not content.startswith(b"MThd"):
        raise UnusableError("it is no MIDI file and no MusicXML: it begins as neither")
    try:
        file = mido.MidiFile(file=io.BytesIO(content), clip=True)
        kind, ticks, messages = file.type, file.ticks_per_beat, [[*track] for track in file.tracks]
    except Exception as error:  # mido raises nearly anything on damaged bytes
        reason = " ".join(str(error).split())[:100] or "it is cut off"
        raise UnusableError(f"it cannot be read as MIDI ({reason})") from None
    if kind == 2:
        raise UnusableError("its tracks are pieces of their own (MIDI's type 2): split it into files")
    if ticks <= 0:
        raise UnusableError("it counts in seconds, not in beats, so it has no bars")
    found = [_events(track, Fraction(STEPS_A_BEAT, ticks)) for track in messages]
    meters = sorted({meter for _, of_track, _ in found for meter in of_track})
    tracks = [notes for notes, _, _ in found if notes]
    only_drums = not tracks and any(drums for *_, drums in found)
    return tracks, None if only_drums else meters


def _events(track: Sequence[Any], step: Fraction) -> tuple[list[Note], list[Meter], bool]:
    """Notes and meters of a track, and whether it has drums; `step` converts ticks to steps."""
    notes, meters, drums, now = [], [], False, 0
    on: dict[tuple[int, int], int] = {}
    for message in track:
        now += message.time
        if message.type == "time_signature":
            meters.append((now * step, Fraction(STEPS * message.numerator, message.denominator)))
        if message.type not in ("note_on", "note_off"):
            continue
        if message.channel == _DRUMS:
            drums = True
            continue
        name = (message.channel, message.note)
        if (begun := on.pop(name, None)) is not None:
            notes.append(_note(begun, now, message.note, step))
        if message.type == "note_on" and message.velocity:
            on[name] = now
    notes += [_note(begun, now, pitch, step) for (_, pitch), begun in on.items() if now > begun]
    return notes, meters, drums


def _note(begun: int | Fraction, ended: int | Fraction, pitch: int, step: Fraction) -> Note:
    first = round(begun * step)
    return first, max(first + 1, round(ended * step)), pitch


def _bars(meters: list[Meter], last: int, most: int) -> tuple[list[int], int, int]:
    """First steps of bars in 4/4, how many other bars there are, and the steps in total. Raises UnusableError."""
    if last > most:
        raise UnusableError(f"it is {last} steps long: its steps by {PITCHES} pitches are over ingest.max_pixels")
    bars, others, length = [], 0, last
    for begin, end, steps in _parts(meters, last):
        whole = int((end - begin) / steps) if end < last else -int((begin - last) // steps)
        cut_short = end < last and (end - begin) % steps > 0
        if steps != STEPS or begin.denominator > 1:
            others += whole + cut_short
            continue
        bars += [int(begin) + STEPS * number for number in range(whole)]
        others += cut_short
        length = max(length, int(begin) + STEPS * whole)
    return bars, others, length


def _parts(meters: list[Meter], last: int) -> Iterator[tuple[Fraction, Fraction, Fraction]]:
    """The begin and end of each meter, before the `last` step, and the steps of its bars; 4/4 until one is named."""
    by_time = {Fraction(0): Fraction(STEPS)} | dict(meters)
    begins = [begin for begin in sorted(by_time) if begin < last]
    for begin, end in zip(begins, [*begins[1:], Fraction(last)], strict=True):
        if by_time[begin] > 0:
            yield begin, end, by_time[begin]
