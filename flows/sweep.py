"""Run the pipeline once for each set of params, N at a time, each trial in a git worktree of its own: a sweep.

`python -m flows.sweep -S train.seed=1,2,3 -S +train.recipe.objective=minimax,non_saturating --jobs 2`, again to go on.
"""

import argparse
import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.ending import hurried
from flows.graph import Graph, load_graph, with_upstream
from flows.grid import grid, read_list, require_overrides_used
from flows.overrides import apply
from flows.page import SELECTION
from flows.pipeline import end_as, final_state, pipeline, results_of, run_here
from flows.ranking import Ending, as_text, foreseen, main_columns, printed, read_measures, reasons, table, verdict
from flows.server import use_server
from flows.trials import (
    SWEEPS,
    Sweep,
    Trial,
    base_params,
    has_moved,
    name_for,
    open_sweep,
    read_sweep,
    remove,
    save_experiment,
)
from flows.workspace import PARAMS, users_params, workspace_lock
from stages.common.at_work import RUN_FILE
from stages.common.errors import BAD_INPUT, UserError, counted, run_stage, sentence_of
from stages.common.files import read_json, write_json, write_text
from stages.common.params import load_params
from stages.common.stage import confirm, parser_of

TABLE = "table.tsv"
"""The file in a sweep's folder with all figures of all trials."""


@flow(name="sweep", persist_result=False)
async def sweep(
    *,
    overrides: list[str] | None = None,
    trials: list[list[str]] | None = None,
    targets: list[str] | None = None,
    name: str | None = None,
    jobs: int = 1,
    workspace: str = ".",
) -> State[Any]:
    """Run the pipeline once for each set of overrides, each in a checkout of its own, and name the best.

    Args:
        overrides: Params with choices, such as `train.seed=1,2,3`; every combination is a trial.
        trials: Sets of overrides, a trial each; with `overrides` too, those are added to each.
        targets: Stages to run, with all that they depend on; none means up to the one that measures.
        name: Of the sweep; a sweep that is there under this name goes on. None means one made from the overrides.
        jobs: Trials that run side by side.
        workspace: The checkout whose commit, and whose changes to it, the trials are of.
    """
    root = Path(workspace).resolve()
    try:
        if jobs < 1:
            raise UserError("jobs-too-few", f"jobs = {jobs}: give 1 or more")
        graph = load_graph(root)
        stages = targets or measuring(graph)
        wanted = grid(overrides or [], trials or [])
        require_overrides_used(wanted, with_upstream(graph, stages))
        named = name or name_for(root, wanted)
        read_sweep(root, named)
        (root / SWEEPS / named).mkdir(parents=True, exist_ok=True)
        async with workspace_lock(root / SWEEPS / named, load_params(users_params(root)).flow.overlap):
            with hurried(lambda: None):
                opened = await asyncio.to_thread(open_sweep, root, named, wanted)
                endings = await run_trials(opened, stages, jobs)
    except (UserError, OSError) as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        return Failed(name="Refused", message=sentence, data={"exit_code": BAD_INPUT})
    return await conclude(opened, endings)


def check_request(root: Path, trials: list[list[str]] | None, asked: dict[str, Any]) -> None:
    """Raise UserError on a mistake in the arguments, before a server is started or waited for."""
    graph = load_graph(root)
    wanted = grid(asked["overrides"] or [], trials or [])
    require_overrides_used(wanted, with_upstream(graph, asked["targets"] or measuring(graph)))
    params = base_params(root, asked["name"] or name_for(root, wanted))
    for overrides in wanted:
        apply(params, overrides)


def measuring(graph: Graph) -> list[str]:
    """The stage that writes the selection metric: later stages (samples, a release) are only for the best trial."""
    return [stage.name for stage in graph.values() if str(SELECTION) in stage.metrics]


async def run_trials(opened: Sweep, targets: list[str], jobs: int) -> dict[int, Ending]:
    """How each trial ended, by number; trials that have finished already are not run again."""
    logger, slots = get_run_logger(), asyncio.Semaphore(jobs)
    if has_moved(opened):
        how = "goes on with the files it was begun with, not with those that are here now; give a new --name for these"
        logger.warning("sweep %s, of commit %.7s, %s", opened.name, opened.commit, how)
    if unlike := foreseen([load_params(trial.workspace / PARAMS) for trial in opened.trials]):
        logger.warning(unlike)
    endings = {trial.number: found for trial in opened.trials if (found := finished(trial, targets))}
    logger.info("%d trials in %s, %d of them finished before", len(opened.trials), opened.folder, len(endings))
    todo = [trial for trial in opened.trials if trial.number not in endings]
    await end_leftovers(todo)

    async def in_turn(trial: Trial) -> None:
        async with slots:
            endings[trial.number] = await run_trial(opened, trial, targets)

    async with asyncio.TaskGroup() as together:  # a cancel goes to all trials, and waits for their end
        for trial in todo:
            together.create_task(in_turn(trial))
    return endings


def finished(trial: Trial, targets: list[str]) -> Ending | None:
    """How the trial ended, if it ended well and with the same stages; else None."""
    if not trial.ending.exists():
        return None
    ending = Ending(**read_json(trial.ending))
    return ending if ending.state == "finished" and ending.targets == targets else None


