"""One training on two hosts, which here are two network namespaces."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stages.common.errors import TRY_AGAIN
from tests.stages.forked import run_train_stage
from tests.stages.hosts import ADDRESSES, on
from tests.stages.test_train import OFTEN, outputs, saved_states, wait_for_a_new_state
from tests.stages.test_train_processes import two
from tests.stages.tiny_data import ROOT

pytestmark = pytest.mark.slow


def start(host: int, folder: Path) -> "subprocess.Popen[str]":
    """What docs/running.md says to give on each, with a process on each."""
    place = ["--nnodes=2", f"--node-rank={host}", "--nproc-per-node=1", f"--master-addr={ADDRESSES[0]}"]
    command = [*on(host), sys.executable, "-m", "torch.distributed.run", *place]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "cable"}
    with (folder / "output.txt").open("w") as output:
        return subprocess.Popen(
            [*command, "--master-port=29500", "-m", "stages.train"],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            text=True,
        )


def both(folders: list[Path]) -> list["subprocess.Popen[str]"]:
    return [start(host, folder) for host, folder in enumerate(folders)]


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """A checkout's data and params on each."""
    made = [tmp_path / name for name in "ab"]
    for folder in made:
        folder.mkdir()
        two(folder, train__resume_every=OFTEN)
    return made


@pytest.mark.nightly
def test_two_hosts_train_to_the_bits_of_two_processes_on_one_also_when_one_of_them_is_lost_in_the_middle(
    network: None,
    folders: list[Path],
    tmp_path: Path,
) -> None:
    run_train_stage(two(tmp_path / "one", train__resume_every=OFTEN))
    first, second = both(folders)
    wait_for_a_new_state(folders[0], lambda: first.poll() is None)
    for process in [*psutil.Process(second.pid).children(recursive=True), psutil.Process(second.pid)]:
        process.kill()
    assert first.wait(300) != 0
    said = (folders[0] / "output.txt").read_text()
    assert said.count("error: another machine of this training is gone") == 1, said
    second.wait()
    assert saved_states(folders[0])
    assert outputs(folders[1]) == {}
    codes = [process.wait(300) for process in both(folders)]
    said = (folders[0] / "output.txt").read_text()
    assert codes == [0, 0], said
    assert "going on from" in said
    assert outputs(folders[0]) == outputs(tmp_path / "one")
    assert outputs(folders[1]) == {}


PEER = """
import sys, torch
from mintage import processes
from stages.training import hosts
hosts.EVERY, hosts.SILENCE = 0.2, 6
with processes.joined(torch.device("cpu")), hosts.watched(lambda: True):
    print("together", flush=True)
    sys.stdin.readline()
"""
"""A process of each machine, which stays in the training until a line comes on its stdin."""


@pytest.fixture
def peers() -> "Iterator[list[subprocess.Popen[str]]]":
    """Two that have joined, of machines of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    started = []
    try:
        for rank in ("0", "1"):
            place = {**address, "RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "MINTAGE_ERRORS": "code"}
            process = subprocess.Popen(
                [sys.executable, "-c", PEER],
                cwd=ROOT,
                env={**os.environ, **place},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "together\n"
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("silent", [0, 1])
def test_a_machine_that_says_nothing_more_ends_the_training_on_the_other(
    peers: list["subprocess.Popen[str]"], silent: int
) -> None:
    peers[silent].send_signal(signal.SIGSTOP)
    other = peers[1 - silent]
    assert other.wait(120) == TRY_AGAIN
    assert other.stderr is not None
    assert other.stderr.read().startswith("error[training-host-lost]: ")


def test_a_machine_that_has_finished_may_be_silent_while_the_first_one_saves(
    peers: list["subprocess.Popen[str]"],
) -> None:
    peers[1].communicate("\n", timeout=120)
    assert peers[1].returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):
        peers[0].wait(10)  # longer than the silence that ends a training
    peers[0].communicate("\n", timeout=120)
    assert peers[0].returncode == 0
