"""Bars that are made of the bar before and of a chord: MidiNet with both conditions, through every stage."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import mintage
from mintage import Model
from mintage.chords import ATTRIBUTES, CHORDS, ROOTS
from mintage.midi import encode_midi, texts_of
from mintage.rolls import as_rolls
from mintage.sources import with_attributes
from stages.common.files import read_json
from stages.common.foresight import Known, foreseen
from stages.common.params import load_params
from stages.common.reading import real_images
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.media.rolls import STEPS, Rolls
from stages.media.scores import score_of
from stages.sources.tunes import LOWEST, PITCHES, draw_over_chords, draw_tune
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.test_rolls_pipeline import PARAMS as OF_TUNES
from tests.stages.tiny_data import write_params

PARAMS: dict[str, Any] = {
    **OF_TUNES,
    "ingest.options": {"tunes": 150, "previous": True, "chords": True},
    "train.family": "midinet_both",
    "train.recipe": {"width": 32, "batch_size": 16, "latent_size": 16},
    "train.images": 1_000,
    "train.checkpoint_every": 500,
    "select.guards": [],
    "sample.attributes": {"root": "G", "minor": False},
}


@pytest.mark.slow
def test_partners_tell_chords_in_any_order_all_at_once_and_by_block(finished: Path) -> None:
    split = Split(finished / "data/normalized/holdout")
    joined = split.with_attributes()
    assert split.partners is not None
    assert joined.partners is not None
    assert joined.partners.shape == (1 + len(ATTRIBUTES), STEPS, PITCHES)
    numbers = np.array([5, 2, 9, 2])
    sources = joined.partners.take(numbers)
    assert np.array_equal(sources[:, :1], split.partners.take(numbers))
    for number, source in zip(numbers, sources, strict=True):
        tune, bar = split.keys[number].removeprefix("tune-").split("#")
        chord = draw_over_chords(4, 0, int(tune))[1][int(bar)]
        assert (source[1:] == np.array(chord.attributes)[:, None, None]).all()
    every = joined.partners.images()
    for window in (None, 32):
        real = real_images(joined, None, window, 0, torch.device("cpu"), param="train.window", sources=True)
        found = real.conditions_of(torch.from_numpy(numbers))
        assert found is not None
        assert np.array_equal(found.numpy(), every[numbers])
        images, given = real.batch(0, 16)
        assert given is not None
        pairs = {(image.tobytes(), one.tobytes()) for image, one in zip(joined.images(), every, strict=True)}
        assert {
            (image.numpy().tobytes(), one.numpy().tobytes()) for image, one in zip(images, given, strict=True)
        } <= pairs
    block = joined.reader.blocks[0]
    assert np.array_equal(joined.partners_in(block), every[block.start : block.stop])


@pytest.mark.slow
def test_samples_follow_held_out_bars_with_the_chord_in_params_and_both_are_judged(finished: Path) -> None:
    (table,) = read_tables(finished / "samples")
    row = table.to_pylist()[0]
    assert row["image"]["bytes"].startswith(b"MThd")
    assert row["source"]["bytes"].startswith(b"MThd")
    assert row["attributes"] == CHORDS[2 * ROOTS.index("G")].attributes
    selection = read_json(finished / "metrics/selection.json")
    assert [one["name"] for one in selection["attributes"]] == ["root", "minor"]
    assert selection["interval_divergence_floor"] < selection["interval_divergence"]
    page = (finished / "reports/index.html").read_text()
    assert "Attribute by attribute" in page
    assert "it was not measured" not in page


@pytest.mark.slow
def test_the_release_goes_on_from_a_bar_by_the_chord_that_is_asked_for_and_onnx_takes_both(
    finished: Path, published: Model
) -> None:
    assert published.attributes == ATTRIBUTES
    bar, asked = as_rolls(torch.from_numpy(draw_tune(1, 0, 0))[None]), CHORDS[0]
    made = published.translate(bar, seed=1, attributes={"root": "C", "minor": False})
    beside = with_attributes(bar, torch.tensor([asked.attributes]))
    assert torch.equal(made, published.translate(beside, seed=1)), "the same, joined as a source"
    assert not torch.equal(made, published.translate(bar, seed=1, attributes={"root": "F#", "minor": True}))
    assert published.translate(bar, seed=1).shape == bar.shape, "of the chord of some real bar"
    with pytest.raises(ValueError, match="there is no root 'H'"):
        published.translate(bar, attributes={"root": "H"})
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    given = {one.name: one.shape[1:] for one in session.get_inputs()}
    assert (given["sources"], given["attributes"]) == ([1, STEPS, PITCHES], [len(ATTRIBUTES)])
    assert read_json(finished / "provenance/export.json")["difference"] < 1e-4
    card = (finished / "models/selected/README.md").read_text()
    assert "translate(sources, attributes={'root': 'A'})" in card


@pytest.mark.slow
def test_a_tune_goes_on_over_a_chord(finished: Path) -> None:
    pytest.importorskip("mido")
    tune = draw_tune(2, 0, 1)
    (finished / "one.mid").write_bytes(encode_midi(tune, LOWEST))
    translate = ("translate", "one.mid", "--follow", "3", "--ask", "minor=true", "--ask")
    run_stage_in(finished, *translate, "root=C", "--out", "longer")
    content = (finished / "longer/one.mid").read_bytes()
    try_stage_in(finished, *translate, "root=F#", "--out", "others")
    assert (finished / "others/one.mid").read_bytes() != content
    code, printed = try_stage_in(finished, *translate, "root=H", "--out", "none")
    assert (code, printed.count("error: --ask: there is no root 'H': ask for A or Ab")) == (2, 1), printed
    assert any("Mintage" in text for text in texts_of(content))
    assert np.array_equal(score_of(content, 10**6).sounding[: len(tune), LOWEST : LOWEST + PITCHES], tune)


def test_it_is_told_which_options_give_both(tmp_path: Path) -> None:
    write_params(tmp_path, {"train.family": "midinet_both"})
    known = Known((1, STEPS, PITCHES), Rolls(60, PITCHES), paired=False, attributes=False)
    problems = foreseen(load_params(tmp_path / "params.yaml"), known)
    assert any("set ingest.options.previous to true" in problem for problem in problems)
    assert any("set ingest.options.chords to true" in problem for problem in problems)


def test_a_translator_of_pictures_is_told_attributes_too_and_learns_which_is_asked_for() -> None:
    random = torch.Generator().manual_seed(0)
    sources = torch.rand(128, 1, 16, 16, generator=random) * 2 - 1
    negative = torch.arange(128) % 2 == 1
    images = torch.where(negative[:, None, None, None], -sources, sources)
    data = mintage.Dataset(images, source=sources, attributes={"negative": negative})
    recipe = {"width": 8, "condition": "attributes", "batch_size": 8, "generator": {"learning_rate": 0.002}}
    model = mintage.train(data, "pix2pix", 3_000, recipe, progress=False).model
    errors = [
        [(model.translate(sources[:16], attributes={"negative": asked}) - truth).abs().mean().item() for truth in both]
        for asked, both in ((False, (sources[:16], -sources[:16])), (True, (-sources[:16], sources[:16])))
    ]
    assert all(own < other / 1.5 for own, other in errors), errors
    assert repr(model) == "Model(shape=[1, 16, 16], attributes=['negative'], source=[1, 16, 16])"
    table = mintage.measure(model, data, evaluator_images=640)
    assert {"ssim", "attribute_accuracy"} <= {*table}
    with pytest.raises(ValueError, match=r"sources are \(3, 16, 16\)"):
        model.translate(torch.cat([sources[:4]] * 3, 1), attributes={"negative": True})
