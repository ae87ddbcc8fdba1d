"""`make run` in a toy workspace: alone, ended, and beside another run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from dvc.commands.status import CmdDataStatus

from flows import by_dvc, make, serve
from flows.workspace import taken
from stages.common.at_work import RUN
from stages.common.files import write_json
from tests.flows.toy import ROOT, make_workspace, marked_processes, until, write_stages
from tests.programs import python
from tests.refusals import refused

pytestmark = pytest.mark.slow


def start(workspace: Path, *what: str, group: bool = False) -> "subprocess.Popen[str]":
    """As make starts it: by the Python of the virtual environment, in the checkout, whatever is on PATH.

    With `group`, its processes are a group, which gets its signals.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "flows.make", *(what or ("run",))]
    return subprocess.Popen(
        command, cwd=workspace, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=group,
    )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Its stage has run once; the next time it waits, with its output gone, until `go` is there."""
    command = "python -c 'import json' && touch started && until test -e go; do sleep 0.1; done; echo new > out.txt"
    folder = make_workspace(tmp_path / "toy", {"only": {"cmd": "echo old > out.txt", "outs": ["out.txt"]}})
    run = start(folder)
    run.communicate(timeout=300)
    assert (folder / "out.txt").read_text() == "old\n"
    (folder / "dvc.yaml").write_text(f'stages:\n  only:\n    cmd: "{command}"\n    outs: [out.txt]\n')
    return folder


@pytest.mark.tried(
    "`make run`, `make pull` or `make free` beside a `make run`",
    "error: another run (process ...) is using ...: wait for its end",
)
def test_a_second_run_is_refused_and_touches_nothing_and_sigterm_ends_the_first_whole(
    workspace: Path, read: Callable[[str], None]
) -> None:
    first = start(workspace)
    until((workspace / "started").exists)
    for what in ("run", "pull", "free"):
        second = start(workspace, what)
        output, _ = second.communicate(timeout=120)
        assert second.returncode == 2
        assert str(first.pid) in output
        read(output)
        assert output.count("\n") == 1
    assert not (workspace / "out.txt").exists(), "an old output was put back under the stage that makes it anew"
    assert len(marked_processes(workspace)) >= 2
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)
    assert first.returncode == 128 + signal.SIGTERM
    assert marked_processes(workspace) == []
    assert start(workspace, "free").wait(60) == 0


def test_the_dvc_of_a_run_that_was_killed_is_ended_and_holds_up_no_other(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path / "toy", {"only": {"cmd": "true", "outs": ["out.txt"]}})
    command = [sys.executable, "-c", "import time; time.sleep(600)", "flows.by_dvc"]
    with subprocess.Popen(command, env={**os.environ, RUN: "killed"}) as left:
        write_json(folder / ".flow/run.json", {"run": "killed", "process": 0})
        held = {"pid": left.pid, "cmd": f"{folder}/flows/by_dvc.py repro"}
        write_json(folder / ".dvc/tmp/rwlock", {"read": {}, "write": {str(folder / "out.txt"): held}})
        until(lambda: RUN in psutil.Process(left.pid).environ())
        with taken(folder) as (run, ended):
            assert (run != "killed", ended) == (True, [" ".join(command)])
        assert left.wait(10) == -signal.SIGTERM


@pytest.mark.tried(
    "`make run` beside a `dvc repro` by hand", "error: `dvc repro` (process ...) is using ...: wait for its end"
)
def test_a_run_is_refused_beside_a_dvc_command_that_somebody_started_by_hand(
    workspace: Path, read: Callable[[str], None]
) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    by_hand = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=workspace, env=environment)
    until((workspace / "started").exists)
    second = start(workspace)
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 2
    assert str(by_hand.pid) in output
    read(output)
    assert not (workspace / "out.txt").exists()
    (workspace / "go").touch()
    assert by_hand.wait(60) == 0
    assert (workspace / "out.txt").read_text() == "new\n"


SAVES = """
import time
from stages.common.errors import run_stage
from stages.common.stage import explain_interrupt

def main():
    with explain_interrupt(lambda: "it was saved"):
        open("started", "w")
        time.sleep(600)

