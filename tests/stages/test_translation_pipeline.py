"""Pairs through every stage, as people run them: edges of digits, from which the digits are to be drawn."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import mintage
from mintage import Model
from mintage.metrics.pairs import absolute_error
from mintage.sampling import asked_rows
from stages.common.levels import to_uint8
from stages.common.models import read_evaluator
from stages.common.pictures import grid_scale
from stages.common.reading import Sources
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.sampling.latent import JUDGED
from stages.training.stopping import Measure

CPU = torch.device("cpu")
PARAMS: dict[str, Any] = {
    "normalize.partner": "edges",
    "evaluator.images": 12_000,
    "train.family": "pix2pix",
    "train.recipe.width": 4,
    "train.recipe.batch_size": 16,
    "train.recipe.ema_half_life": 200.0,
    "train.recipe.generator": {"learning_rate": 4e-3},
    "train.images": 4_800,
    "train.checkpoint_every": 2_400,
}


def test_translations_are_nearer_to_their_truths_than_the_sources_and_are_of_their_classes(
    selection: dict[str, Any],
) -> None:
    baseline = selection["baseline"]
    assert selection["l1"] < 0.5 * baseline["l1"]
    assert selection["ssim"] > baseline["ssim"]
    assert selection["conditional_accuracy"] > max(0.5, baseline["conditional_accuracy"])
    assert (selection["l1_floor"], selection["ssim_floor"]) == (0, pytest.approx(1))
    assert selection["accuracy_floor"] > 0.85
    assert "L1" in selection["verdict"]["sentence"]


def test_no_more_pairs_are_measured_than_are_held_out(selection: dict[str, Any], holdout: Split) -> None:
    assert (selection["samples"], selection["floor_images"]) == (len(holdout), len(holdout))


def test_the_sources_own_figures_stand_in_the_table_the_card_and_the_report(finished: Path) -> None:
    assert "sources" in (finished / "select.txt").read_text()
    assert "the sources themselves" in (finished / "models/selected/README.md").read_text()
    page = (finished / "reports/index.html").read_text()
    assert "sources themselves" in page
    assert "Source, translation, truth" in page
    assert "is not shown: the images are made of others" in page


def test_each_held_out_source_is_translated_once_and_kept_beside_its_translation(
    finished: Path, holdout: Split
) -> None:
    (table,) = read_tables(finished / "samples")
    rows = table.to_pylist()
    numbers = asked_rows(len(holdout), len(holdout), 0)
    assert [row["key"] for row in rows] == [holdout.keys[number] for number in numbers.tolist()]
    sources = Sources(holdout, numbers)[torch.arange(len(rows))]
    for row, source in zip(rows, sources.numpy(), strict=True):
        shown = [Image.open(io.BytesIO(row[name]["bytes"])) for name in ("source", "image")]
        assert np.array_equal(np.asarray(shown[0]), to_uint8(source)[0])
        assert shown[1].size == (8, 8)


def test_the_sheet_ends_with_the_translations_nearest_to_their_truth_and_those_farthest_from_it(
    finished: Path, holdout: Split
) -> None:
    assert holdout.partners is not None
    numbers = asked_rows(len(holdout), min(JUDGED, len(holdout)), 0).numpy()
    sources, truths = torch.from_numpy(holdout.partners.take(numbers)), torch.from_numpy(holdout.take(numbers))
    made = mintage.load(finished / "models/selected").translate(sources)
    order = absolute_error(made, truths).argsort(stable=True)
    sheet, scale = np.asarray(Image.open(finished / "plots/samples.png").convert("L")), grid_scale(8, 8)
    cells = sheet[:, -(10 * 9 - 1) * scale :][::scale, ::scale]
    shown = {row: cells[9 * row : 9 * row + 8] for row in (5, 8)}  # the truths of the best, and of the worst
    for row, chosen in ((5, order[:10]), (8, order[-10:].flip(0))):
        expected = to_uint8(truths[chosen].numpy())[:, 0]
        assert all(np.array_equal(shown[row][:, 9 * n : 9 * n + 8], image) for n, image in enumerate(expected))


def test_the_release_s_model_translates_as_the_exported_one_does(finished: Path, holdout: Split) -> None:
    assert holdout.partners is not None
    sources = torch.from_numpy(holdout.partners.images()[:20])
    made = mintage.load(finished / "models/selected").translate(sources)
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    assert [one.name for one in session.get_inputs()] == ["sources"]
    (found,) = session.run(None, {"sources": sources.numpy()})
    assert np.abs(found - made.numpy()).max() < 1e-3


def test_what_is_published_translates_as_the_selected_model_does(
    holdout: Split, selected: Model, published: Model
) -> None:
    assert holdout.partners is not None
    sources = torch.from_numpy(holdout.partners.images()[:5])
    assert torch.equal(published.translate(sources), selected.translate(sources))


def test_pictures_of_the_training_are_of_held_out_pairs(finished: Path) -> None:
    assert [path.name for path in (finished / "plots/latent").iterdir()] == ["pictures.json"], "DVC warns of none"
    names = sorted(path.name for path in (finished / "plots/training").iterdir())
    assert len(names) == 2
    scale = grid_scale(8, 8)
    last, sampled = (
        np.asarray(Image.open(path).convert("L"))[: 8 * scale, -(10 * 9 - 1) * scale :]
        for path in (finished / "plots/training" / names[-1], finished / "plots/samples.png")
    )
    assert np.array_equal(last, sampled)


def test_a_training_may_stop_by_translations(finished: Path, holdout: Split) -> None:
    network, _ = read_evaluator(finished / "models/evaluator", CPU)
    generator = mintage.load(finished / "models/selected").generator
    measure = Measure(network, holdout, 100, 0)
    before = mintage.train(
        mintage.Dataset(image=torch.from_numpy(holdout.images()), source=torch.from_numpy(holdout.images())),
        "pix2pix",
        images=16,
        recipe={"width": 4},
        progress=False,
    ).model.generator
    assert measure.score(generator) < measure.score(before)


def test_the_data_s_own_record_names_the_partner(finished: Path) -> None:
    assert json.loads((finished / "data/normalized/manifest.json").read_text())["partner"] == "edges"
