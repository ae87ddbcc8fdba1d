"""One training on two hosts, which here are two network namespaces."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.stages.hosts import ADDRESSES, on
from tests.stages.test_train import OFTEN, outputs, saved_states, train, wait_for_a_new_state
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


def test_two_hosts_train_to_the_bits_of_two_processes_on_one_also_when_one_of_them_is_lost_in_the_middle(
    network: None,
    folders: list[Path],
    tmp_path: Path,
) -> None:
    code, output = train(two(tmp_path / "one", train__resume_every=OFTEN))
    assert code == 0, output
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
