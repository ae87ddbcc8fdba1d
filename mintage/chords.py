"""Chords of bars: one of 24 triads, which a generator gets as 13 attributes (Yang et al. 2017, section 4.1).

Without torch: sources of bars use this module where torch is not installed.
"""

from typing import NamedTuple

import numpy as np

from mintage.midi import Sounding

ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""The twelve pitch classes, each by one of its names."""
ATTRIBUTES = (*(f"root={name}" for name in sorted(ROOTS)), "minor")
"""A chord as attributes: twelve bits, one of which is 1, in the order that `mintage.Dataset` gives such words; and
whether it is minor."""
NO_CHORD = [-1.0] * len(ATTRIBUTES)
"""The attributes of a bar without a chord."""
_THIRDS, _FIFTH = (4, 3), 7
"""Semitones above the root: the third of a major and of a minor triad, and the fifth of both."""


class Chord(NamedTuple):
    """A triad in any inversion."""

    root: int
    """0 is C."""
    minor: bool

    @property
    def tones(self) -> tuple[int, int, int]:
        """Its pitch classes, 0 to 11: root, third, fifth."""
        return self.root, (self.root + _THIRDS[self.minor]) % 12, (self.root + _FIFTH) % 12

    @property
    def name(self) -> str:
        """Its name, such as Ab or F#m."""
        return ROOTS[self.root] + "m" * self.minor

    @property
    def attributes(self) -> list[float]:
        """Its values, -1 or 1, in the order of `ATTRIBUTES`."""
        true = {f"root={ROOTS[self.root]}", *(["minor"] if self.minor else [])}
        return [1.0 if name in true else -1.0 for name in ATTRIBUTES]


CHORDS = tuple(Chord(root, minor) for root in range(12) for minor in (False, True))


def chord_of(sounding: Sounding, lowest: int = 0) -> Chord | None:
    """The triad whose tones sound longest in `[T,P]`, over all voices; None if nothing sounds.

    Templates of 24 triads are compared with how long each pitch class sounds (Fujishima 1999). The lowest pitch of each
    step counts twice, since it is most often the root; among equal triads the one whose root sounds longer wins.

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
