"""`python -m benchmarks.gpu`, on the CPU with little of all: on the day there is a GPU it must not fail by itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.training import CASES, networks_alone
from tests.programs import python


def run(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = python("-m", "benchmarks.gpu", "--device", "cpu", "--out", folder, *options)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads((folder / "gpu.json").read_text())


def test_checks_pass_on_the_cpu_and_figures_are_written(tmp_path: Path) -> None:
    small = ["--cases", "DCGAN, 28", "--modes", "eager", "--seconds", "0.1"]
    code, found = run(tmp_path, "--families", "cgan", "cyclegan", "seqgan", *small)
    assert code == 0, found["checks"]
    assert set(found["checks"].values()) == {"passed"}
    assert len(found["checks"]) == 3 * 3 + 5 + 3  # of families, of the device; eager, textbook loop, in use
    (row,) = found["training"]
    assert min(row["eager"], row["textbook"], row["share"], *found["use"].values()) > 0
    assert "| DCGAN, 28x28 |" in (tmp_path / "gpu.md").read_text()


def test_the_networks_alone_take_a_turn_of_the_game() -> None:
    networks_alone(CASES[0], torch.device("cpu"), torch.float32)()


@pytest.mark.nightly
def test_what_fails_is_named_with_exit_code_1_and_what_no_time_is_left_for_too(tmp_path: Path) -> None:
    code, found = run(tmp_path / "a", "--families", "no_such_family", "--cases", "none")
    failed = [name for name, how in found["checks"].items() if how.startswith("failed")]
    assert (code, failed) == (1, [name for name in found["checks"] if "no_such_family" in name])
    code, found = run(tmp_path / "b", "--minutes", "1e-9", "--families", "gan", "--cases", "none")
    assert code == 0
    assert all(how.startswith("not tried") for how in found["checks"].values())
