"""Bars of music: what sounds in a roll, MIDI files of it, figures of it."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import mintage
from mintage.metrics import music
from mintage.midi import GENERATED, as_sound, encode_midi, notes_of, texts_of, with_texts
from mintage.rolls import as_rolls, bars, melodies, save_midi, sounding

LOWEST = 60


def bar(*pitches: int, count: int = 24) -> Tensor:
    """One pitch a step, -1 for a rest: `[1,T,P]` of truths."""
    heard = torch.zeros(1, len(pitches), count, dtype=torch.bool)
    for step, pitch in enumerate(pitches):
        if pitch >= 0:
            heard[0, step, pitch] = True
    return heard


def at_random(count: int = 200, seed: int = 0) -> Tensor:
    """Bars of one voice, each step's pitch drawn by itself."""
    random = torch.Generator().manual_seed(seed)
    return sounding(torch.rand(count, 1, 16, 24, generator=random))


SCALE = bar(0, 2, 4, 5, 7, 9, 11, 12)


def test_of_one_voice_the_strongest_pitch_sounds_and_of_many_all_above_0() -> None:
    roll = -torch.ones(1, 2, 3, 4)
    roll[0, 0, 0, 1], roll[0, 1, 0, 3] = 0.2, 0.9
    roll[0, :, 1, 2] = 0.0
    roll[0, 0, 2, :2] = 0.5
    assert melodies(sounding(roll)).tolist() == [[3, -1, 1]]
    assert sounding(roll)[0].sum(-1).tolist() == [1, 0, 1]
    assert sounding(roll, "many")[0].sum(-1).tolist() == [2, 0, 2]


@given(st.lists(st.integers(-1, 23), min_size=1, max_size=32))
def test_what_sounds_is_the_same_once_it_is_a_roll_again(pitches: list[int]) -> None:
    heard = bar(*pitches)
    assert torch.equal(sounding(as_rolls(heard)), heard)
    assert melodies(heard)[0].tolist() == pitches


@given(
    st.lists(st.sets(st.integers(0, 23), max_size=4), min_size=1, max_size=40),
    st.integers(0, 104),
    st.floats(30, 300),
)
def test_another_program_reads_the_same_notes_in_a_midi_file(chords: list[set[int]], lowest: int, tempo: float) -> None:
    mido = pytest.importorskip("mido")
    heard = torch.zeros(len(chords), 24, dtype=torch.bool)
    for step, chord in enumerate(chords):
        heard[step, list(chord)] = True
    file = mido.MidiFile(file=io.BytesIO(encode_midi(heard.numpy(), lowest, tempo, GENERATED)))
    found, now, on = torch.zeros_like(heard), 0, {}
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on":
            on[message.note] = now
        elif message.type == "note_off":
            step, end = (ticks * 4 // file.ticks_per_beat for ticks in (on.pop(message.note), now))
            found[step:end, message.note - lowest] = True
        elif message.type == "set_tempo":
            assert mido.tempo2bpm(message.tempo) == pytest.approx(tempo, rel=1e-4)
    assert not on
    assert torch.equal(found, heard)
    assert now * 4 == len(chords) * file.ticks_per_beat


def test_a_note_is_heard_at_its_frequency_while_it_lasts() -> None:
    bar_of_a = bar(*[-1] * 8, *[9] * 8)[0].numpy()
    sound = as_sound(bar_of_a, LOWEST, tempo=120, rate=8000)
    assert (sound.shape, bool(sound[:, :8000].any())) == ((1, 16_000), False)
    strengths = np.abs(np.fft.rfft(sound[0, 8000:]))
    assert strengths.argmax() == pytest.approx(440, abs=1), "A4; a second has so many periods"
    assert np.abs(sound).max() < 0.6
    assert [*notes_of(bar_of_a)] == [(8, 16, 9)]


def test_texts_are_added_and_read_again_and_notes_stay() -> None:
    content = encode_midi(SCALE[0].numpy(), LOWEST)
    marked = with_texts(with_texts(content, ["second"]), ["Title: Ä", "x" * 300])
    assert texts_of(marked) == ["Title: Ä", "x" * 300, "second"]
    assert marked.endswith(content[-40:])
    assert texts_of(content) == texts_of(b"RIFF") == texts_of(marked[:20]) == []
    assert with_texts(b"no MIDI", ["a"]) == b"no MIDI"


def test_saved_bars_are_one_after_the_other_and_say_that_they_are_generated(tmp_path: Path) -> None:
    bars = as_rolls(torch.cat([SCALE, SCALE]))
    save_midi(tmp_path / "two.mid", bars, LOWEST)
    save_midi(tmp_path / "one.mid", bars[0], LOWEST)
    two, one = ((tmp_path / name).read_bytes() for name in ("two.mid", "one.mid"))
    assert texts_of(two) == texts_of(one) == list(GENERATED)
    assert two.count(b"\x90") == 2 * one.count(b"\x90") == 16
    with pytest.raises(ValueError, match="pitches of 0 to 127"):
        save_midi(tmp_path / "none.mid", bars, lowest=120)
    for tempo in (0.0, -120.0, 3.0, math.nan):
        with pytest.raises(ValueError, match="give quarter notes a minute"):
            save_midi(tmp_path / "none.mid", bars, LOWEST, tempo)


def test_measure_moves_bars_along_time_alone_so_that_it_hears_in_which_key_they_are() -> None:
    heard = torch.nn.functional.one_hot(torch.arange(320) % 8, 8).bool()[:, None].repeat(1, 16, 1)
    keys = torch.arange(320) % 2
    found = {}
    for name, data in {"bars": bars(heard, label=keys), "pictures": mintage.Dataset(as_rolls(heard), keys)}.items():
        model = mintage.train(data, "cgan", images=32, recipe={"width": 4, "batch_size": 16}, progress=False).model
        accuracy = mintage.measure(model, data, evaluator_images=4_000)["conditional_accuracy"]
        found[name] = accuracy.floor
    assert found["bars"] > 0.95, "of real ones"
    assert found["pictures"] < 0.8
    with pytest.raises(ValueError, match=r"still = \[2\]: these images have sides 0, 1"):
        mintage.Dataset(as_rolls(heard), still=[2])


def test_notes_are_counted_by_class_interval_and_length() -> None:
    heard = bar(0, 0, 2, -1, 2, 12, 12, 12)
    assert music.pitch_classes(heard, LOWEST).tolist() == [2, 0, 2, *[0] * 9]
    assert {place - 12: count for place, count in enumerate(music.intervals(heard).tolist()) if count} == {
        2: 1, 0: 1, 10: 1
    }  # fmt: skip
    assert music.durations(heard).tolist() == [2, 1, 1, 0, 0, 0, 0, 0]


def test_no_interval_leads_from_one_bar_into_the_next_and_wide_ones_are_octaves() -> None:
    assert music.intervals(torch.cat([bar(0, 0), bar(5, 5)])).sum() == 0
    assert music.intervals(bar(0, 20))[-1] == 1


def test_a_lowest_pitch_of_another_class_moves_the_classes() -> None:
    assert music.pitch_classes(bar(0), 62).argmax() == 2


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=3), st.lists(st.integers(0, 1000), min_size=3, max_size=3))
def test_a_divergence_is_0_of_the_same_shares_alone(ours: list[int], theirs: list[int]) -> None:
    real, fake = torch.tensor(ours), torch.tensor(theirs)
    assert music.divergence(real, real) == pytest.approx(0, abs=1e-12)
    assert music.divergence(real, fake) >= -1e-12
    assert math.isfinite(music.divergence(real, fake))


