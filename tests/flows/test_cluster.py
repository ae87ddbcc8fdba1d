"""Normalize with its shards as tasks of a flow, on a Dask cluster of this machine."""

import os
import shutil
import subprocess
import sys
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
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
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
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "data/normalized").exists()
