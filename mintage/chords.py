"""Chords of bars: one of 24 triads, told to a generator as 13 attributes (Yang et al. 2017, section 4.1).

Without torch: sources of bars use it where that is not installed.
"""

from typing import NamedTuple

import numpy as np

from mintage.midi import Sounding

ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""The twelve pitch classes; each stands for whatever else it is written as."""
ATTRIBUTES = (*(f"root={name}" for name in sorted(ROOTS)), "minor")
"""What stands for a chord: twelve bits, of which one is 1, in the order in which `mintage.Dataset` has such words; and
whether it is minor."""
NO_CHORD = [-1.0] * len(ATTRIBUTES)
"""The attributes of what has none."""
_THIRDS, _FIFTH = (4, 3), 7
"""Semitones above the root: the third of a major and of a minor triad, and the fifth of both."""


class Chord(NamedTuple):
    """A triad, whatever its inversion."""

    root: int
    """0 is C."""
    minor: bool

    @property
    def tones(self) -> tuple[int, int, int]:
        """Its pitch classes: root, third, fifth."""
        return self.root, (self.root + _THIRDS[self.minor]) % 12, (self.root + _FIFTH) % 12

    @property
    def name(self) -> str:
        """Such as Ab or F#m."""
        return ROOTS[self.root] + "m" * self.minor

    @property
    def attributes(self) -> list[float]:
        """Of -1 and 1, in the order of `ATTRIBUTES`."""
        true = {f"root={ROOTS[self.root]}", *(["minor"] if self.minor else [])}
        return [1.0 if name in true else -1.0 for name in ATTRIBUTES]


CHORDS = tuple(Chord(root, minor) for root in range(12) for minor in (False, True))


def chord_of(sounding: Sounding, lowest: int = 0) -> Chord | None:
    """The triad whose tones sound longest in `[T,P]`, of all voices; None where nothing sounds.

    Templates of 24 triads are laid over how long each pitch class sounds (Fujishima 1999). The lowest pitch of each
    step counts twice, since it is most often the root; of triads that are equal by that the one whose root is longer.

    Example:
        >>> bar = np.zeros((16, 12), np.bool_)
        >>> bar[:, [2, 5, 9]] = True
        >>> chord_of(bar, lowest=60).name
        'Dm'
    """
    if not sounding.any():
        return None
    classes = (np.arange(sounding.shape[1]) + lowest) % 12
    heard = sounding.any(1)
    steps = np.bincount(classes, sounding.sum(0), 12) + np.bincount(classes[sounding[heard].argmax(1)], minlength=12)
    return max(CHORDS, key=lambda chord: (steps[[*chord.tones]].sum(), steps[chord.root]))
