"""Normalize as work on shards: any number of processes, kills, and reading a part of what it wrote."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from stages.common.mapping import map_shards
from stages.common.shards import ShardReader, shards
from stages.common.split import Split
from stages.images.work import Job, Shard
from stages.normalize import normalize
from tests.refusals import refused
from tests.stages.source_files import ingested, noise, normalize_params, normalized, run_stage_in, write_idx, write_tree
from tests.stages.test_normalize import files_in
from tests.stages.tiny_data import ROOT, write_params


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Raw shards of 7 images each, 30 in all, the last shard of 2."""
    ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"ant": 18, "bee": 12})), shard_images=7)
    return tmp_path


def with_workers(folder: Path, workers: int, **changes: Any) -> dict[str, bytes]:
    """All files that so many processes write."""
    params = normalize_params(**changes)
    normalize(params, folder / "raw", folder / "normalized", folder / "resume", map_shards(workers))
    return files_in(folder / "normalized")


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same_bytes(raw: Path) -> None:
    alone = with_workers(raw, 1, shard_images=4)
    assert len(alone) > 10
    assert with_workers(raw, 2, shard_images=4) == alone
    assert with_workers(raw, 3, shard_images=4) == alone


def test_the_size_of_raw_shards_changes_neither_split_nor_fingerprint(raw: Path) -> None:
    pieces = normalized(raw)
    ingested(raw / "raw", path=str(raw / "tree"), shard_images=100)
    assert normalized(raw) == pieces


def test_the_order_of_images_is_that_of_the_raw_shards(raw: Path) -> None:
    normalized(raw)
    for side in ("train", "holdout"):
        keys = Split(raw / "normalized" / side).keys
        assert keys == sorted(keys)


class KilledError(Exception):
    pass


def ending_after(count: int) -> Callable[..., Iterator[Any]]:
    """A `map_shards` that is gone after so many shards."""

    def over_shards(function: Callable[[Any], Any], shards: Sequence[Any]) -> Iterator[Any]:
        for number, shard in enumerate(shards):
            if number == count:
                raise KilledError
            yield function(shard)

    return over_shards


def stopped(folder: Path, count: int, **changes: Any) -> None:
    with pytest.raises(KilledError):
        normalize(
            normalize_params(**changes), folder / "raw", folder / "normalized", folder / "resume", ending_after(count)
        )


def counting(numbers: list[int]) -> Callable[..., Iterator[Any]]:
    """A `map_shards` that notes the shards whose folder was not there."""

    def over_shards(function: Any, shards: Sequence[Shard]) -> Iterator[Any]:
        job: Job = function.args[0]
        for shard in shards:
            before = set(job.folder.iterdir())
            yield function(shard)
            if set(job.folder.iterdir()) != before:
                numbers.append(shard.number)

    return over_shards


def worked_on(folder: Path, **changes: Any) -> list[int]:
    """The shards that a run does anew."""
    numbers: list[int] = []
    normalize(normalize_params(**changes), folder / "raw", folder / "normalized", folder / "resume", counting(numbers))
    return numbers


