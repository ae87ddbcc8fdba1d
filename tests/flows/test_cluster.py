"""Normalize with its shards as tasks of a flow, on a Dask cluster of this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.source_files import ingested, run_stage_in, write_tree
from tests.stages.test_normalize import files_in
from tests.stages.tiny_data import ROOT, write_params


def workspace(folder: Path, broken: int = 0) -> Path:
    """Raw shards of 10 images each, 40 in all but `broken` that are none."""
    tree = write_tree(folder / "tree", {"ant": 25, "bee": 15})
    for number in range(broken):
        (tree / f"bee/{number:03d}.png").write_bytes(b"<html>")
    ingested(folder / "data/raw", path=str(tree), shard_images=10)
    write_params(folder, {})
    return folder


def on_a_cluster(folder: Path, server: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": server}
    command = [sys.executable, "-m", "flows.cluster", "--workers", "2"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_two_workers_of_a_dask_cluster_write_the_bytes_of_one_process(tmp_path: Path, server: str) -> None:
    folder = workspace(tmp_path)
    alone = run_stage_in(folder, "normalize", {})
    assert alone.returncode == 0, alone.stderr
    before = files_in(folder / "data/normalized")
    shutil.rmtree(folder / "data/normalized")
    together = on_a_cluster(folder, server)
    assert together.returncode == 0, together.stderr
    assert together.stderr.count("Finished in state Completed()") == 5, "four shards and the flow"
    assert "normalized 40 images" in together.stdout
    assert files_in(folder / "data/normalized") == before
    assert (folder / "provenance/normalize.json").exists()


@pytest.mark.slow
def test_a_cluster_says_what_the_stage_says_in_one_sentence(tmp_path: Path, server: str) -> None:
    done = on_a_cluster(workspace(tmp_path, broken=3), server)
    assert done.returncode == 2
    assert "error: 3 of the 40 images cannot be used" in done.stderr.splitlines()[-1]
    assert "| distributed." not in done.stdout + done.stderr, "Dask says nothing: some of it comes with a traceback"
    assert not (tmp_path / "data/normalized").exists()


@pytest.mark.tried(
    "`python -m flows.cluster` without a Prefect server",
    "error: set PREFECT_API_URL to a Prefect server that all workers reach: each would start one of its own",
)
def test_workers_elsewhere_need_a_server_that_they_reach(tmp_path: Path, read: Callable[[str], None]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "flows.cluster", "--address", "tcp://127.0.0.1:1"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 2
    read(done.stderr.splitlines()[-1])


@pytest.mark.slow
def test_a_shard_that_kills_every_worker_is_one_sentence_and_one_that_kills_a_worker_is_done(
    tmp_path: Path, server: str
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    path = f"{ROOT}{os.pathsep}{tmp_path}"
    quiet = {"DASK_LOGGING__DISTRIBUTED": "critical"}  # as flows.cluster sets it for workers of its own
    environment = {**os.environ, **quiet, "PYTHONPATH": path, "PREFECT_API_URL": server}
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.stdout.splitlines() == ["[0, 1, 2]", "TemporaryError"], done.stdout + done.stderr
    assert "a shard ended several of the cluster's workers" in done.stderr
    assert "Traceback" not in done.stderr


PROGRAM = """
import os, signal
from pathlib import Path
from flows import cluster
from stages import normalize
from stages.common.errors import TemporaryError
from prefect_dask.task_runners import DaskTaskRunner

def kills_once(shard):
    if shard == 1 and not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return shard

def kills(shard):
    os.kill(os.getpid(), signal.SIGKILL)

def print_results(function, shards):
    normalize.run = lambda over_shards, root: print(list(over_shards(function, shards)))
    cluster.run_on(DaskTaskRunner(cluster_kwargs={"n_workers": 2, "threads_per_worker": 1}))

if __name__ == "__main__":
    import program
    print_results(program.kills_once, [0, 1, 2])
    try:
        print_results(program.kills, [0])
    except TemporaryError as error:
        print(type(error).__name__)
"""
