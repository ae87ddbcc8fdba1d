"""Does what is encoded come back? Held-out images made again by a model's own encoder and generator."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor

import mintage
from mintage.evaluator import features_of
from mintage.metrics import number
from mintage.metrics.pairs import psnr
from mintage.model import Model
from mintage.players import Generator
from mintage.sampling import CHUNK, asked_rows
from stages.common import made_again as encoding
from stages.common.files import read_json
from stages.common.levels import to_uint8
from stages.common.made_again import made_again
from stages.common.models import read_evaluator
from stages.common.pictures import grid_scale
from stages.common.shards import shard_path, tensor_table
from stages.common.split import Split
from stages.reporting.measures import choice_table
from stages.reporting.selection import Selection
from stages.sample import sample
from stages.sampling.latent import JUDGED
from stages.select import select
from stages.selection.extraction import quantize
from tests.stages.tiny_models import CHECKPOINTS, sample_params, select_params, write_run

CPU = torch.device("cpu")
FIGURES = ("reconstruction_psnr", "reconstruction_retrieval")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A variational autoencoder, selected by what its encoder does."""
    folder = write_run(tmp_path_factory.mktemp("encoding"), None, train__family="vae")
    select(select_params(folder, metric="reconstruction_retrieval"), folder)
    return folder


