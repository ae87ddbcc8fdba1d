"""One stage of dvc.yaml as a task: skipped at once when nothing changed, else run by DVC, its output streamed."""

import asyncio
import csv
import json
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from prefect import get_run_logger, task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.container import end_containers
from flows.graph import Stage, unchanged
from flows.once import single_flight
from flows.processes import DVC, REPRODUCE, STAGE, own_path, run_marked
from stages.common.at_work import RUN
from stages.common.dvc import is_hint
from stages.common.errors import BAD_INPUT
from stages.common.nested import flat

TREE = Path(__file__).resolve().parents[1]
RETRY_DELAY = 10.0
"""Seconds before the first retry; each later retry waits twice as long."""
PUSH_RETRIES = 3
_LONGEST_CELL = 200
_REASONS = ("error: ", "ERROR: failed to reproduce ")
"""The beginnings of lines in which a stage, and then DVC, give the reason of a failure."""

Outcome = Literal["ran", "from cache", "skipped", "failed", "not started"]


@dataclass
class StageResult:
    """The result of a stage's run."""

    outcome: Outcome
    seconds: float = 0.0
    sentence: str = ""
    """Why it failed, in a sentence."""
    metrics: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    failures: int = 0
    """How many tries have failed."""


@dataclass
class Run:
    """One run of the pipeline in one workspace."""

    id: str
    workspace: Path
    force: bool = False
    containers: bool = False
    before: dict[str, Any] | None = None
    """The receipt of the release before this run."""
    work: dict[str, str] = field(default_factory=dict)
    """A digest of each stage's work (see `flows.once`)."""
    results: dict[str, StageResult] = field(default_factory=dict)
    checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Only one task at a time reads DVC's state of the workspace."""


