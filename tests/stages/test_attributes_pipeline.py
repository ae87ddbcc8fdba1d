"""Attributes through every stage, as people run them: digits, told by parity, loops and ink."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from mintage import Model
from stages.common.files import read_json
from stages.common.reading import attributes_of
from stages.common.shards import read_tables
from stages.common.split import Split
from tests.stages.forked import try_stage_in
from tests.stages.tiny_data import write_params
from tests.stages.whole_pipeline import run_pipeline

LOOPS = {0: "one", 4: "one", 6: "one", 9: "one", 8: "two"}
NAMES = ("even", "ink", "loops=none", "loops=one", "loops=two")
PARAMS: dict[str, Any] = {
    "ingest.source": "folder",
    "ingest.path": "pictures",
    "ingest.attributes": {"file": "about.csv", "columns": ["even", "ink", "loops"]},
    "evaluator.images": 12_000,
    "train.family": "sngan_attributes",
    "train.recipe.width": 8,
    "train.recipe.ema_half_life": 500.0,
    "train.images": 12_000,
    "train.checkpoint_every": 6_000,
    "select.samples": 300,
    "sample.count": 30,
    "sample.attributes": {"loops": "two"},
}


def write_pictures(folder: Path) -> None:
    """The real digits as files, not in folders, and a table about them."""
    folder.mkdir()
    found = load_digits()
    with open(folder / "about.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "digit", "even", "loops", "ink"])
        for number, (picture, digit) in enumerate(zip(found.images, found.target, strict=True)):
            name = f"{number:04d}.png"
            Image.fromarray((picture * 15.9375).astype(np.uint8)).save(folder / name)
            table.writerow([name, digit, int(digit % 2 == 0), LOOPS.get(int(digit), "none"), picture.mean()])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attributes")
    write_pictures(folder / "pictures")
    return run_pipeline(folder, PARAMS)


def test_a_table_s_columns_are_the_attributes_of_both_splits(finished: Path) -> None:
    train, holdout = (Split(finished / "data/normalized" / side) for side in ("train", "holdout"))
    digits, ink = load_digits().target, load_digits().images.mean((1, 2))
    for split in (train, holdout):
        assert split.signature.attributes == NAMES
        assert split.classes is None
        numbers = [int(key.removesuffix(".png")) for key in split.keys]
        expected = [LOOPS.get(int(digits[number]), "none") for number in numbers]
        rows = split.attributes
        assert rows is not None
        assert np.array_equal(rows[:, 0] == 1, digits[numbers] % 2 == 0)
        assert np.allclose(rows[:, 1], 2 * (ink[numbers] - ink.min()) / (ink.max() - ink.min()) - 1, atol=1e-5)
        assert [("none", "one", "two")[place] for place in rows[:, 2:].argmax(1)] == expected
    assert read_json(finished / "data/normalized/manifest.json")["attributes"] == list(NAMES)
    assert "ink is -1 at" in (finished / "ingest.txt").read_text()


@pytest.mark.parametrize("stage", ["validate", "train"])
def test_what_no_image_has_is_refused_before_a_training_by_each_stage_that_may_be_the_first_to_run(
    finished: Path, tmp_path: Path, stage: str
) -> None:
    for name in ("data", "reports"):
        shutil.copytree(finished / name, tmp_path / name)
    write_params(tmp_path, PARAMS | {"train.seed": 1, "sample.attributes": {"loops": "three"}})
    code, printed = try_stage_in(tmp_path, stage)
    assert code == 2
    assert "sample.attributes: there is no loops 'three': ask for none or one or two" in printed


def test_generated_images_have_the_attributes_that_were_asked_for_far_beyond_chance(selection: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in selection["attributes"]}
    assert list(rows) == ["even", "ink", "loops"]
    chance = np.mean([row["chance"] for row in rows.values()])
    assert selection["attribute_accuracy"] == pytest.approx(np.mean([row["accuracy"] for row in rows.values()]), 1e-4)
    assert selection["attribute_accuracy"] > chance + 0.1
    assert selection["attribute_floor"] > chance + 0.2
    assert "ttribute accuracy" in selection["verdict"]["sentence"]
    assert "conditional_accuracy" not in selection


def test_what_all_samples_should_have_is_asked_for_and_written_down(finished: Path) -> None:
    (table,) = read_tables(finished / "samples")
    values = np.array(table["attributes"].to_pylist())
    assert values.shape == (30, 5)
    assert (values[:, 2:] == [-1, -1, 1]).all()
    assert len({tuple(row) for row in values.tolist()}) > 5
    schema = pq.read_schema(next((finished / "samples").glob("*.parquet")))
    assert json.loads(schema.metadata[b"attributes"]) == list(NAMES)


def test_a_picture_switches_one_attribute_at_a_time(finished: Path) -> None:
    latent = {one["file"]: one for one in read_json(finished / "metrics/latent.json")["pictures"]}
    assert latent["attributes.png"]["rows"] == ["even", "ink", "loops"]
    page = (finished / "reports/index.html").read_text()
    assert "One attribute at a time" in page
    assert "Attribute by attribute" in page


def test_the_release_is_asked_by_name_and_its_onnx_by_a_row(finished: Path, selected: Model) -> None:
    assert selected.attributes == NAMES
    assert selected.sample(4, attributes={"even": True, "loops": "one"}).shape == (4, 1, 8, 8)
    session = onnxruntime.InferenceSession(finished / "models/onnx/generator.onnx")
    assert [one.name for one in session.get_inputs()] == ["latents", "attributes"]
    asked = attributes_of(Split(finished / "data/normalized/holdout"))
    assert asked is not None
    latents = torch.randn(6, selected.generator.config.latent_size)
    (found,) = session.run(None, {"latents": latents.numpy(), "attributes": asked[:6].numpy()})
    with torch.inference_mode():
        expected = selected.generator(latents, asked[:6])
    assert np.abs(found - expected.numpy()).max() < 1e-3


def test_what_is_published_is_loaded_and_asked_by_name(published: Model, selected: Model) -> None:
    asked = {"loops": "two"}
    assert torch.equal(published.sample(3, attributes=asked), selected.sample(3, attributes=asked))


def test_the_card_names_the_attributes_and_how_to_ask_for_one(finished: Path) -> None:
    card = (finished / "models/selected/README.md").read_text()
    assert ", ".join(NAMES) in card
    assert "attributes={'even': True}" in card
