"""Which run is at work in a checkout, or what a killed one left at work there; flows end that before they begin."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.dvc import busy_paths
from stages.common.errors import UserError
from stages.common.files import read_json

if TYPE_CHECKING:
    import psutil

RUN = "MINTAGE_RUN"
"""The environment variable that marks all processes of a run."""
RUN_FILE = Path(".flow/run.json")
"""What says which run is at work, and its first process; a killed run leaves it."""

_ROUNDED = 1.0
"""Seconds by which the system may be wrong about when a process began."""


def marked(mark: Mapping[str, str]) -> "list[psutil.Process]":
    """Every process that has these environment variables, whatever became of its group and its parent."""
    import psutil  # an image for stages has no other processes

    return [process for process in psutil.process_iter() if mark.items() <= _environment(process).items()]


def _environment(process: "psutil.Process") -> dict[str, str]:
    import psutil

    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except (psutil.Error, OSError):  # the process is gone, or another user's
        return {}


def at_work(root: Path) -> Iterator[str]:
    """A sentence on another run at work in `root`, or on what a killed one left; it is only looked at."""
    with suppress(ModuleNotFoundError, UserError, KeyError, TypeError):  # no psutil; a damaged file
        if not (root / RUN_FILE).exists():
            yield from (f"{who} is at work here" for who in sorted({*busy_paths(root).values()}))
            return
        run = read_json(root / RUN_FILE)
        if run["process"] == os.getpid():
            return
        if _is_first(run["process"], root / RUN_FILE):
            yield f"another run (process {run['process']}) is at work here"
        elif left := marked({RUN: run["run"]}):
            yield (
                f"{_called(left)} of a run that was killed is still at work here: the next `mintage run` ends it, and "
                "goes on from what it saved"
            )


def _is_first(number: int, file: Path) -> bool:
    """Whether that process lives which wrote the file: another that has its number now began later."""
    import psutil

    try:
        process = psutil.Process(number)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= file.stat().st_mtime + _ROUNDED
    except (psutil.Error, OSError):
        return False


def _called(processes: "list[psutil.Process]") -> str:
    """The stage among these processes, or else the first of them, with its number."""
    import psutil

    words: dict[int, list[str]] = {}
    for process in processes:
        with suppress(psutil.Error):
            words[process.pid] = process.cmdline()
    stages = {number: word for number, said in words.items() for word in said if word.startswith("stages.")}
    number, name = next(iter(stages.items()), (processes[0].pid, "a command"))
    return f"{name} (process {number})"
