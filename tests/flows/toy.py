"""A workspace with a pipeline of shell commands: the real params.yaml, DVC for real, stages that take no time."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

from tests.flows.forked import ForkedFlow
from tests.shared import one_at_a_time

ROOT = Path(__file__).parents[2]
MARK = "MINTAGE_RUN"


def make_workspace(folder: Path, stages: dict[str, dict[str, Any]]) -> Path:
    """`stages` is what goes under `stages:` in dvc.yaml; a toy needs no git."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "data" / "source").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    write_stages(folder, stages)
    return folder


def write_stages(folder: Path, stages: dict[str, dict[str, Any]]) -> None:
    with (folder / "dvc.yaml").open("w") as file:
        YAML().dump({"stages": stages}, file)


def chain(*names: str) -> dict[str, dict[str, Any]]:
    """Stages in a row; each adds its name to what the one before made."""
    stages: dict[str, dict[str, Any]] = {}
    before = ""
    for name in names:
        command = f"cat /dev/null {before} > {name}.txt; echo {name} >> {name}.txt"
        stages[name] = {"cmd": command, "outs": [f"{name}.txt"]}
        if before:
            stages[name]["deps"] = [before]
        before = f"{name}.txt"
    return stages


def start_flow(workspace: Path, *arguments: str, server: str | None, **variables: str) -> ForkedFlow:
    """`python -m flows.pipeline` on a workspace, as a process of its own."""
    return start_command("flows.pipeline", workspace, *arguments, server=server, **variables)


def start_command(module: str, workspace: Path, *arguments: str, server: str | None, **variables: str) -> ForkedFlow:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    environment.pop("PREFECT_API_URL", None)
    if server:
        environment["PREFECT_API_URL"] = server
    return ForkedFlow(module, ["--workspace", str(workspace), *arguments], environment)


def marked_processes(workspace: Path) -> list[psutil.Process]:
    """Every living process in the workspace that a run of the flow has started."""
    found = []
    for process in psutil.process_iter():
        try:
            living = process.status() != psutil.STATUS_ZOMBIE
            if living and MARK in process.environ() and process.cwd().startswith(str(workspace)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def locked(workspace: Path) -> dict[str, Any]:
    """The stages of dvc.lock."""
    stages: dict[str, Any] = YAML(typ="safe").load(workspace / "dvc.lock")["stages"]
    return stages


def until(happened: Callable[[], object], seconds: float = 300.0, every: float = 0.05) -> None:
    """Wait for a condition; an AssertionError where it does not come."""
    give_up = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(every)


@contextmanager
def tables(database: Path, shared: Path) -> Iterator[None]:
    """Within, a server may start on `database`, which has the tables of the first of all workers.

    To make them takes a server longer than all the rest of its start.
    """
    made = shared / "prefect.db"
    with one_at_a_time(shared / "prefect.lock"):
        if made.exists():
            shutil.copy(made, database)
            yield
        else:
            yield
            with closing(sqlite3.connect(database)) as one, closing(sqlite3.connect(made)) as other:
                one.backup(other)
