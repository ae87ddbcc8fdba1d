"""Training on a window of the images at a time: what is on the disk is shown, and gone on with after a kill."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mintage.streaming import StreamedImages
from stages.common.checkpoint import read_checkpoint
from stages.common.params import load_section
from stages.common.split import Split
from stages.common.train_params import Train
from stages.train import make_trainer
from tests.refusals import refused
from tests.stages.forked import run_train_stage
from tests.stages.kills import ALWAYS, NEVER, kill_once_a_state_is_saved
from tests.stages.test_train import SHORT, outputs, workspace
from tests.stages.test_train_kills import tiny
from tests.stages.tiny_data import write_params

WINDOW: dict[str, Any] = {"train.window": 60}


def test_a_training_by_windows_that_is_killed_with_9_ends_in_the_same_bits(tmp_path: Path) -> None:
    straight = tiny(tmp_path / "straight", "cgan", NEVER, **WINDOW)
    run_train_stage(straight)
    killed = tiny(tmp_path / "killed", "cgan", ALWAYS, **WINDOW)
    kill_once_a_state_is_saved(killed)
    assert "going on from" in run_train_stage(killed)
    assert outputs(killed) == outputs(straight)
    in_memory = tiny(tmp_path / "whole", "cgan", NEVER)
    run_train_stage(in_memory)
    assert outputs(in_memory) != outputs(straight), "a window is another order"


def test_every_image_is_shown_with_its_own_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace(tmp_path, train__window=60))
    trainer = make_trainer(load_section(Train), Split("data/normalized/train"))
    assert isinstance(trainer.real, StreamedImages)
    split = Split("data/normalized/train")
    assert split.labels is not None
    known = {image.tobytes(): int(label) for image, label in zip(split.images(), split.labels, strict=True)}
    images, labels = trainer.real.batch(0, 2 * len(split))
    assert labels is not None
    assert [known[np.ascontiguousarray(image).tobytes()] for image in images.numpy()] == labels.tolist()


def test_images_that_do_not_fit_are_refused_with_the_window_that_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace(tmp_path))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=40_000))
    split, params = Split("data/normalized/train"), load_section(Train)
    with refused("memory-too-small", "this machine has 0.0 GB free: set train.window"):
        make_trainer(params, split)
    make_trainer(params.model_copy(update={"window": 39}), split)


def test_a_window_that_holds_everything_is_the_same_training(tmp_path: Path) -> None:
    in_memory, holding_all = (
        tiny(tmp_path / str(window), "cgan", NEVER, **{"train.window": window}) for window in (None, 300)
    )
    for folder in (in_memory, holding_all):
        run_train_stage(folder)
    ours, theirs = (outputs(folder) for folder in (in_memory, holding_all))
    assert ours.keys() == theirs.keys()
    assert {path for path in ours if ours[path] != theirs[path]} == {path for path in ours if "checkpoints" in path}
    for path in (in_memory / "models/checkpoints").iterdir():  # which hold a digest of the params
        other = read_checkpoint(holding_all / "models/checkpoints" / path.name)[0]
        assert all(torch.equal(tensor, other[name]) for name, tensor in read_checkpoint(path)[0].items())


def test_a_training_by_windows_stops_early_too(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    stop = {"metric": "frechet_distance", "patience": 1000, "samples": 100, "evaluator_images": 1000}
    write_params(folder, SHORT | {"train.window": 60, "train.stop": stop})
    run_train_stage(folder)
    measured = read_checkpoint(max((folder / "models/checkpoints").iterdir()))[1]["measured"]
    assert all(value > 0 for _, value in measured)


def test_unlabeled_images_stream_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace(tmp_path, train__window=60, train__family="dcgan"))
    trainer = make_trainer(load_section(Train), Split("data/normalized/train"))
    _, labels = trainer.real.batch(0, 10)
    assert labels is None
    trainer.turn()
    assert torch.isfinite(torch.tensor(list(trainer.summarize().values()))).all()