async def start(stage: Stage, run: Run, upstream: list[State[Any]]) -> State[Any]:
    """Run a stage as a Prefect task, with the time-out and the retries of its `meta:`."""

    def can_heal(_task: Any, _task_run: Any, _state: Any) -> bool:
        result.failures += 1
        return _heals(stage, result, result.failures)

    result = run.results[stage.name] = StageResult("not started")
    as_task: Any = task(
        name=stage.name,
        task_run_name=stage.name,
        timeout_seconds=stage.meta.timeout,
        # One more than wanted: Prefect logs a traceback when they are used up; `can_heal` just says no.
        retries=stage.meta.retries + 1,
        retry_delay_seconds=[RETRY_DELAY * 2**n for n in range(stage.meta.retries + 1)],
        retry_condition_fn=can_heal,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(run_stage)
    async with single_flight(run.work[stage.name]):  # outside the task, so that waiting does not use up its time-out
        state: State[Any] = await as_task(stage, run, wait_for=upstream, return_state=True)
    if state.name == "TimedOut":
        result.sentence = f"it took longer than the {stage.meta.timeout:g} seconds of its meta: timeout"
    return state


async def run_stage(stage: Stage, run: Run) -> State[Any]:
    """The task's body. Returns a state rather than raising, so that a failure is one sentence in the log."""
    result = run.results[stage.name]
    if not run.force and await _unchanged(stage, run):
        result.outcome, result.metrics = "skipped", _metrics(stage, run.workspace)
        return Completed(name="Skipped", message="nothing changed since its last run")
    result.outcome, result.sentence = "failed", "it was ended before it was done"
    begun = time.monotonic()
    try:
        force = ["--force"] if run.force else []
        code, lines = await run_dvc([*REPRODUCE, *force, stage.name], stage.name, run)
    finally:
        result.seconds += time.monotonic() - begun
    if code != 0:
        result.exit_code, result.sentence = failure(lines, code)
        if _heals(stage, result, result.failures + 1):  # Prefect reports the last try itself
            get_run_logger().warning(result.sentence)
        return Failed(message=result.sentence)
    cached = any("is cached - skipping run" in line for line in lines)
    result.outcome, result.sentence = ("from cache" if cached else "ran"), ""
    result.metrics = _metrics(stage, run.workspace)
    await _show(stage, result.metrics)
    return Completed(name="Cached", message="taken from the run cache") if cached else Completed()


def _heals(stage: Stage, result: StageResult, failures: int) -> bool:
    """Whether a stage that has failed `failures` times is tried again."""
    return failures <= stage.meta.retries and result.exit_code not in (0, BAD_INPUT)


async def run_dvc(arguments: list[str], name: str, run: Run) -> tuple[int, list[str]]:
    """A DVC command as part of a run, streamed into the log: its exit code and its lines."""
    logger, lines = get_run_logger(), list[str]()

    def on_line(line: str) -> None:
        lines.append(line)
        if not line.startswith(_REASONS) and not is_hint(line):  # the state has a reason, and Prefect logs it
            logger.info(line)

    try:
        return await run_marked([*DVC, *arguments], run.workspace, _environment(name, run), on_line), lines
    finally:
        if run.containers:
            end_containers(run.id, name)


async def _unchanged(stage: Stage, run: Run) -> bool:
    async with run.checking:
        try:
            return await asyncio.to_thread(unchanged, run.workspace, stage.name)
        except Exception as error:  # `dvc repro` will meet the same error, and report it better
            get_run_logger().debug("cannot tell whether %s changed: %s", stage.name, error)
            return False


def _environment(name: str, run: Run) -> dict[str, str]:
    settings = {
        RUN: run.id,
        STAGE: name,
        "PATH": own_path(),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",  # its output is read here, whatever the terminal is
        "DVC_NO_ANALYTICS": "1",
    }
    if run.containers:  # DVC runs a stage's command by $SHELL
        settings |= {"SHELL": str(TREE / "flows" / "in_container"), "MINTAGE_PYTHON": sys.executable}
    return settings


def failure(lines: list[str], code: int) -> tuple[int, str]:
    """The exit code of the stage itself, which DVC reports in words, and the most informative sentence."""
    exited = [int(found[1]) for line in lines if (found := re.search(r"exited with (-?\d+)", line))]
    said = [line for line in lines if line.startswith("error: ")]
    by_dvc = [line for line in lines if line.startswith("ERROR: ")]
    sentence = (said or by_dvc or lines or [f"exit code {code}"])[-1]
    return (exited[-1] if exited else code), re.sub(r"^(error|ERROR): (unexpected error - )?", "", sentence)


def _metrics(stage: Stage, workspace: Path) -> dict[str, Any]:
    """The values of a stage's metrics files, and the last row of its tables."""
    found: dict[str, Any] = {}
    for name in [*stage.metrics, *stage.plots]:
        path = workspace / name
        if path.suffix == ".json" and path.is_file():
            found |= flat(json.loads(path.read_text()))
        elif path.suffix == ".tsv" and path.is_file():
            with path.open() as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            found |= rows[-1] if rows else {}
    return found


async def _show(stage: Stage, metrics: dict[str, Any]) -> None:
    """Show a table of metrics on the stage's page in Prefect."""
    if metrics:
        table = [{"metric": name, "value": str(value)[:_LONGEST_CELL]} for name, value in metrics.items()]
        key = re.sub(r"[^a-z0-9]+", "-", f"stage-{stage.name}".lower()).strip("-")
        await acreate_table_artifact(table, key=key, description=f"What stage {stage.name} measured")


async def restore(run: Run) -> None:
    """Restore outputs that DVC removed before a stage that then failed; see `stages.restore`."""
    command = [sys.executable, "-m", "stages.restore"]
    environment = {**_environment("restore", run), "PYTHONPATH": str(TREE)}
    await run_marked(command, run.workspace, environment, get_run_logger().info)


async def push_outputs(run: Run) -> str | None:
    """Push outputs and the run cache to the DVC remote, with retries; returns what went wrong, or None."""
    push: Any = _push
    state: State[Any] = await push(run, return_state=True)
    return None if state.is_completed() else f"push: {state.message}"


@task(
    name="push",
    task_run_name="push",
    retries=PUSH_RETRIES,
    retry_delay_seconds=RETRY_DELAY,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def _push(run: Run) -> State[Any]:
    code, lines = await run_dvc(["push", "--run-cache"], "push", run)
    return Completed() if code == 0 else Failed(message=failure(lines, code)[1])
