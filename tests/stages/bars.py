"""Scores as tests write them, and what is read of them."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stages.media.rolls import STEPS
from stages.media.scores import score_of
from stages.sources import RawImage
from stages.sources.tunes import LOWEST, PITCHES

MOST = 10**6
SIZE: dict[str, Any] = {"height": STEPS, "width": PITCHES}
RANGE: dict[str, Any] = {"lowest": LOWEST, "pitches": PITCHES}
Events = Sequence[tuple[float, float, int]]
"""Notes: beats until one begins, how many it lasts, its pitch."""


def midi(*tracks: Events, meters: tuple[tuple[float, int, int], ...] = (), channel: int = 0, ticks: int = 96) -> bytes:
    """A file of tracks by mido, with meters (beat, numerator, denominator) in the first."""
    mido = pytest.importorskip("mido")
    file = mido.MidiFile(ticks_per_beat=ticks)
    for number, notes in enumerate(tracks):
        timed = [
            (beat + length, mido.Message("note_off", note=pitch, channel=channel)) for beat, length, pitch in notes
        ]
        timed += [(beat, mido.Message("note_on", note=pitch, channel=channel)) for beat, _, pitch in notes]
        if number == 0:
            timed += [(beat, mido.MetaMessage("time_signature", numerator=n, denominator=d)) for beat, n, d in meters]
        track, now = mido.MidiTrack(), 0
        for beat, message in sorted(timed, key=lambda one: (one[0], one[1].type != "note_off")):
            time = round(beat * ticks)
            track.append(message.copy(time=time - now))
            now = time
        file.tracks.append(track)
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def scale(first: int = 60, bars: int = 2) -> list[tuple[float, float, int]]:
    """Quarter notes up."""
    return [(beat, 1, first + beat) for beat in range(4 * bars)]


def pitches_in(content: bytes, **options: Any) -> list[int]:
    """Of each step, the highest; -1 of a rest."""
    sounding = score_of(content, MOST, **options).sounding
    return [int(step.nonzero()[0].max()) if step.any() else -1 for step in sounding]


def bar_of(image: RawImage) -> npt.NDArray[np.bool_]:
    content = image.content() if callable(image.content) else image.content
    bar: npt.NDArray[np.bool_] = np.load(io.BytesIO(content))
    return bar
