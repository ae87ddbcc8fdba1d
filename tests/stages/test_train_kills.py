"""Families killed while they train, and a checkpoint taken to another place."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from mintage.families import FAMILIES
from tests.stages.forked import run_train_stage
from tests.stages.kills import ALWAYS, NEVER, kill_once_a_state_is_saved
from tests.stages.test_train import SHORT, outputs, train
from tests.stages.tiny_data import write_digits, write_params

TURNS, BATCH = 8, 8


def tiny(folder: Path, family: str, resume_every: float, **changes: Any) -> Path:
    images = TURNS * BATCH * FAMILIES[family].discriminator_steps
    sizes = {"images": images, "recipe.batch_size": BATCH, "checkpoint_every": images // 2, "log_every": images // 4}
    facts = {"train.family": family, "train.resume_every": resume_every, "train.recipe.width": 4}
    params = SHORT | facts | {f"train.{name}": size for name, size in sizes.items()} | changes
    if not (folder / "data").exists():
        write_digits(folder, damage=("masked", 0.0) if FAMILIES[family].redrawn else None)
    write_params(folder, params)
    return folder


STATEFUL = ("wgan", "began", "acgan", "infogan", "ssgan", "sngan", "modern_conditional", "context_encoder")
"""A family for each part that a state has: clipped weights and RMSprop, BEGAN's k, a class, a code and its batch norm,
hidden labels, vectors of spectral norm, penalties with an interval; one that draws holes at every step. What resumes
in a process, all families do: tests/mintage/test_trainer.py."""


@pytest.mark.slow
@pytest.mark.parametrize("family", STATEFUL)
def test_a_family_killed_with_9_and_run_again_ends_in_the_same_bits(tmp_path: Path, family: str) -> None:
    straight = tiny(tmp_path / "straight", family, NEVER)
    run_train_stage(straight)
    killed = tiny(tmp_path / "killed", family, ALWAYS)
    kill_once_a_state_is_saved(killed)
    assert "going on from" in run_train_stage(killed)
    assert outputs(killed) == outputs(straight)


def test_the_last_checkpoint_alone_is_enough_to_go_on_in_another_place(tmp_path: Path) -> None:
    here = tiny(tmp_path / "here", "cgan", NEVER)
    run_train_stage(here)
    first, _ = sorted((here / "models/checkpoints").iterdir())
    there = tiny(tmp_path / "there", "cgan", NEVER)
    shutil.copy(first, there / "carried.safetensors")
    code, output = train(there, "--adopt", "carried.safetensors")
    assert (code, output) == (0, "the next run goes on from 32 images\n")
    assert "going on from 32 images" in run_train_stage(there)
    assert outputs(there) == outputs(here)


def test_a_checkpoint_of_another_training_is_not_adopted(tmp_path: Path) -> None:
    here = tiny(tmp_path / "here", "cgan", NEVER)
    run_train_stage(here)
    tiny(here, "cgan", NEVER, **{"train.seed": 1})
    before = outputs(here)
    code, output = train(here, "--adopt", "models/checkpoints/images-000000032.safetensors")
    assert code == 2
    assert "was made with other params, data or code" in output
    assert outputs(here) == before