def test_motifs_are_of_three_notes_in_one_bar_in_any_key_and_rhythms_of_where_notes_begin() -> None:
    heard = torch.cat([bar(0, 0, 2, 2, 2, 7, -1, 7), bar(5, 5, 7, 7, 7, 12, -1, 12), bar(*[4] * 8)])
    up, fifth, again = 12 + 2, 12 + 5, 12
    assert music.motifs(heard).tolist() == [25 * up + fifth, 25 * fifth + again] * 2
    assert music.rhythms(heard).tolist() == [0b10100101, 0b10100101, 1]


def test_a_rhythm_is_more_than_its_lengths_and_a_motif_more_than_its_intervals() -> None:
    ours = torch.cat([bar(0, 0, 1, 1, 1, 1, 2, 2), bar(2, 2, 1, 1, 1, 1, 0, 0)])
    theirs = torch.cat([bar(0, 0, 1, 1, 0, 0, 0, 0), bar(2, 2, 2, 2, 1, 1, 2, 2)])
    figures = music.music_figures(ours, theirs)
    alike = ("pitch_divergence", "interval_divergence", "duration_divergence")
    assert [figures[name] for name in alike] == [pytest.approx(0, abs=1e-12)] * 3
    assert figures["rhythm_gap"] == figures["motif_gap"] == 1


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_a_gap_is_0_of_the_same_patterns_1_of_others_alone_and_as_wide_from_either_side(
    ours: list[int], theirs: list[int]
) -> None:
    real, fake = torch.tensor(ours, dtype=torch.long), torch.tensor(theirs, dtype=torch.long)
    assert music.gap(real, real.flip(0)) == pytest.approx(0)
    assert music.gap(real, fake) == pytest.approx(music.gap(fake, real))
    assert music.gap(real, fake + 10) == pytest.approx(1.0 if ours or theirs else 0.0)
    assert 0 <= music.gap(real, fake) <= 1 + 1e-12


def test_a_scale_is_in_scale_in_any_key_and_all_twelve_pitches_in_seven_of_twelve() -> None:
    assert music.in_scale(SCALE, LOWEST) == music.in_scale(SCALE, LOWEST + 5) == 1
    assert music.in_scale(bar(*range(12)), LOWEST) == pytest.approx(7 / 12)
    assert 0.65 < music.in_scale(at_random(), LOWEST) < 0.8
    assert music.in_scale(bar(-1)) == 0


def test_empty_equal_and_copied_bars_are_counted() -> None:
    heard = torch.cat([SCALE, SCALE, bar(*[-1] * 8), bar(*[1] * 8)])
    assert music.empty_bars(heard) == 0.25
    assert music.distinct_bars(heard) == 0.75
    assert music.copied_bars(heard, SCALE) == 0.5
    assert music.polyphony(heard) == 1
    assert music.polyphony(heard | SCALE) == (8 + 8 + 8 + 16) / 32
    assert music.polyphony(bar(-1)) == 0


def test_figures_tell_noise_from_melodies_and_halves_of_the_same_are_near() -> None:
    walks = torch.randint(-1, 2, (400, 16), generator=torch.Generator().manual_seed(0)).cumsum(1).clamp(-6, 6) + 7
    tunes = torch.nn.functional.one_hot(torch.tensor([0, 2, 4, 5, 7, 9, 11])[walks % 7] + 12 * (walks // 7), 24).bool()
    same, noise = (music.music_figures(tunes[:200], fake, LOWEST) for fake in (tunes[200:], at_random()))
    assert same["in_scale"] == 1
    assert same["distinct_bars"] > 0.95
    for name in ("pitch_divergence", "interval_divergence", "duration_divergence"):
        assert same[name] < 0.03 < noise[name], name
    assert same["motif_gap"] < 0.3 < noise["motif_gap"]
    assert noise["in_scale"] < 0.8
