"""Chord symbols of MusicXML, its `harmony` elements: which triad each means, and when it begins."""

from collections.abc import Iterable
from fractions import Fraction
from xml.etree import ElementTree

from mintage.chords import Chord

STEPS_OF_SCALE = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MAJOR = frozenset({
    "major", "major-sixth", "major-seventh", "major-ninth", "major-11th", "major-13th",
    "dominant", "dominant-ninth", "dominant-11th", "dominant-13th",
})  # fmt: skip
"""Kinds (MusicXML 4.0, `kind-value`) with a major third and a perfect fifth above their root."""
MINOR = frozenset({"minor", "minor-sixth", "minor-seventh", "minor-ninth", "minor-11th", "minor-13th", "major-minor"})
"""Kinds with a minor third and a perfect fifth. Any other kind is none of the 24 triads."""

Symbol = tuple[Fraction, Chord | None]
"""When a chord begins, and which it is; None if it is none of the 24 triads, or N.C. (no chord)."""


def chord_in(harmony: ElementTree.Element, sounds_higher: int) -> Chord | None:
    """The triad of a symbol, by its first root and kind alone, `sounds_higher` semitones above the written one."""
    step = STEPS_OF_SCALE.get((harmony.findtext("root/root-step") or "").strip())
    kind = (harmony.findtext("kind") or "").strip()
    if step is None or kind not in MAJOR | MINOR:
        return None
    altered = round(float(harmony.findtext("root/root-alter") or 0))
    return Chord((step + altered + sounds_higher) % 12, minor=kind in MINOR)


def longest_in(symbols: Iterable[Symbol], before: Chord | None, length: Fraction) -> tuple[Chord | None, Chord | None]:
    """The longest chord of a bar, the first if several are equally long; and the chord at the bar's end.

    A chord lasts until the next symbol, also over bar lines; `before` is the chord when the bar begins.
    """
    held = [(Fraction(0), before), *sorted(symbols, key=lambda symbol: symbol[0])]
    ends = [*(begin for begin, _ in held[1:]), length]
    lasts: dict[Chord | None, Fraction] = {}
    for (begin, chord), end in zip(held, ends, strict=True):
        lasts[chord] = lasts.get(chord, Fraction(0)) + min(end, length) - min(begin, length)
    return max(lasts, key=lasts.__getitem__), held[-1][1]
