"""The real pipeline, killed in its training as a whole, goes on and ends in the same bits."""

from pathlib import Path

import pytest

from tests.flows.project import make_project
from tests.flows.toy import locked, marked_processes, start_flow, until

pytestmark = pytest.mark.slow
CHANGES = (
    "train.images=12000",
    "train.checkpoint_every=3000",
    "train.log_every=2000",
    "train.resume_every=0.2",
    "train.width=8",
)


def test_a_training_whose_flow_was_killed_resumes_in_the_next_run_and_ends_in_the_same_bits(
    tmp_path: Path, server: str
) -> None:
    whole, broken = make_project(tmp_path / "whole", *CHANGES), make_project(tmp_path / "broken", *CHANGES)
    for project in (whole, broken):
        (project / ".dvc").mkdir(exist_ok=True)
    run = start_flow(broken, "train", server=server)
    until(lambda: list(broken.glob(".resume/*/rolling/*.safetensors")), 300)
    run.kill()
    run.communicate(timeout=300)
    assert "train" not in locked(broken), "it was done before it could be ended"
    assert marked_processes(broken) != [], "what a killed flow leaves is ended by the next"
    for project in (broken, whole):
        run = start_flow(project, "train", server=server)
        output, _ = run.communicate(timeout=300)
        assert run.returncode == 0, output
        assert ("going on from" in output) == (project is broken)
    assert locked(broken)["train"]["outs"][0] == locked(whole)["train"]["outs"][0]
