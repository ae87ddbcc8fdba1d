"""Stages whose shards are done by a Dask cluster: of two hosts, which here are network namespaces."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster  # here: within another test's dask.config.set its own defaults would be lost

from stages.common import cluster
from stages.common.errors import TemporaryError
from tests.refusals import refused
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.hosts import ADDRESSES, on
from tests.stages.source_files import ingested, write_tree
from tests.stages.test_normalize import files_in
from tests.stages.tiny_data import ROOT, write_params
from tests.stages.tiny_models import SMALL

SCHEDULER = f"tcp://{ADDRESSES[0]}:8786"
PLACES = {
    "normalize": ["data/normalized"],
    "select": ["models/selected", "metrics"],
    "sample": ["samples", "plots", "metrics"],
}


@pytest.fixture(scope="module")
def workers(network: None) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """A scheduler and a worker on the first host, a worker on the second, as docs/running.md says to start them."""
    quiet = {"DASK_LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    environment = {**os.environ, **quiet, "PYTHONPATH": str(ROOT)}
    worker = ["dask_worker", SCHEDULER, "--nthreads", "1", "--no-dashboard"]
    commands = [(0, ["dask_scheduler", "--no-dashboard"]), (0, worker), (1, worker)]
    started = [
        subprocess.Popen([*on(host), sys.executable, "-m", f"distributed.cli.{name}", *rest], env=environment)
        for host, (name, *rest) in commands
    ]
    yield started
    for process in reversed(started):
        process.terminate()
        process.wait(60)


@pytest.fixture
def folder(tmp_path: Path, digits_selected: Path) -> Path:
    """Raw shards of 10 images each beside a training of other ones, of which three of the stages' inputs are."""
    folder = Path(shutil.copytree(digits_selected, tmp_path / "here"))
    shutil.rmtree(folder / ".measure")  # else what select would measure is known
    ingested(folder / "data/raw", path=str(write_tree(folder / "tree", {"ant": 25, "bee": 15})), shard_images=10)
    return folder


def run(stage: str, folder: Path, host: int | None = None) -> str:
    """A stage there, by the cluster; or here, alone. What it prints."""
    runner = "processes" if host is None else "dask"
    write_params(folder, SMALL | {"data.runner": runner, "sample.count": 2500, "normalize.height": 8})
    return run_stage_in(folder, stage) if host is None else python(["-m", f"stages.{stage}"], folder, host)


def python(arguments: list[str], folder: Path, host: int) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_SCHEDULER_ADDRESS": SCHEDULER}
    command = [*on(host), sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("stage", [pytest.param("select", marks=pytest.mark.nightly), "sample", "normalize"])
def test_two_hosts_write_the_bytes_of_one_process(
    folder: Path, tmp_path: Path, workers: list["subprocess.Popen[bytes]"], stage: str
) -> None:
    alone = Path(shutil.copytree(folder, tmp_path / "alone"))
    run(stage, alone)
    printed = run(stage, folder, host=1)
    assert "distributed" not in printed
    for place in PLACES[stage]:
        assert files_in(folder / place) == files_in(alone / place), place


def kill_once(folder: Path, shard: int) -> int:
    if shard == 1 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return shard


def kill(shard: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lose_workers() -> None:
    """What `test_a_shard_...` runs beside the cluster."""
    print(list(cluster.on_cluster(partial(kill_once, Path.cwd()), [0, 1, 2])))
    try:
        list(cluster.on_cluster(kill, [0]))
    except TemporaryError as error:
        print(error.code)


@pytest.mark.slow
def test_a_shard_that_kills_a_worker_is_done_by_another_and_one_that_kills_several_is_one_sentence(
    tmp_path: Path, workers: list["subprocess.Popen[bytes]"]
) -> None:
    program = "from tests.stages import test_cluster; test_cluster.lose_workers()"
    printed = [line for line in python(["-c", program], tmp_path, 0).splitlines() if not line.startswith("asking ")]
    assert printed == ["[0, 1, 2]", "cluster-workers-lost"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["select", "sample", "normalize"])
def test_a_stage_asks_for_its_cluster_and_does_no_shard_itself(folder: Path, stage: str) -> None:
    write_params(folder, SMALL | {"data.runner": "dask", "normalize.height": 8})
    code, printed = try_stage_in(folder, stage)
    assert (code, "set DASK_SCHEDULER_ADDRESS" in printed) == (2, True), printed


def test_a_cluster_that_is_not_there_or_not_named_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        with refused("cluster-unnamed", "set DASK_SCHEDULER_ADDRESS"):
            list(cluster.on_cluster(abs, [1]))
        for address in ("nonsense", "tcp://host", "host:port", "other://host:1"):
            with dask.config.set({"scheduler-address": address}), refused("cluster-misnamed", repr(address)):
                list(cluster.on_cluster(abs, [1]))
        assert capsys.readouterr().out == ""
        with dask.config.set({"scheduler-address": "tcp://127.0.0.1:1"}), refused("cluster-unreachable"):
            list(cluster.on_cluster(abs, [1]))
    assert "tcp://127.0.0.1:1, which has 1s to answer" in capsys.readouterr().out


def test_a_worker_of_other_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    here = LocalCluster(**alone)  # type: ignore[no-untyped-call]
    with here, dask.config.set({"scheduler-address": here.scheduler_address}):
        assert list(cluster.on_cluster(abs, [1, -2, 3])) == [1, 2, 3]
        monkeypatch.setattr(cluster, "code", partial(next, count()))
        with refused("cluster-of-other-code", "start it again"):
            list(cluster.on_cluster(abs, [1]))
