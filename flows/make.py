"""What `make run`, `make pull` and `make clean` do, each as the only one at work in this checkout.

A second command, or a flow, would restore or remove outputs while the first is making them.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from flows.graph import has_remote, load_graph, with_upstream
from flows.lock import Lock
from flows.processes import STAGE, end_marked, own_path
from flows.workspace import FOLDER, require_free, taken
from stages import check
from stages.common.at_work import RUN
from stages.common.dvc import dvc_command, settle_git
from stages.common.errors import BAD_INPUT, Terminated, UserError, ending_signals, run_stage
from stages.common.stage import Parser, program

_PATIENCE = 30.0
"""Seconds for a stage to save its work after SIGTERM, or Ctrl-C, which it too gets from the terminal."""
_LAST_OF_SIGNALS = 128 + 64
"""Exit codes above are DVC's own."""
_DOES = {
    "mintage run": "Run the pipeline, or one stage and what it needs; what is up to date is not run again.",
    "mintage train": "Run the pipeline up to the training; what is up to date is not run again.",
    "mintage sample": "Run the pipeline up to the samples; what is up to date is not run again.",
    "mintage pull": "Fetch the data and models that a colleague shared, by the DVC remote.",
}

_OF_PARAMS = "`dvc exp run -S train.images=9000` runs with another param, and params.yaml holds what stays"
_ELSEWHERE = {
    "--ask": "`sample.attributes` in params.yaml asks for values, such as {tone: C}",
    "-S": _OF_PARAMS,
    "--set": _OF_PARAMS,
    "--set-param": _OF_PARAMS,
    "-f": (by_force := "`dvc repro --force --single-item STAGE` runs a stage where nothing changed"),
    "--force": by_force,
}
"""Options that people look for here, and the command that has them."""


def main() -> None:
    arguments = _arguments()
    what = arguments.what
    if what == "free":
        with Lock(Path(FOLDER, "lock")) as lock:
            _say_ended(require_free(Path.cwd(), lock))
        return
    for number in ending_signals():
        signal.signal(number, _end)
    with taken(Path.cwd()) as (run, ended):
        _say_ended(ended)
        settle_git()
        raise SystemExit(reproduce(run, arguments.stage) if what == "run" else pull(run))


def reproduce(run: str, stage: str | None = None) -> int:
    """Run the pipeline by DVC, then print the summary; returns the exit code, which is that of a stage that failed.

    After a failure old outputs come back. With `stage`, run only this stage and what it needs, without the summary.
    """
    if stage is not None:
        with_upstream(load_graph(Path.cwd()), [stage])  # refuses an unknown stage
    check.main()
    code = _call([*_module("flows.by_dvc"), *filter(None, [stage])], run)
    if code == 0:
        return _call(_module("stages.summary"), run) if stage is None else 0
    if code < 0:
        return 128 - code
    _call(_module("stages.restore"), run)
    return code if code <= _LAST_OF_SIGNALS else BAD_INPUT


def pull(run: str) -> int:
    """Get a colleague's outputs from the DVC remote, and print the summary; returns the exit code.

    Raises UserError where there is nothing to get: DVC has dozens of lines on it, and may end well.
    """
    if not Path("dvc.lock").exists():
        raise UserError(
            "nothing-shared",
            "dvc.lock is missing, which names what to fetch: nothing was run here yet, or it was not committed; "
            "`git pull`, or `make run`",
        )
    if not has_remote(Path()):
        raise UserError("remote-missing", "no remote is set: `make remote URL=...` names the place that has the data")
    steps = [dvc_command("pull", "--run-cache"), [*_module("stages.remote"), "adopt"], _module("stages.summary")]
    return next((code for step in steps if (code := _call(step, run))), 0)


def _say_ended(ended: list[str]) -> None:
    if ended:
        print(f"ended what a killed run had left: {'; '.join(ended)}")


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _call(command: list[str], run: str) -> int:
    """Run a command on this terminal, marked with this run; its exit code, negative if Ctrl-C ended it.

    If a signal ends this process, all marked processes get SIGTERM first, at which a stage saves its work.
    """
    process = subprocess.Popen(command, env={**os.environ, "PATH": own_path(), RUN: run, STAGE: command[2]})
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(_PATIENCE)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.terminate()
        return -signal.SIGINT
    except SystemExit:
        end_marked(run, grace=_PATIENCE)
        raise


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Exit on the first signal only: later ones must not interrupt the ending of processes."""
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(Terminated.exit_code)


def _arguments() -> argparse.Namespace:
    called = program("flows.make")
    by_name = called.startswith("mintage ")  # the command's name then says what to do
    takes_stage = not by_name or called == "mintage run"
    usage = f"{called} [-h]{' [STAGE]' * takes_stage}" if by_name else None
    parser = Parser(called, usage, description=_DOES.get(called, (__doc__ or "").partition("\n")[0]))
    meaning = argparse.SUPPRESS if by_name else "free: only whether nothing is at work here"
    parser.add_argument("what", choices=["run", "pull", "free"], help=meaning)
    of_stage = "of dvc.yaml: run it and what it needs, no more"
    parser.add_argument("stage", nargs="?", metavar="STAGE", help=of_stage if takes_stage else argparse.SUPPRESS)
    for option in (word.partition("=")[0] for word in sys.argv[1:]):
        if option in _ELSEWHERE:
            parser.error(f"{option} is no option of this command: {_ELSEWHERE[option]}")
    arguments = parser.parse_args()
    if arguments.stage is not None and arguments.what != "run":
        parser.error(f"{arguments.what} takes no stage")
    return arguments


if __name__ == "__main__":
    run_stage(main)
