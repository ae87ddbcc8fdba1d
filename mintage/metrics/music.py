"""Figures of bars of music, of what sounds in each step, `[N,T,P]` of truths (Yang and Lerch 2020).

A note is a pitch that begins to sound; how long it lasts is counted in steps. Intervals are in semitones, from a note
of the melody, the highest pitch, to the next in its bar. All depend on how many bars there are: compare equal counts.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mintage.chords import Chord
from mintage.rolls import melodies

_WIDEST = 12
"""Semitones of an interval; wider ones count as this."""
_MOVES = 2 * _WIDEST + 1
_UNSEEN = 0.5
"""Of a note that each bin has beside what was counted (Krichevsky and Trofimov 1981), so that none is empty."""
_MAJOR = (0, 2, 4, 5, 7, 9, 11)


def pitch_classes(sounding: Tensor, lowest: int = 0) -> Tensor:
    """How many notes are of each of the twelve, C first, octaves taken as one: `[12]`."""
    pitches = _begins(sounding).sum((0, 1))
    return torch.zeros(12, dtype=pitches.dtype).index_add(0, (torch.arange(len(pitches)) + lowest) % 12, pitches)


def intervals(sounding: Tensor) -> Tensor:
    """How many steps from note to note of the melody are of each interval, from an octave down to one up: `[25]`."""
    moves, same_bar = _moves(sounding)
    return torch.bincount(moves[same_bar], minlength=_MOVES)


def motifs(sounding: Tensor) -> Tensor:
    """Of every three notes of the melody that follow each other in a bar, both intervals as one number: `[M]`."""
    moves, same_bar = _moves(sounding)
    return (moves[:-1] * _MOVES + moves[1:])[same_bar[:-1] & same_bar[1:]]


def rhythms(sounding: Tensor) -> Tensor:
    """Of each bar the steps at which notes of the melody begin, as the bits of one number: `[N]`.

    The grooving pattern of Wu and Yang 2020, of bars of at most 62 steps.
    """
    begins = _notes(melodies(sounding)).long()
    return (begins << torch.arange(begins.shape[1])).sum(1)


def durations(sounding: Tensor) -> Tensor:
    """How many notes last 1, 2, ... T steps: `[T]`; at a bar line each ends."""
    lasting = sounding.long()
    for step in reversed(range(sounding.shape[1] - 1)):
        lasting[:, step] *= 1 + lasting[:, step + 1]
    return torch.bincount(lasting[_begins(sounding)], minlength=sounding.shape[1] + 1)[1:]


def divergence(real: Tensor, fake: Tensor) -> float:
    """The Kullback-Leibler divergence of two counts `[K]` of notes, real from fake, in nats; 0 where shares agree."""
    ours, theirs = ((counts.double() + _UNSEEN) / (counts.sum() + _UNSEEN * len(counts)) for counts in (real, fake))
    return (ours * (ours / theirs).log()).sum().item()


def gap(real: Tensor, fake: Tensor) -> float:
    """The share of patterns, `[N]` and `[M]` of numbers, that would have to be others for their shares to agree.

    Half the sum of the differences of shares, the total variation; 0 where they agree, 1 where no pattern is in both
    or one side alone has any.
    """
    if not len(real) or not len(fake):
        return float(len(real) != len(fake))
    found, places = torch.unique(torch.cat([real, fake]), return_inverse=True)
    shares = [
        torch.bincount(some, minlength=len(found)).double() / len(some) for some in places.split([len(real), len(fake)])
    ]
    return (shares[0] - shares[1]).abs().sum().item() / 2


def in_scale(sounding: Tensor, lowest: int = 0) -> float:
    """The share of what sounds in a bar that is of one major scale, the one that fits best; the mean of bars.

    Empty bars are left out. Pitches at random reach about 0.7, all twelve 7/12.
    """
    steps = sounding.sum(1).double()
    of_class = (torch.arange(steps.shape[1]) + lowest) % 12
    classes = torch.zeros(len(steps), 12, dtype=torch.double).index_add(1, of_class, steps)
    major = torch.zeros(12, dtype=torch.double).index_fill(0, torch.tensor(_MAJOR), 1.0)
    scales = torch.stack([major.roll(key) for key in range(12)])
    filled = classes[classes.sum(1) > 0]
    return ((filled @ scales.T).amax(1) / filled.sum(1)).mean().item() if len(filled) else 0.0


def chord_tones(sounding: Tensor, chords: Sequence[Chord], lowest: int = 0) -> float:
    """The share of what sounds in N bars that is of each one's chord; 0 of silence. Pitches at random reach 3/12."""
    of_chord = torch.zeros(len(chords), 12, dtype=torch.bool)
    for row, chord in zip(of_chord, chords, strict=True):
        row[[*chord.tones]] = True
    classes = (torch.arange(sounding.shape[2]) + lowest) % 12
    right = sounding & of_chord[:, None, classes]
    return right.sum().item() / max(1, int(sounding.sum()))


def polyphony(sounding: Tensor) -> float:
    """How many pitches sound at once, where any does; 0 where none does."""
    together = sounding.sum(-1)
    return together[together > 0].double().mean().item() if together.any() else 0.0


def empty_bars(sounding: Tensor) -> float:
    """The share of bars in which nothing sounds."""
    return (~sounding.flatten(1).any(1)).double().mean().item()


def distinct_bars(sounding: Tensor) -> float:
    """The share of bars that are left where equal ones count once."""
    return len(torch.unique(sounding.flatten(1), dim=0)) / len(sounding)


def copied_bars(sounding: Tensor, others: Tensor) -> float:
    """The share of bars that are equal, note for note, to one of the `others` `[M,T,P]`."""
    known = {bar.numpy().tobytes() for bar in others}
    return sum(bar.numpy().tobytes() in known for bar in sounding) / len(sounding)


def music_figures(real: Tensor, fake: Tensor, lowest: int = 0) -> dict[str, float]:
    """What tells bars from real ones, of as many of either."""
    return {
        "pitch_divergence": divergence(pitch_classes(real, lowest), pitch_classes(fake, lowest)),
        "interval_divergence": divergence(intervals(real), intervals(fake)),
        "duration_divergence": divergence(durations(real), durations(fake)),
        "motif_gap": gap(motifs(real), motifs(fake)),
        "rhythm_gap": gap(rhythms(real), rhythms(fake)),
        "in_scale": in_scale(fake, lowest),
        "distinct_bars": distinct_bars(fake),
        "empty_bars": empty_bars(fake),
        "polyphony_gap": abs(polyphony(real) - polyphony(fake)),
    }


def _begins(sounding: Tensor) -> Tensor:
    """Where notes begin, `[N,T,P]`."""
    before = torch.nn.functional.pad(sounding, (0, 0, 1, 0))[:, :-1]
    return sounding & ~before


def _notes(melody: Tensor) -> Tensor:
    """Where notes of a melody `[N,T]` begin, `[N,T]`."""
    before = torch.nn.functional.pad(melody, (1, 0), value=-1)[:, :-1]
    return (melody >= 0) & (melody != before)


def _moves(sounding: Tensor) -> tuple[Tensor, Tensor]:
    """Intervals from each note of the melodies to the next, 0 for an octave down, and whether both are in one bar."""
    melody = melodies(sounding)
    bars, steps = _notes(melody).nonzero(as_tuple=True)
    return melody[bars, steps].diff().clamp(-_WIDEST, _WIDEST) + _WIDEST, bars.diff() == 0
