import json
from pathlib import Path

import pytest
import torch

from stages.common.files import read_json, sha256_of
from stages.common.models import read_evaluator
from stages.common.params import Evaluator, load_section
from stages.evaluator import evaluator, summary
from stages.media.images import Images
from tests.refusals import refused
from tests.stages.forked import try_stage_in
from tests.stages.tiny_data import CLASSES, digests, write_digits, write_params

CPU = torch.device("cpu")
SHORT = {"evaluator.images": 30_000}


def workspace(folder: Path, classes: list[str] | None = CLASSES, **changes: object) -> Path:
    write_digits(folder, train=400, holdout=150, classes=classes)
    write_params(folder, SHORT | {f"evaluator.{key}": value for key, value in changes.items()})
    return folder


def run(folder: Path) -> tuple[int, str]:
    """The stage as DVC runs it: exit code and everything printed."""
    return try_stage_in(folder, "evaluator")


def train(folder: Path) -> None:
    evaluator(load_section(Evaluator, folder / "params.yaml"), folder)


def outputs(folder: Path) -> dict[str, str]:
    return digests(folder, "models", "metrics")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = workspace(tmp_path_factory.mktemp("finished"))
    code, printed = run(folder)
    assert code == 0, printed
    return folder, printed


def test_the_stage_tells_how_well_the_evaluator_knows_held_out_images(finished: tuple[Path, str]) -> None:
    folder, printed = finished
    figures = read_json(folder / "metrics/evaluator.json")
    assert figures["kind"] == "classifier"
    assert figures["train_accuracy"] > figures["holdout_accuracy"] > 0.8  # 400 images to learn from
    assert f"holdout accuracy {figures['holdout_accuracy']:.4f} on 150 held-out images" in printed
    assert (figures["images"], figures["holdout_images"], figures["features"]) == (30_000, 150, 64)
    assert figures["sha256"] == sha256_of(folder / "models/evaluator/evaluator.safetensors")
    made = read_json(folder / "provenance/evaluator.json")
    assert made["stage"] == "evaluator"
    assert made["params"]["images"] == 30_000


def test_the_same_data_and_params_give_the_same_bytes_and_another_seed_others(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    workspace(tmp_path)
    train(tmp_path)
    assert outputs(tmp_path) == outputs(finished[0])
    write_params(tmp_path, SHORT | {"evaluator.seed": 1})
    train(tmp_path)
    assert not set(outputs(tmp_path).values()) & set(outputs(finished[0]).values())


def test_a_recipe_that_train_would_refuse_is_refused_before_the_evaluator_learns(tmp_path: Path) -> None:
    write_params(workspace(tmp_path), SHORT | {"train.recipe.network": "unet"})
    code, printed = run(tmp_path)
    assert (code, "a source goes with a network that makes images of images" in printed) == (2, True), printed
    assert not (tmp_path / "models").exists()


def test_an_autoencoder_that_learned_nothing_is_told_with_what_to_do() -> None:
    figures = {"kind": "autoencoder", "holdout_explained_variance": -0.3, "holdout_images": 150}
    said = "worse than their mean would: what it says of models means little"
    assert f"{said} (raise evaluator.images)" in summary(figures, Images())
    assert f"{said} (bring more images)" in summary(figures | {"train_explained_variance": 0.9}, Images())


@pytest.mark.parametrize("classes", [None, ["only"]])
def test_images_without_two_classes_get_an_autoencoder(tmp_path: Path, classes: list[str] | None) -> None:
    train(workspace(tmp_path, classes, images=15_000))
    figures = read_json(tmp_path / "metrics/evaluator.json")
    assert figures["kind"] == "autoencoder"
    assert 0.5 < figures["holdout_explained_variance"] < figures["train_explained_variance"] < 1
    assert "holdout_accuracy" not in figures


def test_nothing_learns_from_data_that_failed_the_gate(finished: tuple[Path, str], tmp_path: Path) -> None:
    workspace(tmp_path)
    (tmp_path / "reports/validation.json").write_text('{"success": false}')
    with refused("gate-not-passed"):
        train(tmp_path)
    assert outputs(tmp_path) == {}


def test_an_evaluator_that_diverges_is_one_sentence_and_leaves_no_output(tmp_path: Path) -> None:
    workspace(tmp_path, learning_rate=1e30, images=1000)
    code, printed = run(tmp_path)
    assert code == 2
    assert "error: the evaluator's weights are not finite" in printed
    assert "lower evaluator.learning_rate" in printed
    assert "Traceback" not in printed
    assert outputs(tmp_path) == {}


def test_the_evaluator_reads_back_as_it_was(finished: tuple[Path, str]) -> None:
    network, sha256 = read_evaluator(finished[0] / "models/evaluator", CPU)
    assert not network.training
    assert network.config.classes == tuple(CLASSES)
    assert sha256 == read_json(finished[0] / "metrics/evaluator.json")["sha256"]


@pytest.mark.parametrize("damage", ["flipped bit", "truncated", "missing", "other width", "no config", "not a config"])
def test_a_damaged_evaluator_is_refused_by_name(finished: tuple[Path, str], tmp_path: Path, damage: str) -> None:
    for path in (finished[0] / "models/evaluator").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights, config = tmp_path / "evaluator.safetensors", tmp_path / "config.json"
    content = weights.read_bytes()
    if damage == "flipped bit":
        weights.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif damage == "truncated":
        weights.write_bytes(content[:-9])
    elif damage == "missing":
        weights.unlink()
    elif damage == "other width":
        config.write_text(json.dumps(read_json(config) | {"features": 32}))
    elif damage == "no config":
        config.unlink()
    else:
        config.write_text("[1, 2]")
    with refused("output-missing" if damage in ("missing", "no config") else "weights-unusable", str(tmp_path)):
        read_evaluator(tmp_path, CPU)