def test_a_run_goes_on_at_the_last_finished_shard_and_leaves_nothing_else(
    raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straight = with_workers(raw, 1)
    stopped(raw, 3)
    capsys.readouterr()
    assert worked_on(raw) == [3, 4]
    assert "going on: 3 of 5 shards are there" in capsys.readouterr().out
    assert files_in(raw / "normalized") == straight
    assert not (raw / "resume").exists()


def test_finished_shards_of_other_params_or_another_split_are_not_taken(raw: Path) -> None:
    stopped(raw, 3)
    assert worked_on(raw, width=7) == [0, 1, 2, 3, 4]
    stopped(raw, 3)
    assert worked_on(raw, max_broken=0.5) == [3, 4], "which changes no shard"


def test_of_raw_shards_that_changed_meanwhile_only_these_are_done_again(raw: Path) -> None:
    stopped(raw, 4)
    first, second = shards(raw / "raw")[:2]
    table = pq.read_table(second)
    pq.write_table(table, second, compression="gzip")  # the same images in other bytes
    assert worked_on(raw) == [1, 4]
    first.write_bytes(first.read_bytes()[:-100])
    with refused("output-damaged", "part-00000.parquet cannot be read as Parquet"):
        normalized(raw)


def many(folder: Path, images: int) -> Path:
    """Raw shards of 500 images each in a workspace."""
    write_idx(folder / "idx", noise(images, 28, 28), np.arange(images) % 10)
    ingested(folder / "data/raw", source="idx", path=str(folder / "idx"), shard_images=500)
    return folder


def kill_once_a_shard_is_finished(folder: Path, workers: int) -> list[psutil.Process]:
    """SIGKILL to the stage alone; its workers, which may still be there for a moment."""
    write_params(folder, {"normalize.height": 24, "normalize.width": 24, "data.workers": workers})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    stage = subprocess.Popen(
        [sys.executable, "-m", "stages.normalize"], cwd=folder, env=environment, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not list(folder.glob(".resume/normalize/*/[0-9]*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    started = psutil.Process(stage.pid).children(recursive=True)
    stage.kill()
    assert stage.wait() == -signal.SIGKILL
    return started


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.nightly)])
def test_a_stage_killed_with_9_and_run_again_writes_the_same_bytes(tmp_path: Path, workers: int) -> None:
    folder = many(tmp_path, 8000)
    changes = {"normalize.height": 24, "normalize.width": 24, "data.workers": workers}
    assert run_stage_in(folder, "normalize", changes).returncode == 0
    straight = files_in(folder / "data/normalized")
    shutil.rmtree(folder / "data/normalized")
    started = kill_once_a_shard_is_finished(folder, workers)
    assert not (folder / "data/normalized").exists()
    _, alive = psutil.wait_procs(started, timeout=300)
    assert alive == []
    again = run_stage_in(folder, "normalize", changes)
    assert "going on: " in again.stdout
    assert files_in(folder / "data/normalized") == straight


@pytest.mark.slow
def test_a_killed_worker_is_told_in_one_sentence_and_its_work_is_done_by_the_next_run(tmp_path: Path) -> None:
    folder = many(tmp_path, 8000)
    write_params(folder, {"data.workers": 2})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.normalize"]
    stage = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    while not list(folder.glob(".resume/normalize/*/[0-9]*")):
        time.sleep(0.001)
    workers = [child for child in psutil.Process(stage.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    workers[0].kill()
    _, said = stage.communicate(timeout=300)
    assert stage.returncode == 75
    assert said.splitlines()[-1].startswith("error: one of the 2 processes of data.workers was ended from outside")
    assert "Traceback" not in said
    assert run_stage_in(folder, "normalize", {"data.workers": 2}).returncode == 0


@pytest.mark.slow
def test_a_worker_that_finds_the_disk_full_is_one_sentence(tmp_path: Path) -> None:
    folder = many(tmp_path, 2000)
    run = run_stage_in(folder, "normalize", {"data.workers": 2}, limit="ulimit -f 16;")
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith("error: no room to write")
    assert "Traceback" not in run.stderr


def test_too_many_broken_images_are_named_the_same_by_any_number_of_workers(raw: Path) -> None:
    for name in ("ant/001.png", "ant/015.png", "bee/003.png"):
        (raw / "tree" / name).write_bytes(b"<html>")
    ingested(raw / "raw", path=str(raw / "tree"), shard_images=7)
    said = []
    for workers in (1, 2):
        with refused("images-broken", "2 of the 30 images cannot be used and there may be more") as error:
            with_workers(raw, workers, max_broken=0.05)
        said.append(str(error.value))
    assert said[0] == said[1]
    assert "'ant/001.png'" in said[0]
    assert not (raw / "normalized/train").exists()


@pytest.fixture
def groups(raw: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A normalized split in row groups of 3 images, at most 7 in a file."""
    monkeypatch.setattr("stages.images.writer.GROUP_BYTES", 3 * 8 * 8 * 4)
    ingested(raw / "raw", path=str(raw / "tree"), shard_images=100)
    normalized(raw, shard_images=7)
    return raw / "normalized/train"


def test_files_and_row_groups_are_of_a_bounded_size(groups: Path) -> None:
    footers = [pq.read_metadata(path) for path in shards(groups)]
    sizes = [[footer.row_group(index).num_rows for index in range(footer.num_row_groups)] for footer in footers]
    assert sizes == [[3, 3, 1], [3, 3, 1], [3, 3, 1], [3]]


def test_row_groups_are_of_four_megabytes_of_pixels(tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", noise(40, 28, 28), np.arange(40) % 2)
    ingested(tmp_path / "raw", source="idx", path=str(tmp_path / "idx"))
    normalized(tmp_path, channels=3, height=256, width=256)
    footer = pq.read_metadata(shards(tmp_path / "normalized/train")[0])
    assert [footer.row_group(index).num_rows for index in range(footer.num_row_groups)] == [5] * 6 + [2]


def test_a_reader_gives_any_block_without_the_rest(groups: Path) -> None:
    whole, reader = Split(groups), ShardReader(groups)
    images = whole.images()
    assert (len(reader), reader.shape, reader.classes, reader.partner_shape) == (24, (1, 8, 8), ["ant", "bee"], None)
    assert [block.start for block in reader.blocks] == [0, *(block.stop for block in reader.blocks[:-1])]
    for block in reversed(reader.blocks):
        rows = slice(block.start, block.stop)
        np.testing.assert_array_equal(reader.images(block), images[rows])
        np.testing.assert_array_equal(reader.labels(block), whole.labels[rows])  # type: ignore[index]
        assert reader.keys(block) == whole.keys[rows]
    for path in shards(groups)[1:]:
        path.unlink()
    np.testing.assert_array_equal(reader.images(reader.blocks[1]), images[3:6])


def test_a_reader_serves_threads_and_other_processes(groups: Path) -> None:
    reader: ShardReader = pickle.loads(pickle.dumps(ShardReader(groups)))
    with ThreadPoolExecutor(4) as threads:
        images = np.concatenate(list(threads.map(reader.images, reader.blocks)))
    np.testing.assert_array_equal(images, Split(groups).images())


def test_a_damaged_or_lost_part_is_one_sentence_when_it_is_read(groups: Path) -> None:
    reader = ShardReader(groups)
    first, second = shards(groups)[:2]
    content = bytearray(first.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    first.write_bytes(content)
    with refused("output-damaged", "part-00000-000.parquet cannot be read as Parquet"):
        reader.images(reader.blocks[0])
    second.unlink()
    with refused("output-damaged", "part-00000-001.parquet cannot be read"):
        reader.images(reader.blocks[3])
    first.write_bytes(b"not parquet at all")
    with refused("output-damaged", "part-00000-000.parquet cannot be read as Parquet"):
        ShardReader(groups)
