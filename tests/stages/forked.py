"""The stages that learn, in processes forked from one that has imported everything: each starts in milliseconds."""

import importlib
import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["stages.train", "torch._dynamo"])  # which the first optimizer imports, in 1.3 s


def start_train_stage(folder: Path) -> BaseProcess:
    return start_stage(folder, "train")


def run_train_stage(folder: Path) -> str:
    return run_stage_in(folder, "train")


def start_stage(folder: Path, stage: str, *arguments: str) -> BaseProcess:
    """`python -m stages.STAGE ARGUMENTS` in `folder`; all it prints goes to `output.txt` there."""
    process = _FORKED.Process(target=_stage, args=(folder, stage, arguments))
    process.start()
    return process


def run_stage_in(folder: Path, stage: str) -> str:
    """What it printed; it must end well."""
    code, output = try_stage_in(folder, stage)
    assert code == 0, output
    return output


def try_stage_in(folder: Path, stage: str, *arguments: str) -> tuple[int, str]:
    """Its exit code, and what it printed."""
    process = start_stage(folder, stage, *arguments)
    process.join(timeout=300)
    assert process.exitcode is not None, "it did not end"
    return process.exitcode, (folder / "output.txt").read_text()


def _stage(folder: Path, stage: str, arguments: tuple[str, ...]) -> None:
    from stages.common.errors import run_stage

    module = importlib.import_module(f"stages.{stage}")  # and no other: which code is loaded is what a state is of
    if stage == "evaluator":
        from stages.common import keeping

        keeping.EVERY = 0.0  # a minute is longer than any test
    os.chdir(folder)
    sys.stdout = sys.stderr = open("output.txt", "w")  # noqa: SIM115  # for as long as the process lives
    sys.argv = [f"stages.{stage}", *arguments]
    run_stage(module.main)
