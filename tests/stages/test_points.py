"""Points of which the truth is known: what the sources draw, and that the stages keep every bit of it."""

import json
import math
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from benchmarks.modes import DATA
from mintage.metrics.modes import mode_figures
from stages.common.params import Select, load_section
from stages.common.shards import shards
from stages.common.split import Split
from stages.media import medium_of
from stages.media.points import Points
from stages.selection.rule import choose
from stages.sources import checked_options
from tests.refusals import refused
from tests.stages.source_files import ingest_params, ingested, normalized
from tests.stages.tiny_data import write_params

SHAPES = {"ring": (1, 1, 2), "grid": (1, 1, 2), "gaussian": (1, 1, 1)}
MODES = {"ring": 8, "grid": 25, "gaussian": 1}


def size(source: str) -> dict[str, int]:
    return dict(zip(("channels", "height", "width"), SHAPES[source], strict=True))


def normalize_points(folder: Path, source: str, points: int) -> tuple[Split, Points]:
    """The source's normalized points to train on, and the truth."""
    ingested(folder / "raw", source=source, path="unused", options={"points": points}, shard_images=20_000)
    manifest = normalized(folder, **size(source))
    truth = medium_of(manifest)
    assert isinstance(truth, Points)
    return Split(folder / "normalized/train"), truth


@pytest.mark.parametrize("source", SHAPES)
def test_points_are_drawn_from_the_truth_that_goes_with_them(tmp_path: Path, source: str) -> None:
    split, truth = normalize_points(tmp_path, source, 4000)
    assert split.images().shape == (4000, *SHAPES[source])
    points = truth.coordinates(torch.from_numpy(split.images()))
    figures = mode_figures(points, truth.mixture())
    within = math.erf(3 / math.sqrt(2)) if source == "gaussian" else 1 - math.exp(-4.5)
    assert figures.captured == MODES[source] == len(truth.centers)
    assert figures.high_quality == pytest.approx(within, abs=0.006)
    assert figures.reverse_kl < 0.01
    _, nearest = truth.mixture().nearest(points)
    around = points - truth.mixture().centers[nearest]
    assert around.std().item() == pytest.approx(truth.std, rel=0.03)
    assert around.mean(0).abs().max().item() < 4 * truth.std / math.sqrt(4000)


def test_ring_and_grid_are_those_of_pacgan(tmp_path: Path) -> None:
    _, ring = normalize_points(tmp_path / "ring", "ring", 50)
    _, grid = normalize_points(tmp_path / "grid", "grid", 50)
    assert [round(math.hypot(*center), 9) for center in ring.centers] == [1.0] * 8
    assert sorted(grid.centers) == [[x, y] for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)]
    assert (ring.std, grid.std) == (0.01, 0.05)


@pytest.mark.parametrize("name", DATA)
def test_the_benchmark_measures_on_what_the_sources_draw_from(name: str) -> None:
    truth = import_module(f"stages.sources.{name}").MEDIUM
    data = DATA[name]()
    assert (data.truth.std, data.scale) == (truth.std, truth.scale)
    torch.testing.assert_close(data.truth.centers.double(), truth.mixture().centers, atol=1e-6, rtol=0)


def test_a_point_s_label_is_the_mode_it_was_drawn_from(tmp_path: Path) -> None:
    split, truth = normalize_points(tmp_path, "ring", 400)
    points = truth.coordinates(torch.from_numpy(split.images()))
    assert split.labels is not None
    assert truth.mixture().nearest(points)[1].tolist() == split.labels.tolist()
    assert split.classes is not None
    assert split.classes[2] == "0 1"


def test_points_of_one_mode_have_no_classes(tmp_path: Path) -> None:
    split, _ = normalize_points(tmp_path, "gaussian", 50)
    assert split.labels is None


def test_normalized_coordinates_are_as_exact_as_float32(tmp_path: Path) -> None:
    """Eight bits would move a point of the ring by most of a standard deviation."""
    split, truth = normalize_points(tmp_path, "ring", 200)
    images = pq.read_table(shards(tmp_path / "raw")[0])["image"].to_pylist()[:200]
    raw = np.stack([np.frombuffer(image["bytes"][-8:], "<f4") for image in images]).astype(np.float64) * 2 - 1
    np.testing.assert_allclose(split.images().reshape(-1, 2), raw, atol=5e-7)
    assert 5e-7 * truth.scale < truth.std / 1000


