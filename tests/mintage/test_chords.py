"""Which chord a bar is of, what stands for it, and how much of a melody is of it."""

import numpy as np
import pytest
import torch

import mintage
from mintage.chords import ATTRIBUTES, CHORDS, ROOTS, Chord, chord_of
from mintage.metrics.music import chord_tones


@pytest.mark.parametrize("chord", CHORDS, ids=lambda chord: chord.name)
def test_a_triad_is_known_in_any_inversion_with_a_passing_note_and_from_any_lowest_pitch(chord: Chord) -> None:
    tones = [48 + tone for tone in chord.tones]
    for low in range(3):
        bar = np.zeros((16, 128), np.bool_)
        bar[:, [tone + 12 * (place != low) for place, tone in enumerate(tones)]] = True
        bar[12:14, 84 + (chord.root + 2) % 12] = True
        assert chord_of(bar) == chord_of(bar[:, 24:], lowest=24) == chord


def test_of_chords_that_fit_alike_the_bass_and_the_longer_root_decide_and_silence_is_none() -> None:
    bar = np.zeros((16, 128), np.bool_)
    bar[:, [57, 60, 64, 67]] = True  # A C E G: of A minor and of C
    assert chord_of(bar) == Chord(9, minor=True)
    bar = bar[:, :] & False
    bar[:, 60], bar[:4, 64] = True, True  # C and E alone: C, C minor's third is missing, and A minor's root
    assert chord_of(bar) == Chord(0, minor=False)
    assert chord_of(bar & False) is None


def test_a_dataset_orders_the_words_of_chords_as_sources_do() -> None:
    attributes = {"root": [chord.name.rstrip("m") for chord in CHORDS], "minor": [chord.minor for chord in CHORDS]}
    data = mintage.Dataset(torch.zeros(24, 1, 16, 24), attributes=attributes)
    assert data.attribute_names == ATTRIBUTES
    assert data.attributes is not None
    assert data.attributes.tolist() == [chord.attributes for chord in CHORDS]
    assert {*ROOTS} == {name.partition("=")[2] for name in ATTRIBUTES[:-1]}


def test_of_what_sounds_the_share_is_counted_that_is_of_each_bar_s_own_chord() -> None:
    bars = torch.zeros(2, 16, 24, dtype=torch.bool)
    bars[0, :12, 4] = bars[0, 12:, 5] = True  # E, then F
    bars[1, :, 12] = True  # C
    c, f = Chord(0, minor=False), Chord(5, minor=False)
    assert chord_tones(bars, [c, f], lowest=60) == pytest.approx(28 / 32)
    assert chord_tones(bars, [f, f], lowest=60) == pytest.approx(20 / 32)
    assert chord_tones(bars & False, [c, f]) == 0
