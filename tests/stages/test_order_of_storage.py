"""The order in which images are stored decides no figure: not by class, as folders are, nor by brightness or size."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from mintage.players import Generator
from mintage.sampling import asked_labels
from stages.common.checkpoint import write_checkpoint
from stages.common.files import read_json, write_json
from stages.common.models import read_evaluator
from stages.common.params import Evaluator, load_section
from stages.common.shards import shard_path, tensor_table
from stages.common.split import Numbers, Split
from stages.common.train_params import Train
from stages.evaluator import evaluator
from stages.media.images import Images
from stages.media.medium import Words
from stages.selection.cache import Cache
from stages.selection.classifiers import generated_images
from stages.selection.extraction import Judge
from stages.selection.features import feature_network
from stages.selection.measure import floors, load_generator, measure
from stages.selection.metrics import METRICS
from stages.selection.nearest import rows_of_classes
from stages.selection.reference import Reference, reference
from stages.train import make_trainer
from stages.training.stopping import Measure
from tests.stages.crafted import Copier
from tests.stages.forked import run_stage_in
from tests.stages.tiny_data import write_params
from tests.stages.tiny_models import CHECKPOINTS, SMALL, checkpoint, play_until, select_params

CPU = torch.device("cpu")
SAMPLES, FEWER = 1000, 100
"""More than there are to train on, and fewer than are held out."""
NOISE = {"kernel_error", *(column for metric in METRICS.values() for column in metric.interval)}
"""By groups and splits that the seed draws among the images as they are numbered."""


def by_chance(split: Split) -> Numbers:
    return np.random.default_rng(7).permutation(len(split))


def by_class(split: Split) -> Numbers:
    return np.argsort(split.labels, kind="stable")  # type: ignore[arg-type]


def by_brightness(split: Split) -> Numbers:
    return np.argsort(split.images().mean((1, 2, 3)), kind="stable")


def by_file_size(split: Split) -> Numbers:
    return np.argsort([len(zlib.compress(image.tobytes())) for image in split.images()], kind="stable")


ORDERS = [by_class, by_brightness, by_file_size]


@pytest.fixture(scope="module")
def run(digits_run: Path) -> Path:
    """Digits in an order of chance, with an evaluator and checkpoints."""
    return digits_run


@pytest.fixture(scope="module")
def by_chance_alone(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run in one order of chance, with which each other order is compared."""
    return stored(run, tmp_path_factory.mktemp("by_chance") / "run", by_chance)


def stored(run: Path, folder: Path, order: Callable[[Split], Numbers]) -> Path:
    """The run with each split in another order; evaluator and checkpoints are the same."""
    shutil.copytree(run, folder)
    for name in ("train", "holdout"):
        split = Split(run / "data/normalized" / name)
        rows, target = order(split), folder / "data/normalized" / name
        keys, labels = np.array(split.keys)[rows].tolist(), split.labels[rows].tolist()  # type: ignore[index]
        table = tensor_table(split.images()[rows], labels, keys, split.classes)
        shutil.rmtree(target)
        target.mkdir()
        pq.write_table(table, shard_path(target, 0), row_group_size=25)
    return folder


def real_of(folder: Path, samples: int, seed: int = 0) -> Reference:
    network, _ = read_evaluator(folder / "models/evaluator", CPU)
    params = select_params(folder, samples=samples, seed=seed)
    judge = Judge(network, feature_network(params, network, "", CPU, Words()), Images(), "")
    train, holdout = (Split(folder / "data/normalized" / name) for name in ("train", "holdout"))
    cache = folder / f".measure-{samples}-{seed}"
    return reference(judge, train, holdout, params, condition="label", cache=cache)


def learned(folder: Path) -> Generator:
    return load_generator(checkpoint(folder, CHECKPOINTS[-1]), CPU)[0]


def figures_of(generator: Any, real: Reference) -> dict[str, Any]:
    return measure(lambda: generator, real, Cache(real.known.folder, "generated"), lambda images: None).figures


