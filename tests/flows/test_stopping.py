"""A run that is canceled, timed out or killed leaves nothing running, and the next one goes on from there."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows import processes
from flows.pipeline import final_state, pipeline, results_of
from tests.flows.toy import make_workspace, marked_processes, start_flow, until

STUBBORN = (
    # A child in a session of its own, one that ignores being asked to end, and the stage itself.
    "import os, signal, subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True);"
    "subprocess.Popen([sys.executable, '-c',"
    " 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)']);"
    "open('started', 'w');"
    "time.sleep(600)"
)


def sleeping(folder: Path, **more: Any) -> Path:
    """A workspace whose only stage, once `go` is there, is done at once; before, it sleeps with its children."""
    (folder.parent / "stubborn.py").write_text(STUBBORN)
    stage = f"test -e go || {sys.executable} {folder.parent / 'stubborn.py'}; touch out.txt"
    return make_workspace(folder, {"only": {"cmd": stage, "outs": ["out.txt"], **more}})


def started(workspace: Path) -> bool:
    return (workspace / "started").exists() and len(marked_processes(workspace)) >= 4


def alive(process: psutil.Process) -> bool:
    """Whether it can still do anything; what nobody has asked how it ended is a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def finish(workspace: Path, server: str) -> str:
    """The next run, which must complete; its output."""
    (workspace / "go").touch()
    run = start_flow(workspace, server=server)
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    return output


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(
            signal.SIGTERM,
            marks=pytest.mark.tried(
                "SIGTERM to `python -m flows.pipeline`", "stopped: the stages that were at work are ended"
            ),
        ),
        pytest.param(
            signal.SIGINT,
            marks=pytest.mark.tried(
                "Ctrl-C in `python -m flows.pipeline`", "stopped: the stages that were at work are ended"
            ),
        ),
    ],
)
def test_a_signal_ends_every_process_of_the_run_and_frees_the_workspace(
    tmp_path: Path, server: str, read: Callable[[str], None], sign: signal.Signals
) -> None:
    workspace = sleeping(tmp_path / "toy")
    params = (workspace / "params.yaml").read_bytes()
    run = start_flow(workspace, "-S", "train.seed=5", server=server)
    until(lambda: started(workspace))
    run.send_signal(sign)
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 128 + sign
    assert "Traceback" not in output
    read(output)
    assert marked_processes(workspace) == []
    assert (workspace / "params.yaml").read_bytes() == params
    assert "ended what a killed run had left" not in finish(workspace, server)


@pytest.mark.tried("a flow killed with 9, and the next one", "ended what a killed run had left")
def test_what_a_flow_killed_with_9_left_is_ended_by_the_next_run_and_only_that(
    tmp_path: Path, server: str, read: Callable[[str], None]
) -> None:
    workspace, bystander_workspace = sleeping(tmp_path / "toy"), sleeping(tmp_path / "other")
    params = (workspace / "params.yaml").read_bytes()
    bystander = start_flow(bystander_workspace, server=server)
    unmarked = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=workspace)
    killed = start_flow(workspace, "-S", "train.seed=5", server=server)
    until(lambda: started(workspace) and started(bystander_workspace))
    killed.kill()
    killed.communicate()
    left = marked_processes(workspace)
    assert len(left) >= 4, "nothing ends what a killed process started"
    assert (workspace / "params.yaml").read_bytes() != params
    output = finish(workspace, server)
    read(output)
    assert not any(alive(process) for process in left)
    assert (workspace / "params.yaml").read_bytes() == params
    assert unmarked.poll() is None
    assert len(marked_processes(bystander_workspace)) >= 4
    unmarked.kill()
    bystander.terminate()
    bystander.communicate(timeout=300)
    assert marked_processes(bystander_workspace) == []


def test_a_stage_that_takes_too_long_is_ended_whole_while_others_go_on(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE", 1.0)
    workspace = sleeping(tmp_path / "toy", meta={"timeout": 4, "retries": 3})
    dvc_yaml = (workspace / "dvc.yaml").read_text()
    wait = "for i in $(seq 300); do test -e over && break; sleep 0.1; done; touch b.txt"
    beside = f"  beside:\n    cmd: {wait}\n    outs: [b.txt]\n"
    (workspace / "dvc.yaml").write_text(dvc_yaml + beside)

    ended = asyncio.run(_with_a_sign(final_state(pipeline, workspace=str(workspace)), workspace))
    results = results_of(ended)["stages"]
    assert ended.message == "only: it took longer than the 4 seconds of its meta: timeout"
    assert results["beside"]["outcome"] == "ran"
    assert marked_processes(workspace) == []


async def _with_a_sign(run: Any, workspace: Path) -> Any:
    """Write `over` when the stage that sleeps was ended."""

    async def sign() -> None:
        while not started(workspace):
            await asyncio.sleep(0.2)
        while any("stubborn" in " ".join(process.cmdline()) for process in marked_processes(workspace)):
            await asyncio.sleep(0.2)
        (workspace / "over").touch()

    watch = asyncio.create_task(sign())
    state = await run
    watch.cancel()  # the time was over before the stage began to sleep, on a busy machine; the other ends by itself
    return state


@pytest.mark.tried(
    "two flows at once, with `flow.overlap: refuse`", "another run (process ...) is using ...: wait for its end"
)
def test_a_second_run_on_a_workspace_waits_or_is_refused_as_the_params_say(
    tmp_path: Path, server: str, read: Callable[[str], None]
) -> None:
    workspace = sleeping(tmp_path / "toy")
    first = start_flow(workspace, server=server)
    until(lambda: started(workspace))
    refused = start_flow(workspace, "-S", "flow.overlap=refuse", server=server)
    output, _ = refused.communicate(timeout=300)
    assert refused.returncode == 2
    assert str(first.pid) in output
    read(output)
    waiting = start_flow(workspace, server=server)
    until(lambda: _waits(waiting.pid))
    (workspace / "go").touch()
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=300)
    output, _ = waiting.communicate(timeout=300)
    assert waiting.returncode == 0
    assert (workspace / "out.txt").exists()


def _waits(process: int) -> bool:
    """Whether the process has the lock's file open without holding it."""
    return any(file.path.endswith(".flow/lock") for file in psutil.Process(process).open_files())


@pytest.mark.tried(
    "`PREFECT_API_URL` of a server that is not there",
    "error: no Prefect server answers at http://127.0.0.1:9/api: start it (`make serve`)",
)
def test_a_server_that_does_not_answer_is_named_with_the_way_out(tmp_path: Path, read: Callable[[str], None]) -> None:
    run = start_flow(sleeping(tmp_path / "toy"), server="http://127.0.0.1:9/api")
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 2
    read(output)


def test_a_lock_that_dvc_kept_for_a_killed_run_does_not_block_the_next(tmp_path: Path, server: str) -> None:
    """DVC goes by process ids, and would wait for this test's process, which has the id now."""
    workspace = sleeping(tmp_path / "toy")
    killed = start_flow(workspace, server=server)
    until(lambda: started(workspace))
    killed.kill()
    killed.communicate()
    locks = workspace / ".dvc" / "tmp" / "rwlock"
    text = locks.read_text()
    assert "--single-item only" in text
    locks.write_text(re.sub(r'"pid": \d+', f'"pid": {os.getpid()}', text))
    finish(workspace, server)
