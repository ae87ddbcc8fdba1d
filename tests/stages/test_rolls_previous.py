"""Bars that are made of the bar before: pairs from both sources, and MidiNet's second network through every stage."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from mintage import Model
from mintage.midi import encode_midi, texts_of
from mintage.rolls import as_rolls, sounding
from stages.common.files import read_json
from stages.common.foresight import Known, foreseen
from stages.common.params import load_params
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.media.rolls import STEPS, Rolls
from stages.media.scores import score_of
from stages.sources import open_source
from stages.sources.tunes import LOWEST, PITCHES, draw_tune
from tests.stages.forked import try_stage_in
from tests.stages.source_files import ingest_params
from tests.stages.test_rolls_pipeline import PARAMS as OF_TUNES
from tests.stages.tiny_data import write_params

PARAMS: dict[str, Any] = {
    **OF_TUNES,
    "ingest.options": {"tunes": 150, "previous": True},
    "train.family": "midinet_following",
    "train.images": 2_000,
    "train.checkpoint_every": 1_000,
    "select.guards": [],
}


def loaded(content: Any) -> Any:
    return np.load(io.BytesIO(content() if callable(content) else content))


def test_the_partner_of_a_bar_is_the_one_before_in_its_piece_and_empty_before_the_first(tmp_path: Path) -> None:
    mido = pytest.importorskip("mido")
    file = mido.MidiFile(ticks_per_beat=4)
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    for pitch in (60, 62, 64):
        track += [mido.Message("note_on", note=pitch), mido.Message("note_off", note=pitch, time=16)]
    track.append(mido.MetaMessage("time_signature", numerator=3, denominator=4))
    track += [mido.Message("note_on", note=65), mido.Message("note_off", note=65, time=12)]
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    track += [mido.Message("note_on", note=67), mido.Message("note_off", note=67, time=16)]
    file.tracks.append(track)
    (tmp_path / "tree").mkdir()
    file.save(tmp_path / "tree/one.mid")
    options = {"previous": True, "lowest": 60, "pitches": 12}
    source = open_source(ingest_params(source="rolls", path=str(tmp_path / "tree"), options=options))
    assert source.paired
    pairs = [(loaded(image.content), loaded(image.partner)) for image in source.images]
    heard = [tuple(int(bar[0].argmax()) if bar.any() else None for bar in pair) for pair in pairs]
    assert heard == [(0, None), (2, 0), (4, 2), (7, None)], "a bar of another meter is no bar before"


@pytest.mark.slow
def test_pairs_are_kept_as_they_were_drawn(finished: Path, selected: Model) -> None:
    manifest = read_json(finished / "data/normalized/manifest.json")
    assert manifest["partner_shape"] == manifest["shape"] == [1, STEPS, PITCHES]
    assert selected.generator.config.source_shape == (1, STEPS, PITCHES)
    split = Split(finished / "data/normalized/holdout")
    assert split.partners is not None
    sources = split.partners.take(np.arange(8))
    for key, before in zip(split.keys[:8], sources, strict=True):
        tune, number = key.removeprefix("tune-").split("#")
        drawn = np.concatenate([np.zeros((STEPS, PITCHES), np.bool_), draw_tune(4, 0, int(tune))])
        assert np.array_equal(before[0] > 0, drawn[STEPS * int(number) :][:STEPS])


@pytest.mark.slow
def test_it_is_measured_as_music_and_its_samples_are_midi_beside_what_they_follow(
    finished: Path, selection: dict[str, Any]
) -> None:
    assert selection["interval_divergence_floor"] < selection["interval_divergence"]
    assert not {"ssim", "luminance_correlation"} & selection.keys(), "light and dark say nothing of music"
    assert "light and dark" not in selection["verdict"]["sentence"]
    assert "it was not measured" not in (finished / "reports/index.html").read_text()
    (table,) = read_tables(finished / "samples")
    row = table.to_pylist()[0]
    assert row["image"]["bytes"].startswith(b"MThd")
    assert row["source"]["bytes"].startswith(b"MThd")


@pytest.mark.slow
def test_the_release_goes_on_with_a_tune_bar_by_bar_and_onnx_agrees(finished: Path, published: Model) -> None:
    bars = [as_rolls(torch.from_numpy(draw_tune(1, 0, 0))[None])]
    for number in range(3):
        bars.append(as_rolls(sounding(published.translate(bars[-1], seed=number))))
    assert torch.cat(bars).shape == (4, 1, STEPS, PITCHES)
    assert torch.equal(published.translate(bars[0], seed=1), published.translate(bars[0], seed=1))
    assert not torch.equal(published.translate(bars[0], seed=1), published.translate(bars[0], seed=2))
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    assert [one.shape[1:] for one in session.get_outputs()] == [[1, STEPS, PITCHES]]
    assert read_json(finished / "provenance/export.json")["difference"] < 1e-4


@pytest.mark.slow
def test_a_tune_goes_on_by_as_many_bars_as_are_asked_for(finished: Path) -> None:
    mido = pytest.importorskip("mido")
    tunes = finished / "tunes"
    tunes.mkdir(exist_ok=True)
    tune, deep = draw_tune(3, 0, 1), np.pad(draw_tune(2, 0, 2), ((0, 3 * STEPS), (0, 0)))  # three empty bars
    (tunes / "one.mid").write_bytes(encode_midi(tune, LOWEST))
    (tunes / "deep.mid").write_bytes(encode_midi(deep, LOWEST - 24))
    (tunes / "none.mid").write_bytes(b"MThd")
    code, printed = try_stage_in(finished, "translate", "tunes", "--follow", "3", "--out", "longer")
    assert code == 2
    assert printed.count("error: 1 tune cannot be read: 'none.mid'") == 1
    for name, begins in (("one.mid", tune), ("deep.mid", deep[: 2 * STEPS])):
        content = (finished / "longer" / name).read_bytes()
        assert any("Mintage" in text for text in texts_of(content))
        written = score_of(content, 10**6).sounding[:, LOWEST : LOWEST + PITCHES]
        assert np.array_equal(written[: len(begins)], begins)
        (track,) = mido.MidiFile(file=io.BytesIO(content)).tracks
        assert sum(message.time for message in track) == (len(begins) + 3 * STEPS) * 480 // 4
    content = (finished / "longer/one.mid").read_bytes()
    try_stage_in(finished, "translate", "tunes/deep.mid", "tunes/one.mid", "--follow", "3", "--out", "twice")
    assert (finished / "twice/one.mid").read_bytes() == content
    code, printed = try_stage_in(finished, "translate", "tunes/one.mid", "--follow", "0", "--out", "made")
    assert code == 2
    assert "say how many are to follow, 1 or more" in printed


@pytest.mark.slow
def test_pictures_cannot_be_translated_by_it(finished: Path) -> None:
    code, printed = try_stage_in(finished, "translate", "x.png", "--out", "made")
    assert code == 2
    assert printed.count("error: ") == 1


def test_without_the_bar_before_it_is_told_which_option_gives_it(tmp_path: Path) -> None:
    write_params(tmp_path, {"train.family": "midinet_following"})
    known = Known((1, STEPS, PITCHES), Rolls(60, PITCHES), paired=False)
    [problem] = foreseen(load_params(tmp_path / "params.yaml"), known)
    assert "needs pairs, and your bars have no partner: set ingest.options.previous to true" in problem
