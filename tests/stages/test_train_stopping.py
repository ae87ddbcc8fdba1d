"""A training that ends when its generator got no better."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stages.common.checkpoint import read_checkpoint
from stages.common.train_params import Stop
from stages.training.guards import stopped_early
from tests.stages.forked import run_train_stage
from tests.stages.kills import kill_once_there_is
from tests.stages.test_train import SHORT, outputs, workspace
from tests.stages.tiny_data import write_params

PATIENCE = 2000
STOP = {"metric": "frechet_distance", "patience": PATIENCE, "samples": 200, "evaluator_images": 2000}
HASTY = SHORT | {
    "train.family": "gan",
    "train.images": 30_000,
    "train.recipe.generator.learning_rate": 0.001,
    "train.resume_every": 1e9,
    "train.stop": STOP,
}


def hasty(folder: Path, **changes: Any) -> Path:
    return workspace(folder, HASTY, **changes)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = hasty(tmp_path_factory.mktemp("stopped"))
    run_train_stage(folder)
    return folder


def test_it_ends_at_the_first_checkpoint_that_is_patience_past_the_best_and_says_so(stopped: Path) -> None:
    last = max((stopped / "models/checkpoints").iterdir())
    measured = read_checkpoint(last)[1]["measured"]
    stop = Stop.model_validate(STOP)
    assert [stopped_early(measured[:count], stop) is None for count in range(len(measured))] == [True] * len(measured)
    best_images, best = min(measured, key=lambda row: row[1])
    images = measured[-1][0]
    assert images - best_images >= PATIENCE
    early = {"metric": "frechet_distance", "images": images, "best": best, "best_images": best_images}
    facts = json.loads((stopped / "provenance/train.json").read_text())
    assert facts["stopped_early"] == early
    assert facts["images"] == images < 30_000
    assert last.name == f"images-{images:09d}.safetensors"
    assert f"training stopped early at {images:,} images" in (stopped / "output.txt").read_text()


def test_the_measure_falls_while_a_generator_learns(stopped: Path) -> None:
    measured = read_checkpoint(max((stopped / "models/checkpoints").iterdir()))[1]["measured"]
    assert min(value for _, value in measured) < 0.9 * measured[0][1]


def test_a_stopped_training_run_again_plays_no_turn(stopped: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "copy"))
    shutil.rmtree(folder / "models")
    output = run_train_stage(folder)
    assert "training stopped early" in output
    assert outputs(folder) == outputs(stopped)
    before, after = (json.loads((one / "provenance/train.json").read_text()) for one in (stopped, folder))
    assert after["images_per_second"] == before["images_per_second"], "those of the first run"


def again(stopped: Path, folder: Path, **stop: Any) -> tuple[str, list[str]]:
    """What a copy of the stopped training says with another `train.stop`, and its checkpoints."""
    shutil.copytree(stopped, folder)
    last = int(max((stopped / "models/checkpoints").iterdir()).stem[-9:])
    changes = {"train.stop": STOP | stop if stop else None, "train.images": last + 2000}
    write_params(folder, HASTY | changes)
    return run_train_stage(folder), sorted(path.stem for path in (folder / "models/checkpoints").iterdir())


def test_more_patience_and_no_stop_at_all_go_on_to_the_same_weights(stopped: Path, tmp_path: Path) -> None:
    before = sorted(path.stem for path in (stopped / "models/checkpoints").iterdir())
    patient, with_it = again(stopped, tmp_path / "patient", patience=100_000)
    alone, without = again(stopped, tmp_path / "alone")
    for said, made in ((patient, with_it), (alone, without)):
        assert "going on from" in said
        assert "starts anew" not in said
        assert made[: len(before)] == before
        assert len(made) > len(before)
    last = f"models/checkpoints/{with_it[-1]}.safetensors"
    one, other = (read_checkpoint(tmp_path / name / last) for name in ("patient", "alone"))
    assert all(tensor.equal(other[0][name]) for name, tensor in one[0].items())
    assert (len(one[1]["measured"]), other[1]["measured"]) == (len(with_it), [])


def test_less_patience_ends_where_it_would_have_ended(stopped: Path, tmp_path: Path) -> None:
    _, made = again(stopped, tmp_path / "hasty", patience=1)
    measured = read_checkpoint(max((stopped / "models/checkpoints").iterdir()))[1]["measured"]
    rose = next(int(row[0]) for before, row in pairwise(measured) if row[1] >= before[1])
    assert made[-1] == f"images-{rose:09d}"


def test_by_another_measure_what_was_measured_before_does_not_count(stopped: Path, tmp_path: Path) -> None:
    said, made = again(stopped, tmp_path / "other", samples=100)
    assert "what was made up to there stays, and train.stop holds from there on" in said
    facts = read_checkpoint(tmp_path / "other/models/checkpoints" / f"{made[-1]}.safetensors")[1]
    before = len(list((stopped / "models/checkpoints").iterdir()))
    assert len(facts["measured"]) == len(made) - before > 0


@pytest.mark.slow
def test_killed_with_9_and_run_again_it_stops_at_the_same_bits(stopped: Path, tmp_path: Path) -> None:
    folder = hasty(tmp_path)
    for awaited in ("evaluator-*", "kept/*.safetensors", "kept/*3*.safetensors"):
        kill_once_there_is(folder, awaited)
    run_train_stage(folder)
    assert outputs(folder) == outputs(stopped)


@pytest.mark.slow
@pytest.mark.nightly
def test_two_processes_stop_together(tmp_path: Path) -> None:
    folder = hasty(tmp_path, train__processes=2)
    for _ in range(2):  # the second run finds a training that has stopped
        output = run_train_stage(folder)
        assert output.count("training stopped early at") == 1