@pytest.fixture(scope="module")
def selection(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(run / "metrics/selection.json")
    return found


@pytest.fixture(scope="module")
def held_out(run: Path) -> Tensor:
    return torch.from_numpy(Split(run / "data/normalized/holdout").images())


@pytest.fixture(scope="module")
def model(run: Path) -> Model:
    return mintage.load(run / "models/selected")


def figures(images: Tensor, held_out: Tensor, run: Path) -> dict[str, float]:
    """Of images in the place of the held-out ones, as the definitions say it."""
    evaluator, _ = read_evaluator(run / "models/evaluator", CPU)
    nearest = torch.cdist(features_of(evaluator, images).double(), features_of(evaluator, held_out).double()).argmin(1)
    right = (nearest == torch.arange(len(images))).double().mean().item()
    return {"reconstruction_psnr": psnr(images, held_out).mean().item(), "reconstruction_retrieval": right}


def test_what_comes_back_is_measured_image_by_image_beside_what_real_ones_reach(
    selection: dict[str, Any], model: Model, held_out: Tensor, run: Path
) -> None:
    expected = figures(quantize(model.reconstruct(held_out)), held_out, run)
    assert {name: selection[name] for name in FIGURES} == pytest.approx(expected, rel=1e-5)
    assert selection["reconstruction_psnr_floor"] == 100
    assert selection["reconstruction_retrieval_floor"] == 1
    assert selection["reconstruction"]["images"] == len(held_out) == 150


def test_beside_it_stand_the_mean_latent_and_the_mean_training_image(
    selection: dict[str, Any], model: Model, held_out: Tensor, run: Path
) -> None:
    latents = model.encode(held_out)
    of_latent = quantize(model.decode(latents.mean(0).expand_as(latents)))
    train = torch.from_numpy(Split(run / "data/normalized/train").images())
    nearly = figures(quantize(train.mean(0).expand_as(held_out)), held_out, run)
    found = selection["reconstruction"]
    assert found["mean_latent"] == pytest.approx(figures(of_latent, held_out, run), rel=1e-5)
    assert found["mean_image"] == pytest.approx(nearly, rel=0.01)  # of those by which floors are measured
    assert found["mean_image"]["reconstruction_retrieval"] == pytest.approx(1 / 150, rel=1e-5)
    assert found["mean_latent"]["reconstruction_psnr"] < found["mean_image"]["reconstruction_psnr"]
    assert all(found["figures"][name] > found["mean_latent"][name] for name in FIGURES)
    assert "by chance: 0.7%" in found["sentence"]


def test_the_library_says_the_same_of_the_same_images(
    selection: dict[str, Any], model: Model, held_out: Tensor, run: Path
) -> None:
    train = torch.from_numpy(Split(run / "data/normalized/train").images())
    table = mintage.measure(model, mintage.Dataset(held_out), mintage.Dataset(train), evaluator_images=640)
    decibels, beside = table["reconstruction_psnr"], selection["reconstruction"]
    known = [beside[name]["reconstruction_psnr"] for name in ("mean_latent", "mean_image")]
    assert decibels.value == pytest.approx(selection["reconstruction_psnr"], rel=1e-5)
    assert decibels.baseline == pytest.approx(max(known), rel=0.01)  # of other training images
    assert decibels.floor == selection["reconstruction_psnr_floor"]


def test_every_checkpoint_is_measured_and_the_one_whose_encoder_keeps_most_is_chosen(
    selection: dict[str, Any], run: Path
) -> None:
    header, *lines = [line.split("\t") for line in (run / "metrics/checkpoints.tsv").read_text().splitlines()]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [int(row["images"]) for row in rows] == CHECKPOINTS
    best = max(float(row["reconstruction_retrieval"]) for row in rows)
    assert selection["reconstruction_retrieval"] == best


def test_card_and_table_of_figures_tell_it(selection: dict[str, Any], run: Path) -> None:
    card = (run / "models/selected/README.md").read_text()
    assert selection["reconstruction"]["sentence"] in card
    assert f"| Reconstruction PSNR | {number(selection['reconstruction_psnr'])} | 100 |" in card


def test_the_report_shows_both_beside_the_figures_of_the_encoder(selection: dict[str, Any]) -> None:
    shown = Selection.model_validate(selection)
    cells = {row["title"]: row["baselines"] for row in choice_table(shown)}
    latent, image = (selection["reconstruction"][of]["reconstruction_psnr"] for of in ("mean_latent", "mean_image"))
    assert cells["Reconstruction PSNR"] == [f"mean latent: {number(latent)}", f"mean training image: {number(image)}"]
    assert cells["Frechet distance"] == []


def test_an_image_comes_back_in_the_same_bits_whatever_it_is_encoded_with(model: Model, run: Path) -> None:
    split, rows = Split(run / "data/normalized/holdout"), torch.arange(150)
    whole = made_again(model.generator, split, rows)
    for size in (1, 7, CHUNK):
        parts = [made_again(model.generator, split, some) for some in torch.split(rows[:70], size)]
        assert torch.equal(torch.cat(parts), whole[:70])


def test_an_encoder_that_says_the_same_of_all_is_told_first(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(generator: Generator, images: Tensor) -> Tensor:
        return torch.zeros(len(images), generator.config.latent_size)

    monkeypatch.setattr(encoding, "encode", same)
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    for known in [*copy.glob(".measure/*/again-*"), *copy.glob(".measure/*/latent-*")]:
        known.unlink()
    found = select(select_params(copy), copy)
    assert found["reconstruction"]["sentence"].startswith(
        "The encoder says nothing of an image: of 150 held-out images"
    )
    assert {name: found[name] for name in FIGURES} == found["reconstruction"]["mean_latent"]


def test_of_a_model_without_an_encoder_nothing_is_measured_nor_said(digits_selected: Path) -> None:
    found = read_json(digits_selected / "metrics/selection.json")
    assert found["reconstruction"] is None
    assert not [name for name in (*found, *found["absent"]) if name.startswith("reconstruction_")]
    assert not [path for path in (digits_selected / ".measure").rglob("*") if path.name.startswith("again-")]


def test_the_sheet_shows_held_out_images_above_what_comes_back_and_ends_with_the_worst(run: Path, model: Model) -> None:
    sample(sample_params(run), run)
    facts = read_json(run / "metrics/latent.json")["pictures"][0]
    assert (facts["file"], facts["rows"][-2:]) == ("reconstructions.png", ["worst held out", "worst again"])
    split = Split(run / "data/normalized/holdout")
    rows = asked_rows(len(split), min(JUDGED, len(split)), 0)
    images, again = torch.from_numpy(split.take(rows.numpy())), made_again(model.generator, split, rows)
    order = psnr(again, images).argsort(stable=True)[:10]
    sheet, scale = np.asarray(Image.open(run / "plots/latent/reconstructions.png").convert("L")), grid_scale(8, 8)
    for row, expected in ((4, images[order]), (5, again[order])):
        cells = sheet[::scale, ::scale][9 * row : 9 * row + 8]
        for column, levels in enumerate(to_uint8(expected.numpy())[:, 0]):
            assert np.array_equal(cells[:, 9 * column : 9 * column + 8], levels)


def test_an_image_s_own_attributes_are_told_when_it_is_made_again(tmp_path: Path) -> None:
    found = load_digits()
    images, even = (found.images[:80] / 8 - 1).astype(np.float32)[:, None], (found.target[:80] % 2 == 0).tolist()
    data = mintage.Dataset(torch.from_numpy(images), attributes={"even": even})
    told = [[1.0 if one else -1.0] for one in even]
    table = tensor_table(images, [None] * 80, [str(row) for row in range(80)], None, attributes=(["even"], told))
    pq.write_table(table, shard_path(tmp_path, 0))
    changes: dict[str, Any] = {"device": "cpu", "progress": False}
    first = mintage.train(data, "sngan_attributes", 1_280, {"width": 4}, **changes).model
    model = mintage.train(data, "age_cgan", 320, {"width": 4}, first=first, **changes).model
    again = made_again(model.generator, Split(tmp_path), torch.arange(80))
    for value in (True, False):
        rows = torch.tensor(even) == value
        alike = model.decode(model.encode(data.image[rows]), attributes={"even": value})
        assert torch.allclose(again[rows], alike, atol=1e-5)
    assert not torch.allclose(again, model.decode(model.encode(data.image), attributes={"even": True}), atol=1e-3)
