"""The train stage in processes forked from one that has imported everything: each starts in milliseconds."""

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["stages.train", "torch._dynamo"])  # which the first optimizer imports, in 1.3 s


def start_train_stage(folder: Path) -> BaseProcess:
    """`python -m stages.train` in `folder`; all it prints goes to `output.txt` there."""
    process = _FORKED.Process(target=_stage, args=(folder,))
    process.start()
    return process


def run_train_stage(folder: Path) -> str:
    """What it printed; it must end well."""
    process = start_train_stage(folder)
    process.join(timeout=120)
    output = (folder / "output.txt").read_text()
    assert process.exitcode == 0, output
    return output


def _stage(folder: Path) -> None:
    from stages.common.errors import run_stage
    from stages.train import main

    os.chdir(folder)
    sys.stdout = sys.stderr = open("output.txt", "w")  # noqa: SIM115  # for as long as the process lives
    sys.argv = ["stages.train"]
    run_stage(main)
