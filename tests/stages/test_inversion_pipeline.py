"""An encoder in the pipeline: `train.first` names the release whose generator it learns to undo, and comes with it."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tqdm import tqdm

import mintage
from mintage.metrics.pairs import psnr
from stages.common.files import read_json, write_json
from stages.common.params import Evaluator, load_section
from stages.common.reading import labels_of
from stages.common.split import Split
from stages.evaluator import evaluator
from stages.export import ENCODER, export
from stages.select import select
from stages.selection.extraction import quantize
from stages.train import show
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.test_stacked_pipeline import PARAMS, UNKNOWN, publish
from tests.stages.tiny_data import CLASSES, write_params
from tests.stages.tiny_models import SMALL, select_params, write_data

pytestmark = pytest.mark.slow
ENCODING: dict[str, Any] = {name: value for name, value in PARAMS.items() if not name.startswith("train.recipe.")} | {
    "train.family": "age_cgan",
    "train.recipe.width": 4,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder as train and select leave it, on a release of digits as large."""
    folder = tmp_path_factory.mktemp("encoding")
    write_data(folder, CLASSES, SMALL)
    data = mintage.Dataset(*_digits(folder), CLASSES)
    recipe = {"width": 4, "latent_size": 6, "network": "mlp"}
    publish(folder, mintage.train(data, "cgan", 320, recipe, device="cpu", progress=False).model)
    write_params(folder, ENCODING | {"train.first": "published/channels/first"})
    manifest = read_json(folder / "data/normalized/manifest.json")
    write_json(folder / "data/normalized/manifest.json", manifest | dict.fromkeys(UNKNOWN))
    evaluator(load_section(Evaluator, folder / "params.yaml"), folder)
    for stage in ("train", "select"):
        (folder / f"{stage}.txt").write_text(run_stage_in(folder, stage))
    return folder


def _digits(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    split = Split(folder / "data/normalized/train")
    labels = labels_of(split)
    assert labels is not None
    return torch.from_numpy(split.images()), labels


def test_the_bar_calls_the_loss_by_the_one_who_learns() -> None:
    with tqdm(total=1, file=io.StringIO()) as bar:
        show(bar, {"encoder_loss": 3.0})
        assert bar.postfix == "encoder=3.00"


def test_of_all_checkpoints_whose_images_are_the_same_the_last_is_selected(finished: Path) -> None:
    assert len(list((finished / "models/checkpoints").glob("images-*.safetensors"))) == 2
    selection = read_json(finished / "metrics/selection.json")
    assert (selection["checkpoints"], selection["images"]) == (1, 640)
    assert selection["verdict"]["course"] == "fixed"
    assert "train.first" in selection["verdict"]["advice"]


def test_checkpoints_are_told_apart_by_their_encoders_where_one_is_chosen_by_these(
    finished: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "other"))
    found = select(select_params(folder, metric="reconstruction_retrieval"), folder)
    assert found["checkpoints"] == 2
    holdout = Split(folder / "data/normalized/holdout")
    images, labels = torch.from_numpy(holdout.images()), labels_of(holdout)
    assert labels is not None
    again = mintage.load(folder / "models/selected").reconstruct(images, label=labels.tolist())
    assert found["reconstruction_psnr"] == pytest.approx(psnr(quantize(again), images).mean().item(), rel=1e-4)
    assert f"(real images: 100.0%), the {found['rule']}" in found["why"]


def test_the_release_that_it_learned_from_is_said_by_provenance_and_card(finished: Path) -> None:
    first = read_json(finished / "provenance/train.json")["first"]
    card = (finished / "models/selected/README.md").read_text()
    assert f"Its encoder learned from the images of the release `{first['release']}`" in card
    assert "latents = model.encode(pictures)" in card


def test_generator_and_encoder_are_exported_and_make_what_they_make_in_torch(finished: Path, tmp_path: Path) -> None:
    assert export(finished / "models/selected", tmp_path / "generator.onnx", 18) < 1e-3
    assert (tmp_path / ENCODER).is_file()


def test_a_picture_is_projected_from_what_the_encoder_says_and_its_class_changed(
    finished: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.full((9, 9), 90, np.uint8)).save(tmp_path / "one.png")
    shutil.copytree(finished / "models/selected", tmp_path / "model")
    given = ("one.png", "--release", "model", "--to", CLASSES[1], "--steps", "2", "--out", "out")
    said = run_stage_in(tmp_path, "project", *given)
    assert "projected 1 picture, beginning at what its encoder says, PSNR " in said
    assert (tmp_path / "out/one.png").is_file()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"train.first": None}, "set first to a channel"),
        ({"train.stop": {"metric": "frechet_distance", "patience": 320}}, "stays as it is: set it to null"),
        ({"train.recipe.latent_size": 7}, "leave latent_size as the family has it"),
    ],
)
def test_what_does_not_fit_is_one_sentence_before_anything_is_learned(
    changes: dict[str, Any], part: str, finished: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "other"))
    write_params(folder, ENCODING | {"train.first": "published/channels/first"} | changes)
    code, said = try_stage_in(folder, "train")
    assert (code, len(said.strip().splitlines())) == (2, 1), said
    assert part in said