def flat(figures: dict[str, Any]) -> dict[str, float]:
    """Each figure, and each of a class, by name."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in figures.items()}
    return {f"{name} {i}": one for name, values in lists.items() for i, one in enumerate(values) if one is not None}


@pytest.mark.parametrize("order", ORDERS)
def test_figures_and_floors_of_the_same_images_are_the_same_in_any_order_of_storage(
    run: Path, by_chance_alone: Path, tmp_path: Path, order: Callable[[Split], Numbers]
) -> None:
    """All images to train on are the floor here, so both are of the same sets of images."""
    one, other = (real_of(folder, SAMPLES) for folder in (by_chance_alone, stored(run, tmp_path / "other", order)))
    for expected, found in (
        (figures_of(learned(run), one), figures_of(learned(run), other)),
        (floors(one).figures, floors(other).figures),
    ):
        sure = {name: value for name, value in flat(expected).items() if name.split()[0] not in NOISE}
        assert len(sure) > 20
        assert {name: flat(found).get(name) for name in sure} == pytest.approx(sure, rel=2e-5, abs=2e-5)


def test_the_train_images_of_the_floor_are_of_the_classes_that_are_asked_for(run: Path, tmp_path: Path) -> None:
    folder = stored(run, tmp_path / "by_class", by_class)
    real = real_of(folder, FEWER)
    assert real.condition == "label"
    assert real.holdout_labels is not None
    drawn = torch.bincount(torch.from_numpy(Split(folder / "data/normalized/train").labels)[real.chosen])
    asked = torch.bincount(asked_labels(real.holdout_labels, FEWER, 0))
    assert torch.equal(drawn, asked)


@pytest.fixture(scope="module")
def of_seeds(by_chance_alone: Path) -> list[dict[str, float]]:
    """The floors of a few samples by each of eight seeds."""
    return [flat(floors(real_of(by_chance_alone, FEWER, seed)).figures) for seed in range(8)]


@pytest.mark.parametrize("order", ORDERS)
def test_figures_of_a_few_samples_are_the_same_and_their_floors_are_within_what_another_seed_gives(
    run: Path,
    by_chance_alone: Path,
    of_seeds: list[dict[str, float]],
    tmp_path: Path,
    order: Callable[[Split], Numbers],
) -> None:
    other = stored(run, tmp_path / "other", order)
    generated = [flat(figures_of(learned(run), real_of(folder, FEWER))) for folder in (by_chance_alone, other)]
    sure = {name: value for name, value in generated[0].items() if name.split()[0] not in NOISE}
    assert {name: generated[1].get(name) for name in sure} == pytest.approx(sure, rel=2e-5, abs=2e-5)
    found = flat(floors(real_of(other, FEWER)).figures)
    for name in ("frechet_distance", "kernel_distance", "recall", "coverage", "classifier_score", "diversity"):
        values = torch.tensor([of_seed[f"{name} 0"] for of_seed in of_seeds])
        assert abs(found[f"{name} 0"] - values.mean()) < 5 * values.std() + 1e-6, name


def test_the_classes_asked_for_are_as_frequent_in_a_few_samples_as_in_the_holdout(run: Path, tmp_path: Path) -> None:
    folder = stored(run, tmp_path / "by_class", by_class)
    real = real_of(folder, FEWER)
    assert real.requested_labels is not None
    assert real.holdout_labels is not None
    shares = torch.bincount(real.holdout_labels, minlength=10) / len(real.holdout_labels)
    counts = torch.bincount(real.requested_labels, minlength=10)
    assert ((counts - FEWER * shares).abs() < 4 * (FEWER * shares).sqrt()).all()
    assert not torch.equal(real.requested_labels, real.requested_labels.sort().values), (
        "nor does any part of them lack classes"
    )


def test_real_images_given_back_have_the_classifier_score_of_the_floor(run: Path, tmp_path: Path) -> None:
    """In the order of classes it was 1.1 where real images have 7.8."""
    real = real_of(stored(run, tmp_path / "by_class", by_class), samples=140)
    given_back = figures_of(Copier(real.train_split), real)
    assert given_back["classifier_score"] == pytest.approx(floors(real).figures["classifier_score"], rel=0.1)


def test_a_training_stops_by_the_same_figure_in_any_order_of_storage(run: Path, tmp_path: Path) -> None:
    network, _ = read_evaluator(run / "models/evaluator", CPU)
    folders = [stored(run, tmp_path / of.__name__, of) for of in (by_chance, *ORDERS)]
    for count in (FEWER, SAMPLES):
        measures = [Measure(network, Split(folder / "data/normalized/holdout"), count, 0) for folder in folders]
        found = [measure.score(learned(run)) for measure in measures]
        asked = [measure.asked(learned(run)) for measure in measures]
        assert found == pytest.approx([found[0]] * len(found), rel=1e-5)
        assert all(one is not None and set(one[torch.arange(len(one))].tolist()) == set(range(10)) for one in asked)


def test_each_block_of_images_for_a_classifier_has_all_classes(run: Path, tmp_path: Path) -> None:
    real = real_of(stored(run, tmp_path / "by_class", by_class), SAMPLES)
    labels = torch.from_numpy(real.train_split.labels)
    shown = generated_images(learned(run), real, labels, 100, CPU)
    assert shown.conditions is not None
    assert shown.conditions.sort().values.tolist() == labels.sort().values.tolist()
    assert len(set(shown.conditions[:FEWER].tolist())) == 10


def test_the_held_out_images_shown_are_drawn_from_all(run: Path, tmp_path: Path) -> None:
    """Without classes too: the first ones of a folder by class are all of one."""
    split = Split(stored(run, tmp_path / "by_class", by_class) / "data/normalized/holdout")
    assert split.labels is not None
    assert len(set(split.labels[rows_of_classes(split, None, 0)].tolist())) > 4
    of_threes = [rows_of_classes(split, [3] * 10, seed).tolist() for seed in (0, 1)]
    assert set(split.labels[of_threes[0]].tolist()) == {3}
    assert of_threes[0] != of_threes[1]


def test_a_folder_by_class_is_measured_in_all_its_classes(tmp_path: Path) -> None:
    """From image files to the stage as people run it; before, the last classes were not generated."""
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images[:600], digits.target, strict=False)):
        path = tmp_path / f"data/source/{label}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15.9).astype(np.uint8)).save(path)
    changes = SMALL | {"ingest.source": "folder", "normalize.holdout": 0.3, "select.samples": 60}
    write_params(tmp_path, changes | {"select.classifier_images": 0, "train.family": "cgan"})
    for stage in ("ingest", "normalize"):
        run_stage_in(tmp_path, stage)
    write_json(tmp_path / "reports/validation.json", {"success": True})
    holdout = Split(tmp_path / "data/normalized/holdout")
    assert holdout.labels is not None
    assert len(holdout) >= 3 * 60
    assert holdout.labels.tolist() == sorted(holdout.labels.tolist()), "it is stored by class"
    evaluator(load_section(Evaluator, tmp_path / "params.yaml"), tmp_path)
    trainer = make_trainer(load_section(Train, tmp_path / "params.yaml"), Split(tmp_path / "data/normalized/train"))
    write_checkpoint(checkpoint(tmp_path, 160), *play_until(trainer, 160).state())
    git = {"commit": None, "clean": None}
    write_json(tmp_path / "provenance/train.json", {"family": "cgan", "images": 160, "git": git})
    printed = run_stage_in(tmp_path, "select")
    assert "on 60 generated images a checkpoint and as many training images" in printed
    classes = read_json(tmp_path / "metrics/selection.json")["classes"]
    assert [row["name"] for row in classes if row["accuracy"] is None] == []
