"""A second stage in the pipeline: `train.first` names a release, which decides the training and is told of after it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import avg_pool2d

import mintage
from mintage.dataset import Dataset
from mintage.families import resolve
from mintage.model import Model
from mintage.model_config import model_config
from mintage.players import build_players
from stages.check import check
from stages.common.files import read_json, write_json
from stages.common.params import Evaluator, load_params, load_section
from stages.common.reading import labels_of
from stages.common.split import Split
from stages.evaluator import evaluator
from tests.mintage.test_release import write_release
from tests.refusals import refused
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.tiny_data import CLASSES, write_params
from tests.stages.tiny_models import SMALL, write_data

pytestmark = pytest.mark.slow
PARAMS: dict[str, Any] = SMALL | {
    "evaluator.images": 2_000,
    "train.family": "stackgan",
    "train.recipe.width": 4,
    "train.recipe.latent_size": 6,
    "train.images": 640,
    "train.checkpoint_every": 320,
    "train.log_every": 320,
    "select.classifier_images": 0,
}
UNKNOWN = ("attributes", "domains", "partner_shape")
"""What else a manifest says of such data: nothing."""


def first_stage(folder: Path, seed: int = 0) -> Model:
    """Of digits of 4x4."""
    split = Split(folder / "data/normalized/train")
    data = Dataset(avg_pool2d(torch.from_numpy(split.images()), 2), labels_of(split), CLASSES)
    recipe = {"width": 4, "latent_size": 6, "network": "mlp"}
    return mintage.train(data, "cgan", 320, recipe, seed=seed, device="cpu", progress=False).model


def publish(folder: Path, model: Model) -> str:
    return write_release(folder / "published", model.generator, "first")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Both stages as their stages leave them, and the id of the first one's release."""
    folder = tmp_path_factory.mktemp("stacked")
    write_data(folder, CLASSES, PARAMS)
    release = publish(folder, first_stage(folder))
    write_params(folder, PARAMS | {"train.first": "published/channels/first"})
    manifest = read_json(folder / "data/normalized/manifest.json")
    write_json(folder / "data/normalized/manifest.json", manifest | dict.fromkeys(UNKNOWN))
    evaluator(load_section(Evaluator, folder / "params.yaml"), folder)
    for stage in ("train", "select"):
        (folder / f"{stage}.txt").write_text(run_stage_in(folder, stage))
    return folder, release


def test_the_release_it_stands_on_is_said_by_provenance_and_card(finished: tuple[Path, str]) -> None:
    folder, release = finished
    first = read_json(folder / "provenance/train.json")["first"]
    assert first["release"] == release[:20]
    card = (folder / "models/selected/README.md").read_text()
    assert f"refines the images of the release `{release[:20]}`" in card
    assert "first stage, enlarged" in card


def test_the_first_stage_enlarged_stands_beside_every_figure(finished: tuple[Path, str]) -> None:
    folder, _ = finished
    selection = read_json(folder / "metrics/selection.json")
    alone = selection["first_stage"]
    assert "images" not in alone, "it is of no checkpoint"
    assert alone["frechet_distance"] > selection["frechet_floor"]
    assert alone["conditional_accuracy"] is not None
    assert "first stage" in (folder / "select.txt").read_text()
    assert "its first stage enlarged (Frechet distance" in selection["verdict"]["sentence"]


def test_what_it_makes_needs_no_first_release_any_more(finished: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = finished
    shutil.copytree(folder / "models/selected", tmp_path / "selected")
    made, there = (mintage.load(place / "selected").sample(10) for place in (tmp_path, folder / "models"))
    assert torch.equal(made, there)


def test_the_same_first_release_is_gone_on_from_and_another_begins_anew(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "again"))
    renamed = PARAMS | {"train.first": f"published/releases/{finished[1][:20]}", "train.images": 960}
    write_params(folder, renamed)
    assert "going on from 640 images" in run_stage_in(folder, "train")
    publish(folder, first_stage(folder, seed=1))
    write_params(folder, PARAMS | {"train.first": "published/channels/first"})
    said = run_stage_in(folder, "train")
    assert "training starts anew: the first stage has changed" in said


OTHERS: dict[str, dict[str, Any]] = {
    "fitting": {},
    "other latents": {"latent_size": 5},
    "other classes": {"classes": [*CLASSES[1:], CLASSES[0]]},
    "other channels": {"channels": 3},
    "sounds": {"sides": (64,)},
}


def other_first(folder: Path, name: str) -> str:
    """A first stage for digits in a folder, that differs in so much; its address."""
    asked: dict[str, Any] = {"latent_size": 6, "classes": CLASSES, "channels": 1, "sides": (4, 4)} | OTHERS[name]
    recipe = resolve("cgan", {"width": 4, "latent_size": asked["latent_size"], "network": "mlp"})
    config = model_config(recipe, (asked["channels"], *asked["sides"]), asked["classes"])
    Model(build_players(config, seed=0)[0]).save(folder / name)
    return str(folder / name)


@pytest.mark.parametrize("name", [*OTHERS, "nothing"])
def test_check_says_of_a_first_stage_what_train_says(name: str, finished: tuple[Path, str], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "other"))
    address = other_first(tmp_path, name) if name in OTHERS else "published/channels/nobody"
    write_params(folder, PARAMS | {"train.first": address})
    code, said = try_stage_in(folder, "train")
    (folder / "data/source").mkdir()
    if code == 0:
        assert name == "fitting"
        check(load_params(folder / "params.yaml"), [], folder)
        return
    with refused("recipe-does-not-fit" if name in OTHERS else "first-unusable") as found:
        check(load_params(folder / "params.yaml"), [], folder)
    assert said.splitlines()[-1] == f"error: {found.value}"


def test_a_first_release_that_is_gone_is_no_matter_to_check_once_a_training_on_it_is_done(
    finished: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "pulled"))
    shutil.rmtree(folder / "published")
    (folder / "data/source").mkdir()
    check(load_params(folder / "params.yaml"), [], folder)
    write_params(folder, PARAMS | {"train.first": "published/channels/first", "train.images": 1280})
    with refused("first-unusable"):
        check(load_params(folder / "params.yaml"), [], folder)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"train.family": "stackgan", "train.first": None}, "set first to a channel"),
        ({"train.family": "cgan", "train.first": "published/channels/first"}, "set it to null"),
        ({"train.first": "published/channels/nobody"}, "nobody"),
        ({"train.first": "models/selected"}, "publish it, and name its channel or release"),
        ({"train.first": "published/channels/first", "train.recipe.latent_size": 7}, "the same latents"),
    ],
)
def test_what_does_not_fit_is_one_sentence_before_anything_is_learned(
    changes: dict[str, Any], part: str, finished: tuple[Path, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "other"))
    write_params(folder, PARAMS | changes)
    code, said = try_stage_in(folder, "train")
    assert code == 2
    assert part in said
    assert len(said.strip().splitlines()) == 1
