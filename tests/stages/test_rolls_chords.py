"""Bars by their chord: from both sources, and MidiNet told one through every stage."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from mintage import Model
from mintage.chords import ATTRIBUTES, CHORDS, ROOTS
from mintage.metrics.music import chord_tones
from mintage.rolls import sounding
from stages.common.files import read_json
from stages.common.foresight import Known, foreseen
from stages.common.params import load_params
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.media.rolls import STEPS, Rolls
from stages.sources import has_attributes, open_source
from stages.sources.tunes import LOWEST, PITCHES, draw_over_chords
from tests.stages.source_files import ingest_params
from tests.stages.test_rolls_pipeline import PARAMS as OF_TUNES
from tests.stages.tiny_data import write_params

PARAMS: dict[str, Any] = {
    **OF_TUNES,
    "ingest.options": {"tunes": 300, "chords": True},
    "train.family": "midinet_chords",
    "train.recipe": {"width": 64, "batch_size": 16, "latent_size": 16, "ema_half_life": 500.0},
    "train.images": 6_000,
    "train.checkpoint_every": 6_000,
    "select.guards": [],
    "sample.attributes": {"root": "G", "minor": False},
}


def notation(*parts: list[list[tuple[str, int]]]) -> str:
    """MusicXML of parts, each of bars, each of the pitches that sound all through it."""
    written = ""
    for bars in parts:
        written += "<part>"
        for bar in bars:
            written += "<measure><attributes><divisions>1</divisions></attributes>"
            for number, (step, octave) in enumerate(bar):
                pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>4</duration>"
                written += f"<note>{'<chord/>' * (number > 0)}{pitch}</note>"
            written += "</measure>"
        written += "</part>"
    return f"<score-partwise>{written}</score-partwise>"


def test_a_bar_s_chord_is_of_all_voices_though_one_is_learned_from(tmp_path: Path) -> None:
    high, low = [[("E", 5)], [("D", 5)]], [[("A", 3), ("C", 3)], [("G", 3), ("B", 3)]]  # A minor's, then G's
    (tmp_path / "high").mkdir()
    (tmp_path / "low").mkdir()
    (tmp_path / "high/one.xml").write_text(notation(high, low))
    (tmp_path / "high/two.xml").write_text(notation(low))
    (tmp_path / "low/broken.xml").write_text("<score-partwise>")
    options = {"chords": True, "lowest": 48, "pitches": 36}
    params = ingest_params(source="rolls", path=str(tmp_path), options=options)
    source = open_source(params)
    assert has_attributes(params)
    assert (source.classes, source.attributes) == (None, [*ATTRIBUTES])
    conditions = {image.key: (image.label, image.attributes) for image in source.images}
    chords = {chord.name: chord.attributes for chord in CHORDS}
    assert conditions["high/one.xml#0000"] == (None, chords["Am"])
    assert conditions["high/one.xml#0001"] == (None, chords["G"])
    assert len(conditions["low/broken.xml"][1] or []) == len(ATTRIBUTES), "it stays, to be named by normalize"
    assert not has_attributes(ingest_params(source="rolls", path=str(tmp_path)))


@pytest.mark.parametrize("number", range(0, 36, 5))
def test_a_tune_over_chords_is_in_its_key_and_on_each_beat_of_its_chord(number: int) -> None:
    tune, chords = draw_over_chords(4, 0, number)
    assert np.array_equal(tune, draw_over_chords(4, 0, number)[0])
    for bar, chord in enumerate(chords):
        begins = np.diff(tune[STEPS * bar : STEPS * (bar + 1)].astype(int), axis=0, prepend=0) > 0
        steps, pitches = begins.nonzero()
        assert {*(pitches[steps % 4 == 0] % 12)} <= {*chord.tones}
    assert {chord.root for each in range(36) for chord in draw_over_chords(4, 0, each)[1]} == {*range(12)}


def test_a_family_that_is_told_chords_goes_with_data_that_have_them(tmp_path: Path) -> None:
    write_params(tmp_path, {"train.family": "midinet_chords"})
    params = load_params(tmp_path / "params.yaml")
    known = Known((1, STEPS, PITCHES), Rolls(60, PITCHES), paired=False, attributes=False)
    [conditions] = foreseen(params, known)
    assert "learns from attributes, and bars have none: set ingest.options.chords to true" in conditions
    write_params(tmp_path, {"train.family": "cgan"})
    known = Known((1, STEPS, PITCHES), Rolls(60, PITCHES), paired=False, attributes=True)
    assert any(
        "set train.family to midinet_chords" in conditions
        for conditions in foreseen(load_params(tmp_path / "params.yaml"), known)
    )


@pytest.mark.slow
def test_a_melody_keeps_to_the_chord_that_it_is_asked_for(finished: Path, selected: Model) -> None:
    assert selected.attributes == ATTRIBUTES
    shares = []
    for chord in CHORDS[:6]:
        made = sounding(selected.sample(48, seed=1, attributes={"root": ROOTS[chord.root], "minor": chord.minor}))
        shares.append(
            [chord_tones(made, [asked] * len(made), LOWEST) for asked in (chord, CHORDS[(chord.root + 6) % 12 * 2])]
        )
    asked, far = np.mean(shares, 0)
    assert asked > far + 0.2
    held_out = Split(finished / "data/normalized/holdout")
    assert held_out.attributes is not None
    assert held_out.signature.attributes == ATTRIBUTES
    tune, number = held_out.keys[0].removeprefix("tune-").split("#")
    assert held_out.attributes[0].tolist() == draw_over_chords(4, 0, int(tune))[1][int(number)].attributes


@pytest.mark.slow
def test_samples_are_of_the_chord_in_params_and_the_report_tells_how_often_it_is_heard(
    finished: Path, selection: dict[str, Any]
) -> None:
    (table,) = read_tables(finished / "samples")
    conditions = np.array(table["attributes"].to_pylist())
    assert (conditions == CHORDS[2 * ROOTS.index("G")].attributes).all()
    assert [row["name"] for row in selection["attributes"]] == ["root", "minor"]
    assert "Attribute by attribute" in (finished / "reports/index.html").read_text()


@pytest.mark.slow
def test_the_release_and_its_onnx_are_asked_by_chord(finished: Path, published: Model, selected: Model) -> None:
    asked: dict[str, Any] = {"root": "Bb", "minor": True}
    assert torch.equal(published.sample(4, seed=2, attributes=asked), selected.sample(4, seed=2, attributes=asked))
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    assert [one.shape[1:] for one in session.get_inputs()][1] == [len(ATTRIBUTES)]
    assert read_json(finished / "provenance/export.json")["difference"] < 1e-4
