"""A stage as a program: Ctrl-C at its start; its bar, in a log where nothing is written over."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from stages.common.stage import progress_bar
from tests.programs import python
from tests.stages.tiny_data import ROOT

LOSES_IT = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    pass
print("went on")
"""


def test_ctrl_c_ends_a_stage_in_a_line_also_in_an_import_that_would_lose_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(LOSES_IT)
    done = python("-m", "stages.train", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")
    assert done.stderr == "\nstopped: nothing had begun\n"


@pytest.mark.parametrize(
    ("given", "found"), [({}, "4000"), ({"GOMP_SPINCOUNT": "9"}, "9"), ({"OMP_WAIT_POLICY": "active"}, "None")]
)
def test_a_stage_says_how_threads_wait_before_torch_loads_unless_the_user_did(
    tmp_path: Path, given: dict[str, str], found: str
) -> None:
    (tmp_path / "torch.py").write_text("import os; print(os.environ.get('GOMP_SPINCOUNT')); raise SystemExit")
    before = {name: value for name, value in os.environ.items() if name not in {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}}
    environment = {**before, "PYTHONPATH": str(tmp_path), **given}
    command = [sys.executable, "-m", "stages.train"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == f"{found}\n"


TERMINATED = """
import os, sys
from stages.common.errors import run_stage
from stages.common.stage import deferred_interrupt, explain_interrupt

def stage():
    with explain_interrupt(lambda: "it was saved"), deferred_interrupt() as interrupt:
        for number in map(int, sys.argv[1:]):
            os.kill(os.getpid(), number)
        assert interrupt.asked
        raise KeyboardInterrupt

run_stage(stage)
"""


def terminated(before: str, *signals: signal.Signals) -> tuple[int, str]:
    """In a process of its own: here a flow's tests may have left a thread that ends it soon after the signal."""
    numbers = [str(int(number)) for number in signals]
    done = python("-c", before + TERMINATED, *numbers)
    return done.returncode, done.stderr


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_are_ctrl_c_to_a_stage_that_saves_its_work_however_often_they_come(
    first: signal.Signals,
) -> None:
    said = "\nstopped: it was saved\n"
    assert terminated("", first, signal.SIGTERM, signal.SIGHUP) == (128 + signal.SIGTERM, said)


def test_a_stage_under_nohup_goes_on_when_its_terminal_is_closed() -> None:
    nohup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code, said = terminated(nohup, signal.SIGHUP)
    assert code == 1
    assert "AssertionError" in said, "nothing had asked it to end"


CLOSED = """
import os, pty, signal, sys, time
def kept():
    while os.isatty(2):  # until it is closed
        time.sleep(0.01)
    return "it was saved"
child, terminal = pty.fork()
if not child:
    from stages.common.errors import run_stage
    from stages.common.stage import explain_interrupt
    def stage():
        with explain_interrupt(kept):
            print("ready", flush=True)
            print("what nobody reads", end="")
            signal.pause()
    run_stage(stage)
    os._exit(0)
os.read(terminal, 5)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_stage_whose_terminal_is_closed_ends_in_order_though_it_can_say_nothing() -> None:
    done = python("-c", CLOSED)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")


@pytest.mark.parametrize(("done", "lines"), [(0, 1), (30, 2)])
def test_a_bar_that_fails_says_no_count_twice(done: int, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(ValueError), progress_bar("normalize", 100) as bar:
        bar.update(done)
        raise ValueError
    said = capsys.readouterr().err
    assert said.count("normalize:") == lines
    assert said.endswith("\n"), "what is said next has a line of its own"


def test_a_last_batch_beyond_the_total_ends_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("classifier", 100) as bar:
        bar.update(64)
        bar.update(64)
    assert "classifier: 100%" in capsys.readouterr().err


def test_a_bar_that_is_not_shown_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("select", 100, shown=False) as bar:
        bar.update(100)
    assert capsys.readouterr().err == ""
