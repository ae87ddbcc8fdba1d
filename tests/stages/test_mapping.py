"""map_shards: one function over many shards, in processes that end with their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from stages.common.errors import UserError
from stages.common.mapping import map_shards
from tests.refusals import refused
from tests.stages.tiny_data import ROOT

SHARDS = list(range(5))


def doubled(shard: int) -> tuple[int, int]:
    return 2 * shard, os.getpid()


def slow_where_first(shard: int) -> int:
    time.sleep(0.3 if shard == 0 else 0.0)
    return shard


def refuse_third(shard: int) -> int:
    if shard == 3:
        raise UserError("of-a-test", "shard 3 is bad: mend it")
    return shard


def killed(shard: int) -> int:
    if shard == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return shard


PROGRAM = """
import os, time
from pathlib import Path
from stages.common.mapping import map_shards

def endless(shard):
    Path(f"{shard}.pid").write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    list(map_shards(2)(endless, [0, 1, 2]))
"""


def test_one_worker_is_this_process() -> None:
    assert list(map_shards(1)(doubled, SHARDS)) == [(2 * shard, os.getpid()) for shard in SHARDS]


def test_results_come_in_the_order_of_the_shards_from_other_processes() -> None:
    found = list(map_shards(2)(doubled, SHARDS))
    assert [result for result, _ in found] == [0, 2, 4, 6, 8]
    assert os.getpid() not in {process for _, process in found}
    assert list(map_shards(2)(slow_where_first, SHARDS)) == SHARDS


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_worker_says_to_the_user_arrives_as_it_was(workers: int) -> None:
    results = map_shards(workers)(refuse_third, SHARDS)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with refused("of-a-test", "shard 3 is bad: mend it"):
        next(results)


def test_a_killed_worker_is_one_sentence_and_leaves_no_other_behind() -> None:
    before = set(psutil.Process().children(recursive=True))
    with refused("workers-lost", "one of the 2 processes of data.workers was ended from outside") as error:
        list(map_shards(2)(killed, SHARDS))
    assert "\n" not in str(error.value)
    assert workers_of(psutil.Process()) <= before


def test_a_caller_that_wants_no_more_waits_for_no_shard() -> None:
    before = workers_of(psutil.Process())  # of other tests
    results = map_shards(2)(slow_where_first, [1, 0, 0, 0, 0, 0, 0, 0, 0])
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]
    assert workers_of(psutil.Process()) <= before


def workers_of(process: psutil.Process) -> set[psutil.Process]:
    """Its children but the one that Python itself keeps, to clear up after others."""
    children = [child for child in process.children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    return {child for child in children if "resource_tracker" not in " ".join(child.cmdline())}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = subprocess.Popen([sys.executable, "program.py"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    workers = [psutil.Process(int(text)) for text in pids(tmp_path, 2)]
    program.send_signal(number)
    assert program.wait(timeout=300) != 0
    _, alive = psutil.wait_procs(workers, timeout=300)
    assert alive == []


def pids(folder: Path, count: int) -> list[str]:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = [path.read_text() for path in folder.glob("*.pid")]
        if len(found) == count and all(found):
            return found
        time.sleep(0.05)
    raise AssertionError("the workers never began")
