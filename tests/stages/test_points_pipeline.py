"""The stages on points, from the source to the report, as people run them. Slow, since every stage really runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mintage.metrics.modes import mode_figures
from stages.common.shards import read_tables
from stages.images.decode import decode
from stages.media import medium_of
from stages.media.points import Points
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.tiny_data import write_params
from tests.stages.whole_pipeline import run_pipeline

pytestmark = pytest.mark.slow
STAGES = ["ingest", "normalize", "validate", "evaluator", "train", "select", "sample", "report"]
SHORT: dict[str, Any] = {
    "ingest.options": {"points": 2000},
    "normalize.height": 1,
    "train.recipe.network": "mlp",
    "train.recipe.width": 16,
    "train.recipe.latent_size": 2,
    "train.images": 24_000,
    "train.checkpoint_every": 8_000,
    "select.samples": 500,
    "sample.count": 300,
}
RING = SHORT | {
    "ingest.source": "ring",
    "normalize.width": 2,
    "train.family": "gan",
    "select.metric": "coverage",
    "select.direction": "max",
    "select.guards": [{"metric": "modes_captured", "at_least": 1.0}],
}


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_pipeline(tmp_path_factory.mktemp("ring"), RING, STAGES)


@pytest.fixture(scope="module")
def gaussian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    params = {"ingest.source": "gaussian", "normalize.width": 1, "train.family": "gan"}
    return run_pipeline(tmp_path_factory.mktemp("gaussian"), SHORT | params, STAGES)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_every_checkpoint_of_a_ring_is_measured_by_its_modes_beside_what_real_points_reach(ring: Path) -> None:
    header, *rows = (line.split("\t") for line in (ring / "metrics/checkpoints.tsv").read_text().splitlines())
    assert {"modes_captured", "high_quality", "reverse_kl"} < set(header)
    assert len(rows) == 3
    selection = read(ring / "metrics/selection.json")
    assert (selection["modes_floor"], selection["reverse_kl_floor"] < 0.03) == (8, True)
    assert selection["quality_floor"] == pytest.approx(0.989, abs=0.015)
    assert 1 <= selection["modes_captured"] <= 8
    best = max(float(row[header.index("coverage")]) for row in rows)
    assert selection["coverage"] == best
    assert selection["rule"] == "highest coverage among those with modes captured at least 1"


def test_samples_of_points_are_pictures_that_keep_every_bit(ring: Path) -> None:
    truth = medium_of(read(ring / "data/normalized/manifest.json"))
    assert isinstance(truth, Points)
    rows = [row for table in read_tables(ring / "samples") for row in table.to_pylist()]
    assert len(rows) == 300
    values = [decode(row["image"]["bytes"], 1, 10).picture for row in rows]
    images = torch.from_numpy(np.stack(values) / 127.5 - 1)[:, None]
    points = truth.coordinates(images)
    assert len(torch.unique(points, dim=0)) == 300, "eight bits would make some of them equal"
    selected = read(ring / "metrics/selection.json")
    found = mode_figures(points, truth.mixture())
    assert found.high_quality == pytest.approx(selected["high_quality"], abs=0.12)


def test_a_model_from_before_media_had_names_makes_the_same_samples(ring: Path, tmp_path: Path) -> None:
    shutil.copytree(ring / "models/selected", tmp_path / "models/selected")
    shutil.copy(ring / "params.yaml", tmp_path)
    about = tmp_path / "models/selected/provenance.json"
    known = read(about)
    medium = known.pop("medium")
    about.write_text(json.dumps(known | {"truth": {key: medium[key] for key in ("centres", "std", "scale")}}))
    run_stage_in(tmp_path, "sample")
    for name in ("samples/part-00000.parquet", "plots/samples.png", "plots/latent/walk.png", "metrics/latent.json"):
        assert (tmp_path / name).read_bytes() == (ring / name).read_bytes()


@pytest.mark.parametrize("name", ["nearest", "samples", "latent/walk"])
def test_points_are_drawn_as_plots(ring: Path, gaussian: Path, name: str) -> None:
    for folder in (ring, gaussian):
        with Image.open(folder / f"plots/{name}.png") as picture:
            assert picture.width >= picture.height >= 400
            assert len(picture.convert("RGB").getcolors(10**6) or ()) > 10


@pytest.mark.parametrize("source", ["ring", "gaussian"])
def test_there_is_a_plot_for_each_checkpoint_and_no_two_are_alike(source: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(source)
    plots = [path.read_bytes() for path in sorted((folder / "plots/training").iterdir())]
    assert len(plots) == len(set(plots)) == 3


def test_the_report_tells_of_points_and_modes(ring: Path) -> None:
    page = (ring / "reports/index.html").read_text()
    for words in ("A generator of points", "Modes captured", "High quality", "Reverse KL", "Real beside generated"):
        assert words in page
    assert "Nearest real" not in page
    assert "it was not measured" not in page, "each figure that is absent has a reason of its own"


def test_points_are_judged_by_their_coordinates(ring: Path, gaussian: Path) -> None:
    of_ring, of_gaussian = (read(folder / "metrics/evaluator.json") for folder in (ring, gaussian))
    assert (of_ring["kind"], of_ring["features"], of_ring["holdout_accuracy"]) == ("coordinates", 2, 1.0)
    assert (of_gaussian["kind"], of_gaussian["features"]) == ("coordinates", 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"train.recipe.network": "dcgan"}, "has no room for feature maps: set network to mlp or points"),
        ({"train.recipe.augment": ["translation"]}, "set augment to []"),
    ],
)
def test_a_network_or_a_change_made_for_pictures_is_refused(ring: Path, change: dict[str, Any], reason: str) -> None:
    write_params(ring, RING | change)
    code, printed = try_stage_in(ring, "train")
    write_params(ring, RING)
    assert code == 2
    assert printed.count("error: ") == 1
    assert reason in printed
