"""The stages that learn, in processes forked from one that has imported everything: each starts in milliseconds."""

import importlib
import multiprocessing
import os
import resource
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

from tests.stages.tiny_data import ROOT

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["stages.train", "tests.stages.warm"])


def start_train_stage(folder: Path, **limits: Any) -> BaseProcess:
    return start_stage(folder, "train", **limits)


def run_train_stage(folder: Path) -> str:
    return run_stage_in(folder, "train")


def start_stage(folder: Path, stage: str, *arguments: str, **limits: Any) -> BaseProcess:
    """`python -m stages.STAGE ARGUMENTS` in `folder`; all it prints goes to `output.txt` there.

    Args:
        **limits: no file may have more than `largest_file` bytes, as on a disk that gets full; an evaluator saves its
            state `every` so many seconds; the process halts, to be killed, once a file is in place whose path matches
            `halts_behind`: on a busy machine it would be over before anyone looks.
    """
    process = _FORKED.Process(target=_stage, args=(folder, stage, arguments), kwargs=limits)
    process.start()
    return process


def run_stage_in(folder: Path, stage: str, **limits: Any) -> str:
    """What it printed; it must end well."""
    code, output = try_stage_in(folder, stage, **limits)
    assert code == 0, output
    return output


def try_stage_in(folder: Path, stage: str, *arguments: str, **limits: Any) -> tuple[int, str]:
    """Its exit code, and what it printed."""
    process = start_stage(folder, stage, *arguments, **limits)
    process.join(timeout=300)
    assert process.exitcode is not None, "it did not end"
    return process.exitcode, (folder / "output.txt").read_text()


def _stage(
    folder: Path,
    stage: str,
    arguments: tuple[str, ...],
    *,
    largest_file: int | None = None,
    every: float | None = None,
    halts_behind: str | None = None,
) -> None:
    from stages.common.errors import run_stage

    module = importlib.import_module(f"stages.{stage}")  # and no other: which code is loaded is what a state is of
    if every is not None:
        from stages.common import keeping

        keeping.EVERY = every
    if largest_file is not None:
        sys.dont_write_bytecode = True  # else a part of a compiled module may stay
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if halts_behind is not None:
        _halt_behind(halts_behind)
    os.chdir(folder)
    sys.stdout = sys.stderr = output = open("output.txt", "w")  # noqa: SIM115  # for as long as the process lives
    for stream in (1, 2):  # of processes that it starts, too
        os.dup2(output.fileno(), stream)
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.argv = [f"stages.{stage}", *arguments]
    run_stage(module.main)


def _halt_behind(pattern: str) -> None:
    replace = os.replace

    def replace_and_halt(source: Any, target: Any) -> None:
        replace(source, target)
        if Path(target).match(pattern):
            os.kill(os.getpid(), signal.SIGSTOP)

    mock.patch.object(os, "replace", replace_and_halt).start()