async def end_leftovers(trials: list[Trial]) -> None:
    """End at once what a killed sweep left running in any trial: the trial's own turn may come late."""
    for trial in trials:
        if (trial.workspace / RUN_FILE).exists():
            async with workspace_lock(trial.workspace, "wait") as (_, ended):
                if ended:
                    get_run_logger().warning("ended what was left of %s: %s", trial.experiment, "; ".join(ended))


async def run_trial(opened: Sweep, trial: Trial, targets: list[str]) -> Ending:
    """Run a trial, as a run of the pipeline in this one; its failure becomes a sentence in its ending."""
    begun = time.monotonic()
    named = pipeline.with_options(flow_run_name=trial.experiment)
    state = await final_state(named, targets=targets, workspace=str(trial.workspace))
    problem = state.message or "it failed"
    selection: dict[str, Any] | None = None
    measured_by: dict[str, Any] = {}
    if state.is_completed():
        try:
            selection, measured_by = read_measures(trial.workspace)
            await asyncio.to_thread(save_experiment, opened, trial)
            problem = ""
        except Exception as error:  # only this trial fails: the others go on
            problem = sentence_of(error) or f"{type(error).__name__}: {error}"
    seconds = round(time.monotonic() - begun, 1)
    ending = Ending("failed" if problem else "finished", seconds, targets, problem, selection, measured_by)
    write_json(trial.ending, asdict(ending))
    return ending


async def conclude(opened: Sweep, endings: dict[int, Ending]) -> State[Any]:
    """Make the table, and return the sweep's final state: failed if a trial is, but with all results."""
    rows, best = table(opened, endings), verdict(opened, endings)
    write_text(opened.folder / TABLE, as_text(rows))
    await acreate_table_artifact(rows, key="sweep", description=f"Sweep {opened.name}: {best}")
    failed = [trial.experiment for trial in opened.trials if endings[trial.number].state == "failed"]
    data = {
        "name": opened.name,
        "trials": rows,
        "shown": main_columns(rows, endings),
        "verdict": best,
        "exit_code": 1 if failed else 0,
    }
    if failed:
        return Failed(message=f"{len(failed)} of {len(rows)} trials failed ({', '.join(failed)}); {best}", data=data)
    return Completed(message=f"{len(rows)} trials; {best}", data=data)


async def clean(root: Path, name: str, *, yes: bool) -> None:
    """Remove a sweep's checkouts, not its experiments. Raises UserError if there is none, or it is running.

    Without `yes` a terminal asks first.
    """
    found = read_sweep(root, name)
    if not (root / SWEEPS / name).exists():
        names = ", ".join(sorted(path.parent.name for path in (root / SWEEPS).glob("*/sweep.json")))
        raise UserError(
            "sweep-unknown", f"there is no sweep {name!r} here; there {f'are: {names}' if names else 'is none'}"
        )
    checkouts = counted(len(found.trials) if found else 0, "checkout")
    confirm(f"Remove sweep {name!r} ({checkouts} in {SWEEPS / name}; its experiments stay)?", yes=yes)
    async with workspace_lock(root / SWEEPS / name, "refuse"):
        for trial in found.trials if found else []:
            if trial.workspace.exists():
                async with workspace_lock(trial.workspace, "refuse"):
                    pass  # leftovers of a killed sweep are ended by now
        remove(root, name)


def main() -> None:
    """The command line: the same as a run of the deployment, in this process."""
    parameters = vars(_arguments())
    file, clean_it, yes = (parameters.pop(name) for name in ("list", "clean", "yes"))
    if clean_it:
        asyncio.run(clean(Path(parameters["workspace"]).resolve(), parameters["name"], yes=yes))
        return
    trials = read_list(file) if file else None
    check_request(Path(parameters["workspace"]).resolve(), trials, parameters)
    use_server()
    state = run_here(sweep, trials=trials, **parameters)
    results = results_of(state)
    if "trials" in results:
        tell(results)
    end_as(state)


def tell(results: dict[str, Any]) -> None:
    """Print the part of the table that fits a terminal, why trials failed, where the rest is, and the verdict."""
    whole = f"all figures: {SWEEPS / results['name'] / TABLE}"
    parts = [printed(results["shown"]), reasons(results["trials"]), whole, results["verdict"]]
    print("\n" + "\n\n".join(part for part in parts if part))


def _arguments() -> argparse.Namespace:
    parser = parser_of("flows.sweep", __doc__)
    parser.add_argument("targets", nargs="*", help="stages to run (default: up to the one that measures)")
    parser.add_argument(
        "-S",
        "--set-param",
        dest="overrides",
        action="append",
        metavar="SECTION.KEY=VALUE,VALUE",
        help="params with choices, separated by commas; every combination of several -S is a trial",
    )
    parser.add_argument("--list", type=Path, metavar="FILE", help="trials in YAML: - [train.seed=1, train.images=9000]")
    parser.add_argument("--name", help="of the sweep; one that is there under this name goes on")
    parser.add_argument("--jobs", "-j", type=int, default=1, help="trials that run side by side (default: 1)")
    parser.add_argument("--clean", action="store_true", help="remove the sweep --name; its experiments stay")
    parser.add_argument("--yes", action="store_true", help="with --clean: do not ask first, as a terminal does")
    parser.add_argument("-C", "--workspace", default=".", help="the checkout (default: this folder)")
    arguments = parser.parse_args()
    if arguments.clean and not arguments.name:
        parser.error("--clean needs the --name of a sweep")
    return arguments


if __name__ == "__main__":
    run_stage(main)
