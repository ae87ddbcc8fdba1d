"""The stages that learn, in processes forked from one that has imported everything: each starts in milliseconds."""

import importlib
import multiprocessing
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from tests.forked import Forked, Started, become
from tests.stages.tiny_data import ROOT

IMPORTED = ["stages.train", "tests.stages.ranks", "tests.stages.warm"]


def start_train_stage(folder: Path, **limits: Any) -> Forked:
    return start_stage(folder, "train", **limits)


def run_train_stage(folder: Path) -> str:
    return run_stage_in(folder, "train")


def start_stage(folder: Path, stage: str, *arguments: str, **limits: Any) -> Forked:
    """`python -m stages.STAGE ARGUMENTS` in `folder`; all it prints goes to `output.txt` there.

    Args:
        **limits: no file may have more than `largest_file` bytes, as on a disk that gets full; an evaluator saves its
            state `every` so many seconds; the process halts, to be killed, once a file is in place whose path matches
            `halts_behind`: on a busy machine it would be over before anyone looks; processes that train as one begin
            `anew`, as they do for users, and are not forked.
    """
    return Forked(__name__, {"folder": str(folder), "stage": stage, "arguments": arguments, "limits": limits})


def start(order: dict[str, Any]) -> Started:
    """The stage ends without Python's own end, which would free at length what was imported."""
    process = multiprocessing.get_context("fork").Process(target=_stage, args=(order,), kwargs=order["limits"])
    process.start()

    def wait() -> int:
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    assert process.pid is not None
    return process.pid, wait


def run_stage_in(folder: Path, stage: str, *arguments: str, **limits: Any) -> str:
    """What it printed; it must end well."""
    code, output = try_stage_in(folder, stage, *arguments, **limits)
    assert code == 0, output
    return output


def try_stage_in(folder: Path, stage: str, *arguments: str, **limits: Any) -> tuple[int, str]:
    """Its exit code, and what it printed."""
    process = start_stage(folder, stage, *arguments, **limits)
    process.join(timeout=300)
    assert process.exitcode is not None, "it did not end"
    return process.exitcode, (folder / "output.txt").read_text()


def _stage(
    order: dict[str, Any],
    *,
    largest_file: int | None = None,
    every: float | None = None,
    halts_behind: str | None = None,
    anew: bool = False,
) -> None:
    from stages.common.errors import run_stage
    from tests.stages import ranks

    become(order)
    name = f"stages.{order['stage']}"
    module = importlib.import_module(name)  # and no other: which code is loaded is what a state is of
    if every is not None:
        from stages.common import keeping

        keeping.EVERY = every
    if largest_file is not None:
        sys.dont_write_bytecode = True  # else a part of a compiled module may stay
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if halts_behind is not None:
        _halt_behind(halts_behind)
    if not anew:
        ranks.fork_ranks()
    sys.stdout = sys.stderr = output = open("output.txt", "w")  # noqa: SIM115  # for as long as the process lives
    for stream in (1, 2):  # of processes that it starts, too
        os.dup2(output.fileno(), stream)
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.argv = [name, *order["arguments"]]
    run_stage(module.main)


def _halt_behind(pattern: str) -> None:
    replace = os.replace

    def replace_and_halt(source: Any, target: Any) -> None:
        replace(source, target)
        if Path(target).match(pattern):
            os.kill(os.getpid(), signal.SIGSTOP)

    mock.patch.object(os, "replace", replace_and_halt).start()