run_stage(main)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stage_saves_its_work_at_a_signal_to_the_whole_group_and_no_lock_is_left(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = make_workspace(tmp_path / "toy", {"only": {"cmd": "python saves.py", "outs": ["out.txt"]}})
    (folder / "saves.py").write_text(SAVES)
    first = start(folder, group=True)
    until((folder / "started").exists)
    os.killpg(first.pid, number)
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 128 + signal.SIGTERM, output
    assert "\nstopped: it was saved\n" in output  # DVC may have a last word if it has only begun to wait
    assert json.loads((folder / ".dvc/tmp/rwlock").read_text()) == {"read": {}, "write": {}}
    assert marked_processes(folder) == []


@pytest.mark.parametrize(("code", "passed_on"), [(75, 75), (1, 1), (137, 137), (255, 2), (-2, 130)])
def test_the_exit_code_is_that_of_the_stage_that_failed(
    monkeypatch: pytest.MonkeyPatch, code: int, passed_on: int
) -> None:
    monkeypatch.setattr("stages.check.main", lambda: None)
    monkeypatch.setattr(make, "_call", lambda *_: code)
    assert make.reproduce("run") == passed_on


@pytest.mark.tried(
    "a stage that is killed, as where memory is full",
    "`kill -9 $$` was ended by SIGKILL, most often since memory was full: the same command goes on from what it saved",
)
@pytest.mark.tried("a second `make run`", "nothing had changed: all stages were skipped")
def test_what_dvc_knows_of_the_end_of_a_stage_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], read: Callable[[str], None]
) -> None:
    folder = make_workspace(tmp_path / "toy", {"only": {"cmd": "kill -9 $$"}})
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["by_dvc"])
    monkeypatch.setattr(CmdDataStatus, "UP_TO_DATE_MSG", "")
    with refused("stage-ended") as refusal:
        by_dvc.reproduce()
    assert refusal.value.exit_code == 128 + signal.SIGKILL
    printed = capsys.readouterr()
    assert printed.err.endswith("\n"), "a bar may have no end of its line"
    write_stages(folder, {"only": {"cmd": "kill -TERM $$"}})
    with refused("stage-ended", "`kill -TERM $$` was ended by SIGTERM: run the same command again"):
        by_dvc.reproduce()
    write_stages(folder, {"only": {"cmd": "exit 75"}})
    assert by_dvc.reproduce("only") == 75
    write_stages(folder, {"only": {"cmd": "echo 1 > out.txt", "outs": ["out.txt"]}})
    assert (by_dvc.reproduce(), by_dvc.reproduce()) == (0, 0)
    read(str(refusal.value) + printed.out + capsys.readouterr().out)


def test_dvc_s_hints_do_not_come_after_what_the_last_stage_says(tmp_path: Path) -> None:
    folder = make_workspace(
        tmp_path / "toy", {"only": {"cmd": "echo good > out.txt; cat out.txt", "outs": ["out.txt"]}}
    )
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    said = python("-m", "flows.by_dvc", folder=folder)
    assert said.stdout.splitlines()[-1] == "Updating lock file 'dvc.lock'"
    assert said.stderr == ""


def test_a_reader_that_has_read_enough_is_no_error_of_a_stage(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path / "toy", {"only": {"cmd": "true"}})
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "flows.by_dvc"]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.tried("`make pull` in a clone without a remote", "no remote is set: `make remote URL=...`")
@pytest.mark.tried("`make pull` where nothing was run", "dvc.lock is missing, which names what to fetch")
def test_a_pull_of_nothing_or_from_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.chdir(make_workspace(tmp_path / "toy", {"only": {"cmd": "true"}}))
    with refused("nothing-shared") as refusal:
        make.pull("run")
    read(str(refusal.value))
    Path("dvc.lock").touch()
    with refused("remote-missing") as refusal:
        make.pull("run")
    read(str(refusal.value))
    Path(".dvc/config.local").write_text("[core]\n    remote = shared\n")
    monkeypatch.setattr(make, "_call", lambda *_: 0)
    assert make.pull("run") == 0


@pytest.mark.tried("`make serve` twice", "is at work in this checkout already")
def test_a_second_worker_of_a_pool_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    second = serve.only_worker("mintage")
    with (
        serve.only_worker("mintage"),
        serve.only_worker("mintage-docker"),
        refused("serve-busy") as refusal,
    ):
        second.__enter__()
    read(str(refusal.value))
    with serve.only_worker("mintage"):
        pass


@pytest.mark.parametrize("port", ["0", "65536", "-1", "4200.5", "http"])
def test_what_is_no_port_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["serve", f"--port={port}"])
    with pytest.raises(SystemExit, match="2"):
        serve.main()
    assert f"--port: '{port}' is no port: name one from 1 to 65535" in capsys.readouterr().err


@pytest.mark.tried("`mintage run tran`", "error: there is no stage 'tran' in dvc.yaml: did you mean 'train'?")
def test_a_stage_is_run_with_what_it_needs_and_no_more(tmp_path: Path, read: Callable[[str], None]) -> None:
    folder = make_workspace(
        tmp_path / "toy",
        {
            "first": {"cmd": "echo 1 > first.txt", "outs": ["first.txt"]},
            "train": {"cmd": "cp first.txt train.txt", "deps": ["first.txt"], "outs": ["train.txt"]},
            "last": {"cmd": "cp train.txt last.txt", "deps": ["train.txt"], "outs": ["last.txt"]},
        },
    )
    done = start(folder, "run", "train")
    output, _ = done.communicate(timeout=300)
    assert done.returncode == 0, output
    assert (folder / "train.txt").read_text() == "1\n"
    assert not (folder / "last.txt").exists()
    unknown = start(folder, "run", "tran")
    read(unknown.communicate(timeout=120)[0])
    assert unknown.returncode == 2
