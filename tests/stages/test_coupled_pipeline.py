"""Of one latent an image of each of two domains, through every stage as people run them: digits and their edges."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import mintage
from mintage import Model
from mintage.evaluator import classify, features_of
from mintage.metrics.accuracy import accuracy
from stages.common.levels import to_uint8
from stages.common.models import read_evaluator
from stages.common.params import Normalize
from stages.common.shards import read_tables
from stages.images.partners import made
from tests.stages.kills import assert_killed_and_run_again_ends_in_the_same_bits
from tests.stages.whole_pipeline import run_pipeline

DOMAINS = ("digit", "edges")
PARAMS: dict[str, Any] = {
    "ingest.source": "folder",
    "ingest.domains": list(DOMAINS),
    "evaluator.images": 6_000,
    "train.family": "cogan",
    "train.recipe.width": 4,
    "train.recipe.discriminator.width": 4,
    "train.recipe.batch_size": 16,
    "train.recipe.ema_half_life": 200.0,
    "train.recipe.generator.learning_rate": 0.005,
    "train.images": 1_200,
    "train.checkpoint_every": 600,
    "train.log_every": 200,
    "sample.count": 61,
}


def write_pictures(folder: Path, count: int = 900) -> None:
    """Every other digit as it is, and of the others the edges: no picture has its own edges beside it."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    levels = (digits.images[:count, None] / 8 - 1).astype(np.float32)
    edges = made(Normalize.model_construct(partner="edges", damage=None), levels, [0] * count)
    for number, pictures in enumerate(zip(to_uint8(levels), to_uint8(edges.astype(np.float32)), strict=True)):
        place = folder / "data/source" / DOMAINS[number % 2] / str(digits.target[number])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pictures[number % 2][0]).save(place / f"{number:04d}.png")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coupled")
    write_pictures(folder)
    return run_pipeline(folder, PARAMS)


def agreement(folder: Path, count: int) -> float:
    """The share of latents of whose two images each domain's evaluator names the same class."""
    model, said = mintage.load(folder / "models/selected"), []
    for number, domain in enumerate(DOMAINS):
        evaluator, _ = read_evaluator(folder / "models/evaluator" / str(number), torch.device("cpu"))
        images = torch.from_numpy(to_uint8(model.sample(count, seed=0, label=domain).numpy())).float() / 127.5 - 1
        said.append(classify(evaluator, features_of(evaluator, images)))
    return accuracy(*said)


def test_each_domain_is_measured_beside_real_images_of_it_and_by_the_class_of_the_partners(
    finished: Path, selection: dict[str, Any]
) -> None:
    assert [one["to"] for one in selection["directions"]] == ["edges", "digit"]
    assert selection["baseline"] is None
    for one in selection["directions"]:
        figures = one["figures"]
        assert one["baseline"] is None
        assert figures["frechet_distance"] > figures["frechet_floor"]
        assert figures["conditional_accuracy"] < figures["accuracy_floor"]
        assert figures["conditional_accuracy"] == pytest.approx(agreement(finished, figures["samples"]), abs=0.02)
        assert one["sentence"].startswith(f"{one['to']}: ")
        assert "untranslated" not in one["sentence"]
        assert one["sentence"] in (finished / "select.txt").read_text()
    for name in ("frechet_distance", "conditional_accuracy", "coverage"):
        both = [one["figures"][name] for one in selection["directions"]]
        assert selection[name] == pytest.approx(sum(both) / 2, rel=1e-4)


def test_samples_are_pairs_of_one_latent_each(finished: Path, selected: Model) -> None:
    (table,) = read_tables(finished / "samples")
    rows = table.to_pylist()
    assert [(row["index"], row["latent"], row["label"]) for row in rows] == [(i, i // 2, i % 2) for i in range(61)]
    images = {domain: to_uint8(selected.sample(31, seed=0, label=domain).numpy()) for domain in DOMAINS}
    for row in (rows[0], rows[1], rows[-1]):
        shown = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))).astype(int)
        assert np.abs(images[DOMAINS[row["label"]]][row["latent"], 0] - shown).max() <= 1


def test_the_sheet_has_the_domains_below_each_other_in_every_two_rows(finished: Path, selected: Model) -> None:
    sheet = np.asarray(Image.open(finished / "plots/samples.png"))
    scale, margin = 12, sheet.shape[1] - (10 * 9 - 1) * 12
    grid = sheet[::, margin:][scale // 2 :: scale, scale // 2 :: scale]
    assert grid.shape == (8 * 9 - 1, 10 * 9 - 1)
    for row, domain in enumerate(DOMAINS * 4):
        wanted = to_uint8(selected.sample(40, seed=0, label=domain).numpy())[row // 2 * 10 + 3, 0]
        assert np.abs(grid[row * 9 : row * 9 + 8, 27:35].astype(int) - wanted).max() <= 1


def test_one_onnx_file_makes_both_and_the_release_the_same_as_the_selected_model(
    finished: Path, selected: Model, published: Model
) -> None:
    assert (published.domains, published.classes) == (DOMAINS, DOMAINS)
    latents = torch.randn(5, published.latent_size, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    assert not (finished / "models/onnx/back.onnx").exists()
    for number, domain in enumerate(DOMAINS):
        images = published.decode(latents, label=domain)
        assert torch.equal(images, selected.decode(latents, label=domain))
        (found,) = session.run(None, {"latents": latents.numpy(), "labels": np.full(5, number)})
        assert np.abs(found - images.numpy()).max() < 1e-3


def test_the_card_and_the_report_tell_of_each_domain(finished: Path, selection: dict[str, Any]) -> None:
    page, card = (finished / "reports/index.html").read_text(), (finished / "models/selected/README.md").read_text()
    assert "Each domain" in page
    assert "One latent, one image of each domain" in page
    assert "untranslated" not in page
    assert "label=domain) for domain in model.domains]" in card
    assert all(one["sentence"] in card for one in selection["directions"])


@pytest.mark.slow
def test_killed_with_9_and_run_again_it_ends_in_the_same_bits(finished: Path, tmp_path: Path) -> None:
    assert_killed_and_run_again_ends_in_the_same_bits(finished, tmp_path, PARAMS)
