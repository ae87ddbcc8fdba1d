"""Everything that select and sample read, made small: real digits, an evaluator, a short training."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mintage.trainer import Trainer
from stages.common.checkpoint import write_checkpoint
from stages.common.files import write_json
from stages.common.models import write_generator
from stages.common.params import Evaluator, Sample, Select, load_section
from stages.common.split import Split
from stages.common.train_params import Train
from stages.evaluator import evaluator
from stages.train import make_trainer
from tests.stages.tiny_data import CLASSES, write_digits, write_params

SMALL = {
    "evaluator.images": 12_000,
    "train.recipe.width": 8,
    "train.recipe.batch_size": 16,
    "select.samples": 200,
    "select.classifier_images": 2000,
    "sample.count": 150,
}
CHECKPOINTS = [640, 1280, 1920, 2560]


def write_run(folder: Path, classes: list[str] | None = CLASSES, **params: Any) -> Path:
    """Data, evaluator and checkpoints under `folder`, as their stages would have left them."""
    family = "cgan" if classes else "dcgan"
    changes = {"train.family": family} | {key.replace("__", "."): value for key, value in params.items()}
    write_data(folder, classes, changes)
    evaluator(load_section(Evaluator, folder / "params.yaml"), folder)
    trainer = make_trainer(load_section(Train, folder / "params.yaml"), Split(folder / "data/normalized/train"))
    for images in CHECKPOINTS:
        write_checkpoint(checkpoint(folder, images), *play_until(trainer, images).state())
    params = load_section(Train, folder / "params.yaml").model_dump()
    made = {"stage": "train", "git": {"commit": "c0ffee", "clean": False}, "family": params["family"], "params": params}
    made["recipe"] = asdict(trainer.engine.recipe)
    write_json(folder / "provenance/train.json", made | {"images": trainer.images_seen, "data_fingerprint": "f1f1"})
    return folder


def write_data(folder: Path, classes: list[str] | None, changes: dict[str, Any]) -> None:
    write_digits(folder, train=400, holdout=150, classes=classes)
    write_params(folder, SMALL | changes)
    source = {"name": "digits", "license": "CC BY 4.0", "origin": "https://archive.ics.uci.edu/dataset/80"}
    manifest = {"fingerprint": "f1f1", "shape": [1, 8, 8], "classes": classes, "source": source}
    write_json(folder / "data/normalized/manifest.json", manifest | {"counts": {"train": 400, "holdout": 150}})


def play_until(trainer: Trainer, images: int) -> Trainer:
    while trainer.images_seen < images:
        trainer.turn()
    return trainer


def checkpoint(folder: Path, images: int) -> Path:
    return folder / "models/checkpoints" / f"images-{images:09d}.safetensors"


def write_selected(folder: Path, **params: Any) -> Path:
    """A selected generator under `folder`, trained for a few turns, and params to sample from it."""
    changes = {key.replace("__", "."): value for key, value in params.items()}
    write_data(folder, CLASSES, changes)
    split = Split(folder / "data/normalized/train")
    trainer = play_until(make_trainer(load_section(Train, folder / "params.yaml"), split), 320)
    (folder / "models/selected").mkdir(parents=True)
    write_generator(folder / "models/selected", trainer.average)
    write_json(folder / "models/selected/provenance.json", {"medium": {"name": "images"}})
    return folder


def select_params(folder: Path, **changes: Any) -> Select:
    return load_section(Select, folder / "params.yaml").model_copy(update=changes)


def sample_params(folder: Path, **changes: Any) -> Sample:
    return load_section(Sample, folder / "params.yaml").model_copy(update=changes)