def test_a_tenth_as_many_points_are_held_out_and_no_split_is_drawn(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="grid", path="unused", options={"points": 300})
    manifest = normalized(tmp_path, **size("grid"))
    assert (manifest["counts"]["train"], manifest["counts"]["holdout"]) == (300, 30)
    assert manifest["split"]["kind"] == "source"


@pytest.mark.parametrize("source", SHAPES)
@pytest.mark.parametrize("block", [7, 110, 1000])
def test_points_do_not_depend_on_how_many_are_drawn_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, block: int
) -> None:
    monkeypatch.setattr("stages.sources.mixture._BLOCK", block)
    table = ingested(tmp_path / "raw", source=source, path="unused", options={"points": 100, "seed": 3})
    truth, random = import_module(f"stages.sources.{source}").MEDIUM, np.random.default_rng(3)
    modes = random.integers(MODES[source], size=110)
    points = np.array(truth.centers)[modes] + truth.std * random.standard_normal((110, len(truth.centers[0])))
    expected = ((points / truth.scale + 1) / 2).astype("<f4")
    drawn_ = [np.frombuffer(image["bytes"][-expected[0].nbytes :], "<f4") for image in table["image"].to_pylist()]
    np.testing.assert_array_equal(np.stack(drawn_), expected)
    assert table["label"].to_pylist() == (modes.tolist() if MODES[source] > 1 else [None] * 110)
    assert table["split"].to_pylist() == ["train"] * 100 + ["test"] * 10


def test_the_same_seed_draws_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    tables = [
        ingested(tmp_path / str(number), source="ring", path="unused", options={"points": 100, "seed": seed})
        for number, seed in enumerate([0, 0, 1])
    ]
    assert tables[0].equals(tables[1])
    assert not set(tables[0]["sha256"].to_pylist()) & set(tables[2]["sha256"].to_pylist())


def test_raw_shards_say_that_they_are_points_of_which_the_truth_is_known_or_images(tmp_path: Path) -> None:
    ingested(tmp_path / "ring", source="ring", path="unused", options={"points": 100})
    metadata = pq.read_schema(shards(tmp_path / "ring")[0]).metadata
    truth = json.loads(metadata[b"medium"])
    assert (truth["name"], len(truth["centres"]), truth["std"], truth["scale"]) == ("points", 8, 0.01, 1.25)
    ingested(tmp_path / "raw", source="digits", path="unused")
    assert json.loads(pq.read_schema(shards(tmp_path / "raw")[0]).metadata[b"medium"]) == {"name": "images"}
    assert normalized(tmp_path)["medium"] == {"name": "images"}


def test_points_are_not_resized_like_pictures(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="ring", path="unused", options={"points": 100})
    with refused("medium-resized", "set normalize.channels to 1, height to 1, width to 2"):
        normalized(tmp_path, height=8, width=8)


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"source": "rings"}, "source-unknown", "did you mean 'ring'"),
        ({"options": {"points": 0}}, "params-invalid", "ingest.options.points = 0"),
        ({"options": {"seed": -1}}, "params-invalid", "ingest.options.seed = -1"),
        ({"options": {"download": "mnist"}}, "params-invalid", "ingest.options.download = 'mnist'"),
    ],
)
def test_params_that_make_no_points_are_refused(change: dict[str, object], code: str, sentence: str) -> None:
    with refused(code, sentence):
        checked_options(ingest_params(**{"source": "ring", "path": "unused", **change}))


MODES_UNKNOWN = "the modes of this data are not known"


def test_modes_of_data_whose_truth_is_not_known_are_refused_as_a_rule(tmp_path: Path) -> None:
    write_params(tmp_path, {"select.guards": [{"metric": "reverse_kl", "at_most": 1.0}]})
    rows, params = [{"images": 1, "frechet_distance": 1.0}], load_section(Select, tmp_path / "params.yaml")
    with refused("metric-not-measured", MODES_UNKNOWN):
        choose(rows, params, {"reverse_kl": MODES_UNKNOWN})
