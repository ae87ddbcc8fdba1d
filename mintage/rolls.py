"""Bars of music as piano rolls `[N,C,T,P]`: T steps, sixteenths, by P pitches, semitones; values above 0 sound."""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from mintage.dataset import Dataset
from mintage.midi import GENERATED, encode_midi

Voices = Literal["one", "many"]
"""How many pitches may sound at once."""


def sounding(rolls: Tensor, voices: Voices = "one") -> Tensor:
    """Which pitches sound in each step, `[N,T,P]` bool, from rolls `[N,C,T,P]` in [-1,1].

    A pitch sounds if it is above 0 in a channel; with one voice only the strongest, or the highest of equal ones.
    """
    strengths = rolls.amax(1)
    heard = strengths > 0
    if voices == "many":
        return heard
    strongest = strengths.shape[-1] - 1 - strengths.flip(-1).argmax(-1, keepdim=True)
    return heard & torch.zeros_like(heard).scatter(-1, strongest, value=True)


def as_rolls(sounding: Tensor) -> Tensor:
    """`sounding`, `[N,T,P]` bool, as rolls `[N,1,T,P]` of -1 and 1."""
    return sounding[:, None].float() * 2 - 1


def bars(sounding: Tensor, **more: Any) -> Dataset:
    """Bars `[N,T,P]` bool as a `Dataset`, to learn from or to measure against; `more` goes to `mintage.Dataset`.

    `mintage.measure` does not shift these bars along pitch while it trains: in another key a bar is another one.

    Example:
        >>> import torch
        >>> from mintage.rolls import bars
        >>> bars(torch.zeros(2, 16, 24, dtype=torch.bool), attributes={"root": ["C", "G"], "minor": [True, False]})
        Dataset(2 images of [1, 16, 24], 3 attributes)
    """
    return Dataset(as_rolls(torch.as_tensor(sounding)), **more, still=(1,))


def melodies(sounding: Tensor) -> Tensor:
    """The highest pitch of each step, `[N,T]`; -1 where nothing sounds."""
    pitches = torch.arange(sounding.shape[-1], device=sounding.device)
    return torch.where(sounding, pitches, -1).amax(-1)


def save_midi(path: str | Path, rolls: Tensor, lowest: int = 0, tempo: float = 120.0, voices: Voices = "one") -> None:
    """Write generated bars `[C,T,P]`, or `[N,C,T,P]` one after the other, as a MIDI file marked as generated.

    `lowest` is MIDI's number of the first pitch, `tempo` in quarter notes a minute. A note that goes on over a bar line
    is one note. Raises ValueError if pitches go beyond 127.

    Example:
        >>> import torch, tempfile
        >>> from pathlib import Path
        >>> bar = -torch.ones(1, 16, 24)
        >>> bar[0, :8, 0] = 1
        >>> path = Path(tempfile.mkdtemp()) / "bar.mid"
        >>> save_midi(path, bar, lowest=60)
        >>> path.read_bytes()[:4]
        b'MThd'
    """
    heard = sounding(rolls.detach().cpu().float().reshape(-1, *rolls.shape[-3:]), voices)
    Path(path).write_bytes(encode_midi(heard.flatten(0, 1).numpy(), lowest, tempo, GENERATED))
