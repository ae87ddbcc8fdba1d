"""Small sources through every stage: digits of 8 x 8 made of pictures of 4 x 4."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import mintage
from mintage.metrics.pairs import hole_psnr, psnr
from mintage.sources import untouched
from stages.common.files import read_json
from stages.common.pictures import TRANSLATED, rows_of_blocks
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.reporting.inputs import read_inputs
from stages.reporting.sheets import samples_sheet
from tests.stages.forked import run_stage_in
from tests.stages.tiny_data import write_params
from tests.stages.whole_pipeline import run_pipeline

STAGES = ["ingest", "normalize", "validate", "evaluator", "train", "select", "sample", "export", "report"]
PARAMS: dict[str, Any] = {
    "normalize.partner": "lower_resolution",
    "normalize.damage.factor": 2,
    "evaluator.images": 3_000,
    "train.family": "srgan",
    "train.recipe.width": 8,
    "train.recipe.batch_size": 16,
    "train.recipe.ema_half_life": 200.0,
    "train.recipe.generator": {"learning_rate": 2e-3},
    "train.images": 3_200,
    "train.checkpoint_every": 1_600,
}
SHORT = {"evaluator.images": 256, "train.images": 80, "train.checkpoint_every": 80, "train.log_every": 80}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    return run_pipeline(folder, PARAMS, STAGES)


def test_enlarged_digits_are_nearer_to_their_truths_than_bicubic_ones(finished: Path) -> None:
    selection, split = read_json(finished / "metrics/selection.json"), Split(finished / "data/normalized/holdout")
    assert split.partners is not None
    bicubic = untouched(torch.from_numpy(split.partners.images()), (1, 8, 8))
    found = psnr(bicubic, torch.from_numpy(split.images())).mean().item()
    assert selection["baseline"]["psnr"] == pytest.approx(found, abs=0.1)  # which is of 8 bits or of all
    assert selection["psnr"] > found + 1
    assert read_json(finished / "data/normalized/manifest.json")["partner_shape"] == [1, 4, 4]


def test_the_exported_model_takes_small_pictures_as_the_selected_one_does(finished: Path) -> None:
    sources = torch.rand(5, 1, 4, 4) * 2 - 1
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    (found,) = session.run(None, {"sources": sources.numpy()})
    assert found.shape == (5, 1, 8, 8)
    assert np.abs(found - mintage.load(finished / "models/selected").translate(sources).numpy()).max() < 1e-3


def test_sources_are_kept_as_small_as_they_are_and_shown_beside_what_bicubic_makes_of_them(finished: Path) -> None:
    (table,) = read_tables(finished / "samples")
    row = table.to_pylist()[0]
    sizes = {name: Image.open(io.BytesIO(row[name]["bytes"])).size for name in ("source", "image")}
    assert sizes == {"source": (4, 4), "image": (8, 8)}
    assert samples_sheet(read_inputs(finished)).names == rows_of_blocks(TRANSLATED)
    assert "baseline" in (finished / "reports/index.html").read_text()


def test_a_hole_is_measured_by_itself_beside_its_own_baseline_and_not_that_of_other_sources(
    finished: Path, tmp_path: Path
) -> None:
    """Of the same images, in the same cache."""
    before = read_json(finished / "metrics/selection.json")
    finished = shutil.copytree(finished, tmp_path / "other")
    filled = {"normalize.partner": "masked", "train.family": "context_encoder", "train.recipe.generator": {}}
    write_params(finished, PARAMS | SHORT | filled)
    for stage in ("normalize", "validate", "evaluator", "train", "select"):
        run_stage_in(finished, stage)
    after, split = read_json(finished / "metrics/selection.json"), Split(finished / "data/normalized/holdout")
    assert split.partners is not None
    sources, truths = torch.from_numpy(split.partners.images()), torch.from_numpy(split.images())
    expected = hole_psnr(untouched(sources, (1, 8, 8)), truths, sources[:, -1:] > 0).mean().item()
    assert after["baseline"]["hole_psnr"] == pytest.approx(expected, abs=0.1)
    assert after["hole_psnr"] < after["psnr"] - 5  # of a quarter of the pixels, and the others are the truth's
    assert (after["hole_psnr_floor"], after["retrieval_floor"]) == (100, pytest.approx(1, abs=0.01))
    assert "hole_psnr" not in before
    assert after["baseline"]["l1"] != before["baseline"]["l1"]
