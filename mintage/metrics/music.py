"""Metrics of bars of music, from the pitches that sound in each step, `[N,T,P]` bool (Yang and Lerch 2020).

A note is a pitch that begins to sound; its duration is in steps. The melody is the highest pitch; intervals, in
semitones, are from one of its notes to the next in the bar. All depend on the number of bars: compare equal numbers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mintage.chords import Chord
from mintage.rolls import melodies

_WIDEST = 12
"""Widest interval in semitones; wider intervals count as this one."""
_MOVES = 2 * _WIDEST + 1
_UNSEEN = 0.5
"""Added to the count of each bin (Krichevsky and Trofimov 1981), so that none is empty."""
_MAJOR = (0, 2, 4, 5, 7, 9, 11)


def pitch_classes(sounding: Tensor, lowest: int = 0) -> Tensor:
    """How many notes have each pitch class, C first: `[12]`."""
    pitches = _begins(sounding).sum((0, 1))
    return torch.zeros(12, dtype=pitches.dtype).index_add(0, (torch.arange(len(pitches)) + lowest) % 12, pitches)


def intervals(sounding: Tensor) -> Tensor:
    """How often the melody has each interval, from an octave down to one up: `[25]`."""
    moves, same_bar = _moves(sounding)
    return torch.bincount(moves[same_bar], minlength=_MOVES)


def motifs(sounding: Tensor) -> Tensor:
    """Both intervals, as one number, of every three notes in a row of the melody in a bar: `[M]`."""
    moves, same_bar = _moves(sounding)
    return (moves[:-1] * _MOVES + moves[1:])[same_bar[:-1] & same_bar[1:]]


def rhythms(sounding: Tensor) -> Tensor:
    """The steps at which notes of the melody begin, as the bits of one number for each bar: `[N]`.

    The grooving pattern of Wu and Yang 2020, for bars of at most 62 steps.
    """
    begins = _notes(melodies(sounding)).long()
    return (begins << torch.arange(begins.shape[1])).sum(1)


def durations(sounding: Tensor) -> Tensor:
    """How many notes last 1, 2, ... T steps: `[T]`; all notes end at a bar line."""
    lasting = sounding.long()
    for step in reversed(range(sounding.shape[1] - 1)):
        lasting[:, step] *= 1 + lasting[:, step + 1]
    return torch.bincount(lasting[_begins(sounding)], minlength=sounding.shape[1] + 1)[1:]


def divergence(real: Tensor, fake: Tensor) -> float:
    """The Kullback-Leibler divergence KL(real || fake) of two counts `[K]` of notes, in nats; 0 if shares agree."""
    ours, theirs = ((counts.double() + _UNSEEN) / (counts.sum() + _UNSEEN * len(counts)) for counts in (real, fake))
    return (ours * (ours / theirs).log()).sum().item()


def gap(real: Tensor, fake: Tensor) -> float:
    """The total variation of two sets of patterns, numbers `[N]` and `[M]`: half the sum of differences of shares.

    0 if all shares agree, 1 if no pattern is in both, or only one set has any.
    """
    if not len(real) or not len(fake):
        return float(len(real) != len(fake))
    found, places = torch.unique(torch.cat([real, fake]), return_inverse=True)
    shares = [
        torch.bincount(some, minlength=len(found)).double() / len(some) for some in places.split([len(real), len(fake)])
    ]
    return (shares[0] - shares[1]).abs().sum().item() / 2


def in_scale(sounding: Tensor, lowest: int = 0) -> float:
    """The share of a bar's sounding pitches in the best fitting major scale, as a mean over bars.

    Empty bars are left out. Random pitches reach about 0.7, all twelve at once 7/12.
    """
    steps = sounding.sum(1).double()
    of_class = (torch.arange(steps.shape[1]) + lowest) % 12
    classes = torch.zeros(len(steps), 12, dtype=torch.double).index_add(1, of_class, steps)
    major = torch.zeros(12, dtype=torch.double).index_fill(0, torch.tensor(_MAJOR), 1.0)
    scales = torch.stack([major.roll(key) for key in range(12)])
    filled = classes[classes.sum(1) > 0]
    return ((filled @ scales.T).amax(1) / filled.sum(1)).mean().item() if len(filled) else 0.0


def chord_tones(sounding: Tensor, chords: Sequence[Chord], lowest: int = 0) -> float:
    """The share of sounding pitches in N bars that belong to the bar's chord; 0 for silence. Random pitches: 3/12."""
    of_chord = torch.zeros(len(chords), 12, dtype=torch.bool)
    for row, chord in zip(of_chord, chords, strict=True):
        row[[*chord.tones]] = True
    classes = (torch.arange(sounding.shape[2]) + lowest) % 12
    right = sounding & of_chord[:, None, classes]
    return right.sum().item() / max(1, int(sounding.sum()))


def polyphony(sounding: Tensor) -> float:
    """How many pitches sound at once, as a mean over steps in which any sounds; 0 if none does."""
    together = sounding.sum(-1)
    return together[together > 0].double().mean().item() if together.any() else 0.0


def empty_bars(sounding: Tensor) -> float:
    """The share of bars in which nothing sounds."""
    return (~sounding.flatten(1).any(1)).double().mean().item()


def distinct_bars(sounding: Tensor) -> float:
    """The number of distinct bars, as a share of all bars."""
    return len(torch.unique(sounding.flatten(1), dim=0)) / len(sounding)


def copied_bars(sounding: Tensor, others: Tensor) -> float:
    """The share of bars that are equal, note for note, to one of the `others` `[M,T,P]`."""
    known = {bar.numpy().tobytes() for bar in others}
    return sum(bar.numpy().tobytes() in known for bar in sounding) / len(sounding)


def music_figures(real: Tensor, fake: Tensor, lowest: int = 0) -> dict[str, float]:
    """All metrics of generated bars, against as many real ones."""
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
    """Intervals from each note of the melodies to the next, 0 for an octave down; and whether both are in one bar."""
    melody = melodies(sounding)
    bars, steps = _notes(melody).nonzero(as_tuple=True)
    return melody[bars, steps].diff().clamp(-_WIDEST, _WIDEST) + _WIDEST, bars.diff() == 0
