"""Run the pipeline as a Prefect flow: every stage of dvc.yaml as a task, side by side where the graph allows."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import TerminationSignal
from prefect.flows import Flow
from prefect.states import Completed, Failed

from flows import notify, page
from flows.container import check_engine
from flows.ending import hurried
from flows.graph import Graph, has_remote, load_graph, with_upstream
from flows.once import work_of
from flows.overrides import apply
from flows.server import server_lost, use_server
from flows.stage import Run, push_outputs, restore, start
from flows.workspace import end_leftovers, override_params, users_params, workspace_lock
from stages.check import check, outputs
from stages.common.errors import BAD_INPUT, TRY_AGAIN, UserError, run_stage, say_last, sentence_of
from stages.common.params import Flow as Settings
from stages.common.params import Params
from stages.common.receipt import publish_again
from stages.common.stage import parser_of
from stages.summary import summary


async def tell_of_crash(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Report a crash; Prefect calls this if the flow was ended before it could report by itself."""
    await notify.failed(Path(flow_run.parameters.get("workspace", ".")), None, state.message or "the run crashed")


@flow(name="pipeline", persist_result=False, on_crashed=[tell_of_crash])
async def pipeline(
    targets: list[str] | None = None,
    overrides: list[str] | None = None,
    force: bool = False,
    push: bool = False,
    workspace: str = ".",
) -> State[Any]:
    """Run the pipeline of dvc.yaml, each stage as a task; unchanged stages are skipped.

    Args:
        targets: Stages to run, with all that they depend on; none means all.
        overrides: Params for this run alone, such as `train.seed=1` (the syntax of `dvc exp run -S`). Those in
            the environment's MINTAGE_OVERRIDES, separated by spaces, come before them.
        force: Run stages even where nothing changed.
        push: Push outputs and the run cache to the DVC remote at the end.
        workspace: The checkout to work in.
    """
    root, begun, settings = Path(workspace).resolve(), time.monotonic(), None
    overrides = all_overrides(overrides)
    try:
        graph, params = prepare(root, targets or [], overrides, push)
        settings = params.flow
        async with workspace_lock(root, settings.overlap) as (run_id, ended):
            if ended:
                get_run_logger().warning("ended what a killed run had left: %s", "; ".join(ended))
            run = Run(run_id, root, force, in_containers(params), page.release(root), work_of(graph, params))
            with hurried(lambda: end_leftovers(root)):
                override_params(root, overrides)
                if params.upload.publish == "runs":
                    publish_again(root)
                problem = await run_stages(graph, run)
                if problem:
                    await restore(run)
                elif push:
                    problem = await push_outputs(run)
    except (UserError, OSError) as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        await notify.failed(root, settings, sentence)
        return Failed(name="Refused", message=sentence, data={"exit_code": getattr(error, "exit_code", BAD_INPUT)})
    return await conclude(graph, run, settings, problem, time.monotonic() - begun)


def all_overrides(given: list[str] | None) -> list[str]:
    """The overrides in the environment's MINTAGE_OVERRIDES, then the given ones."""
    return [*os.environ.get("MINTAGE_OVERRIDES", "").split(), *(given or [])]


def check_request(root: Path, targets: list[str], overrides: list[str] | None) -> None:
    """Raise UserError on a mistake in the arguments, before a server is started or waited for.

    The run itself finds other errors, and reports them to a webhook.
    """
    if targets:
        with_upstream(load_graph(root), targets)
    if overrides:
        apply(users_params(root), overrides)


def prepare(root: Path, targets: list[str], overrides: list[str], push: bool) -> tuple[Graph, Params]:
    """The stages to run and their params. Raises UserError on every error that can be found now."""
    _, params = apply(users_params(root), overrides)
    graph = with_upstream(load_graph(root), targets)
    check(params, outputs(root / "dvc.yaml"), root)
    if push and not has_remote(root):
        raise UserError(
            "remote-missing", "nothing to push to: name a DVC remote with `dvc remote add --default NAME URL`"
        )
    if in_containers(params):
        check_engine(graph.values())
    return graph, params


def in_containers(params: Params) -> bool:
    """Whether stages run in containers: MINTAGE_RUNNER of the environment overrides `flow.runner` of params."""
    runner = os.environ.get("MINTAGE_RUNNER") or params.flow.runner
    if runner not in ("process", "docker"):
        raise UserError("runner-unknown", f"MINTAGE_RUNNER = {runner!r} is not one of 'process' or 'docker'")
    return runner == "docker"


async def run_stages(graph: Graph, run: Run) -> str | None:
    """Start each stage when all that it depends on are done; returns what went wrong, as a sentence, or None."""
    started: dict[str, asyncio.Task[State[Any]]] = {}
    # If the flow is canceled, or a stage crashes, the group cancels the others and waits for their end.
    async with asyncio.TaskGroup() as together:

        async def when_ready(name: str) -> State[Any]:
            upstream = [await started[other] for other in graph[name].upstream if other in started]
            return await start(graph[name], run, upstream)

        for name in graph:
            started[name] = together.create_task(when_ready(name))
    failed = {name: result for name, result in run.results.items() if result.outcome == "failed"}
    return "; ".join(f"{name}: {result.sentence}" for name, result in failed.items()) or None


