"""The real pipeline, killed in its training as a whole, goes on and ends in the same bits."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.flows.toy import locked, marked_processes, start_flow, until
from tests.test_pipeline import finished_project, set_params

pytestmark = [pytest.mark.slow, pytest.mark.nightly]
CHANGES = (
    "train.images=12000",
    "train.checkpoint_every=3000",
    "train.log_every=2000",
    "train.resume_every=0.2",
)


def test_a_training_whose_flow_was_killed_resumes_in_the_next_run_and_ends_in_the_same_bits(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, server: str
) -> None:
    broken = untrained(finished_project(tmp_path_factory).project, tmp_path / "broken")
    set_params(broken, *CHANGES)
    run = start_flow(broken, "train", server=server)
    until(lambda: list(broken.glob(".resume/*/rolling/*.safetensors")), 300)
    run.kill()
    run.communicate(timeout=300)
    assert "train" not in locked(broken), "it was done before it could be ended"
    assert marked_processes(broken) != [], "what a killed flow leaves is ended by the next"
    assert "going on from" in played(broken, server)
    whole = untrained(broken, tmp_path / "whole")
    assert "going on from" not in played(whole, server)
    assert locked(broken)["train"]["outs"][0] == locked(whole)["train"]["outs"][0]


def played(project: Path, server: str) -> str:
    run = start_flow(project, "train", server=server)
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    assert "Running stage 'train'" in output
    return output


def untrained(project: Path, copy: Path) -> Path:
    """A copy that knows nothing of the training, and all that comes before it."""
    shutil.copytree(project, copy, symlinks=True)
    for memory in (".resume", ".dvc/cache/runs", "models/checkpoints"):
        shutil.rmtree(copy / memory)
    lock = YAML(typ="safe").load(copy / "dvc.lock")
    del lock["stages"]["train"]
    YAML().dump(lock, copy / "dvc.lock")
    return copy
