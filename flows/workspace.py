"""One run at a time in a workspace, and nothing left of a killed run.

State: `.flow/lock` (held by a living run, released by the kernel when it dies), `.flow/run.json` (which run, removed
when it ends), `.flow/params.yaml` (the user's params, while params.yaml has a run's overrides; a copy of these is
`.flow/overridden.yaml`).
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from flows.container import end_containers
from flows.lock import Lock
from flows.overrides import apply
from flows.processes import DVC, REPRODUCE, end_marked
from stages.common.at_work import RUN_FILE
from stages.common.dvc import busy_paths
from stages.common.errors import UserError
from stages.common.files import read_json, replacing, write_bytes, write_json

FOLDER = Path(".flow")
PARAMS = Path("params.yaml")
BY_DVC = "flows/by_dvc.py"
"""The program of `make run`, in the names of DVC's locks."""
_OVERRIDDEN = "overridden.yaml"
_POLL = 0.5


@asynccontextmanager
async def workspace_lock(workspace: Path, overlap: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Hold the workspace as its only run; yields the run's id, which marks its processes, and what a killed run left.

    With another run there, `overlap` decides: `wait`, or `refuse` (a UserError). Leftovers of a killed run are ended
    first, and its overrides are removed.
    """
    with Lock(workspace / FOLDER / "lock") as lock:
        while not lock.take():
            if overlap == "refuse":
                raise UserError(
                    "workspace-busy",
                    f"{_holder(workspace)} is using {workspace}: wait for its end, or set flow.overlap to wait",
                )
            await asyncio.sleep(_POLL)
        with _begun(workspace) as begun:
            yield begun


@contextmanager
def taken(workspace: Path) -> Iterator[tuple[str, list[str]]]:
    """`workspace_lock` for a command: raises UserError at once if another run, or DVC, is active."""
    with Lock(workspace / FOLDER / "lock") as lock:
        ended = require_free(workspace, lock)
        with _begun(workspace) as (run, _):
            yield run, ended


def require_free(workspace: Path, lock: Lock) -> list[str]:
    """Take the lock, and end what a killed run left, such as its DVC command; returns what was ended.

    Raises UserError if another run has the lock, or a DVC command is making outputs here.
    """
    free = lock.take()
    ended = end_leftovers(workspace) if free else []
    holders = sorted(set(busy_paths(workspace).values())) if free else [_holder(workspace)]
    if holders:
        raise UserError(
            "workspace-busy", f"{holders[0]} is using {workspace}: wait for its end, or stop it; nothing was touched"
        )
    return ended


@contextmanager
def _begun(workspace: Path) -> Iterator[tuple[str, list[str]]]:
    """A run with the lock: leftovers of an earlier run are ended first, and its own at its end."""
    ended = end_leftovers(workspace)
    run = uuid4().hex
    write_json(workspace / RUN_FILE, {"run": run, "process": os.getpid()})
    try:
        yield run, ended
    finally:
        end_leftovers(workspace)


def end_leftovers(workspace: Path) -> list[str]:
    """End what is left of the run in `.flow/run.json`, and restore the user's params; returns what was ended."""
    ended: list[str] = []
    if (workspace / RUN_FILE).exists():
        run = str(read_json(workspace / RUN_FILE)["run"])
        ended = [*end_marked(run), *end_containers(run)]
        forget_locks(workspace)
        (workspace / RUN_FILE).unlink()
    _put_params_back(workspace)
    return ended


def users_params(workspace: Path) -> Path:
    """The user's own params.yaml, which is in .flow while a run with overrides is active, or after it was killed."""
    kept = workspace / FOLDER / PARAMS
    return kept if kept.exists() else workspace / PARAMS


def _put_params_back(workspace: Path) -> None:
    """Restore the user's params; changes that somebody made meanwhile are saved elsewhere, and reported."""
    kept, written, here = workspace / FOLDER / PARAMS, workspace / FOLDER / _OVERRIDDEN, workspace / PARAMS
    if not kept.exists():
        return
    known = {path.read_bytes() for path in (kept, written) if path.exists()}
    if written.exists() and here.exists() and here.read_bytes() not in known:
        os.replace(here, edited := workspace / FOLDER / "params.edited.yaml")
        print(
            f"note: {PARAMS} was edited while a run's overrides stood in it: it is as it was before that run, and the "
            f"edited one is kept as {edited}",
            file=sys.stderr,
        )
    os.replace(kept, here)
    written.unlink(missing_ok=True)


def forget_locks(workspace: Path) -> None:
    """Remove the locks in DVC's file that belong to the commands of a flow or of `make run`, which have all ended.

    DVC goes by process ids: it also waits for a zombie, or for an id that now belongs to another program, as happens
    when a container restarts.
    """
    path = workspace / ".dvc" / "tmp" / "rwlock"
    if path.exists():
        locks = read_json(path)
        write = {name: holder for name, holder in locks.get("write", {}).items() if not _by_flow(holder)}
        read = {name: [one for one in held if not _by_flow(one)] for name, held in locks.get("read", {}).items()}
        write_json(path, {"read": {name: held for name, held in read.items() if held}, "write": write})


def _by_flow(holder: dict[str, Any]) -> bool:
    return any(words in holder["cmd"] for words in (" ".join([*DVC[3:], *REPRODUCE]), BY_DVC))


def override_params(workspace: Path, overrides: list[str]) -> None:
    """Set the overrides in params.yaml until the run ends; the user's file comes back byte for byte."""
    if overrides:
        changed, _ = apply(workspace / PARAMS, overrides)
        write_bytes(workspace / FOLDER / _OVERRIDDEN, changed)
        with replacing(workspace / FOLDER / PARAMS) as partial:
            shutil.copy2(workspace / PARAMS, partial)
        write_bytes(workspace / PARAMS, changed)


def _holder(workspace: Path) -> str:
    try:
        return f"another run (process {read_json(workspace / RUN_FILE)['process']})"
    except UserError:  # the other run has the lock, but has not written its name yet
        return "another run"
