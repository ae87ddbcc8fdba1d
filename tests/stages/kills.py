"""Trainings that are killed, and go on to the bits of one that was left alone."""

import time
from pathlib import Path
from typing import Any

from tests.stages.forked import run_train_stage, start_train_stage
from tests.stages.test_train import outputs
from tests.stages.tiny_data import write_params
from tests.stages.whole_pipeline import copy_untrained

NEVER, ALWAYS = 1e9, 1e-9
"""Seconds between the states from which a killed run goes on."""
FEW: dict[str, Any] = {"train.images": 320, "train.checkpoint_every": 160, "train.log_every": 80}


def kill_once_a_state_is_saved(folder: Path) -> None:
    kill_once_there_is(folder, "rolling/images-*.safetensors")
    assert outputs(folder) == {}


def kill_once_there_is(folder: Path, state: str) -> None:
    """Train until a file of the resume state matches the pattern `state`, and kill it with 9 right behind it."""
    process = start_train_stage(folder, halts_behind=state)
    deadline = time.monotonic() + 300
    while not list(folder.glob(f".resume/*/{state}")) and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -9, (folder / "output.txt").read_text()


def assert_killed_and_run_again_ends_in_the_same_bits(finished: Path, folder: Path, params: dict[str, Any]) -> None:
    """Of the data of a finished pipeline and a few images: what a kill could lose is there from the first turn on."""
    straight, killed = folder / "straight", folder / "killed"
    for place, every in ((straight, NEVER), (killed, ALWAYS)):
        copy_untrained(finished, place)
        write_params(place, params | FEW | {"train.resume_every": every})
    run_train_stage(straight)
    kill_once_a_state_is_saved(killed)
    assert "going on from" in run_train_stage(killed)
    made = outputs(straight)
    assert sum(path.startswith("models/checkpoints/") for path in made) == 2
    assert outputs(killed) == made