async def conclude(graph: Graph, run: Run, settings: Settings, problem: str | None, seconds: float) -> State[Any]:
    """Show the run on its page in Prefect, send notifications, and return its final state."""
    release = page.release(run.workspace)
    await page.publish(graph, run, problem, seconds)
    data = {"stages": {name: asdict(result) for name, result in run.results.items()}, "release": release}
    if problem:
        await notify.failed(run.workspace, settings, problem)
        return Failed(message=problem, data={**data, "exit_code": exit_code_of(run)})
    if release and release != run.before:
        await notify.released(run.workspace, settings, release, run.results)
    return Completed(message=page.counted(run), data={**data, "exit_code": 0})


def exit_code_of(run: Run) -> int:
    """Of a run with a failed stage: 2 after bad input, 75 if all that failed may succeed later, else 1."""
    codes = {result.exit_code for result in run.results.values() if result.outcome == "failed"}
    return BAD_INPUT if BAD_INPUT in codes else TRY_AGAIN if codes == {TRY_AGAIN} else 1


async def final_state(run: Any, **parameters: Any) -> State[Any]:
    """Run a flow, and return its final state, also a failed one."""
    state: State[Any] = await run(**parameters, return_state=True)
    return state


def run_here(run: Any, **parameters: Any) -> State[Any]:
    """`final_state` of a command line, with a sentence where its server is lost or the user stops it."""
    with server_lost(), stopped_by_hand():
        return asyncio.run(final_state(run, **parameters))


def end_as(state: State[Any]) -> None:
    """Print why a flow failed, and exit with its code; nothing if it did not."""
    if not state.is_completed():
        print(f"error: {state.message}", file=sys.stderr)
        raise SystemExit(results_of(state).get("exit_code", 1))


def results_of(state: State[Any]) -> dict[str, Any]:
    """The data in the final state of `pipeline`: `stages`, `release`, `exit_code`; empty if it crashed."""
    data = getattr(state.data, "result", state.data)  # Prefect may wrap it in a record
    return data if isinstance(data, dict) else {}


def main() -> None:
    """The command line: the same as a run of the deployment, in this process."""
    parameters = vars(_arguments())
    check_request(Path(parameters["workspace"]).resolve(), parameters["targets"], parameters["overrides"])
    use_server()
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_no_failure)
    end_as(run_here(pipeline, **parameters))
    if not parameters["targets"]:
        tell_summary(Path(parameters["workspace"]), dated=not all_overrides(parameters["overrides"]))


def tell_summary(root: Path, *, dated: bool) -> None:
    """Print what `mintage run` prints at its end; nothing where the stages of dvc.yaml make none of it.

    It is not `dated` after a run with overrides, whose outputs are always of other params than those in params.yaml.
    """
    with suppress(UserError):
        print(f"\n{summary(root, dated=dated)}\n")


def _is_no_failure(record: logging.LogRecord) -> bool:
    """Whether to log a record: why a run failed, or was stopped, is printed only once, as the last line."""
    return not record.getMessage().startswith(
        ("Finished in state Failed", "Finished in state Crashed", "Crash detected!")
    )


@contextmanager
def stopped_by_hand() -> Iterator[None]:
    """Within the block, Ctrl-C and SIGTERM (or SIGHUP), with which Prefect ends a run, become one sentence."""
    reason = (
        "the stages that were at work are ended, and what was finished stays; "
        "the same command goes on, training and evaluator from their last states"
    )
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(reason) from None
    except TerminationSignal:
        _end_terminated(reason)
    except BaseExceptionGroup as group:  # from stages, or trials, side by side
        if group.subgroup(TerminationSignal) is None:
            raise
        _end_terminated(reason)


def _end_terminated(reason: str) -> NoReturn:
    say_last(f"\nstopped: {reason}")
    raise SystemExit(128 + signal.SIGTERM) from None


def _arguments() -> argparse.Namespace:
    parser = parser_of("flows.pipeline", __doc__)
    parser.add_argument("targets", nargs="*", help="stages to run, with all that they depend on (default: all)")
    parser.add_argument(
        "-S", "--set-param", dest="overrides", action="append", metavar="SECTION.KEY=VALUE", help="params for this run"
    )
    parser.add_argument("-f", "--force", action="store_true", help="run stages even where nothing changed")
    parser.add_argument("--push", action="store_true", help="push outputs and run cache to the DVC remote at the end")
    parser.add_argument("-C", "--workspace", default=".", help="the checkout to work in (default: this folder)")
    return parser.parse_args()


if __name__ == "__main__":
    run_stage(main)
