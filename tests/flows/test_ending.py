"""SIGTERM ends a run in seconds even where nothing that runs heeds it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.flows.toy import ROOT

DEAF = """
import signal, subprocess, sys, time
from flows import ending
ending.LONGEST = 0.3
signal.signal(signal.SIGTERM, lambda *_: None)
with ending.hurried(lambda: print("last word", flush=True)):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    INSIDE
AFTER
"""


def ended(inside: str, after: str, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, int]:
    """Exit code and output of a process that does not heed SIGTERM, and the exit code of a look for its child."""
    code = DEAF.replace("INSIDE", inside).replace("AFTER", after)
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output, child


def is_alive(child: int) -> bool:
    for _ in range(100):
        found = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False)
        if not found.stdout.strip() or found.stdout.strip().startswith("Z"):
            return False
        time.sleep(0.05)
    return True


@pytest.mark.tried(
    "SIGTERM to a flow that does not heed it", "error: ended ... s after SIGTERM, since it did not end by itself"
)
def test_a_run_that_does_not_heed_sigterm_is_ended_with_its_children_after_its_last_word(
    read: Callable[[str], None],
) -> None:
    code, output, child = ended("time.sleep(600)", "")
    assert (code, output.splitlines()[-1]) == (128 + signal.SIGTERM, "last word")
    read(output)
    assert not is_alive(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_so_is_one_that_waits_for_its_server_when_the_run_itself_has_ended(number: signal.Signals) -> None:
    code, output, child = ended("time.sleep(0.1)", "time.sleep(600)", number)
    assert (code, "last word" in output) == (128 + signal.SIGTERM, False)
    assert not is_alive(child)
