"""An ingest that is killed goes on at its last finished shard; one whose source changed begins anew."""

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages import ingest as stage
from stages.common import raw_shards
from stages.common.errors import UserError
from stages.common.files import read_json, write_json
from stages.common.raw_shards import Counts, Done
from stages.common.shards import class_names, read_tables, shards
from stages.ingest import StaleError, ingest, summary
from stages.sources import RawImage, Source, content_of, open_source
from tests.programs import printed_by, python
from tests.refusals import refused
from tests.stages.source_files import ingest_params, ingested, run_stage_in, write_tree
from tests.stages.tiny_data import write_params

KILLED = """
import os, signal, sys
from pathlib import Path
from stages import ingest
from stages.common import raw_shards
written, last = raw_shards._written, int(sys.argv.pop())
def until(path, rows, schema, shard_images, done):
    if done.shards == last:
        next(rows), next(rows)
        os.kill(os.getpid(), signal.SIGKILL)
    return written(path, rows, schema, shard_images, done)
raw_shards._written = until
ingest.main()
"""


def killed(folder: Path, after_shards: int) -> None:
    run = python("-c", KILLED, after_shards, folder=folder)
    assert run.returncode == -signal.SIGKILL, run.stderr


def prepared(folder: Path, images: int = 9) -> Path:
    tree = write_tree(folder / "tree", {"cat": images - 3, "dog": 3})
    write_params(folder, {"ingest.source": "folder", "ingest.path": "tree", "ingest.shard_images": 2})
    return tree


def run_main(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the stage; the files it read, by name."""
    read: list[str] = []
    content = content_of

    def noted(given: object) -> bytes:
        read.append(Path(given.args[0]).name)  # type: ignore[attr-defined]
        return content(given)  # type: ignore[arg-type]

    monkeypatch.chdir(folder)
    monkeypatch.setattr(stage, "content_of", noted)
    monkeypatch.setattr(sys, "argv", ["ingest"])
    stage.main()
    return read


def bytes_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in shards(folder / "data/raw")]


def test_a_killed_ingest_goes_on_to_the_same_bytes_and_reads_no_finished_image_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (tmp_path / "once", tmp_path / "twice"):
        folder.mkdir()
        prepared(folder)
    assert len(run_main(tmp_path / "once", monkeypatch)) == 9
    killed(tmp_path / "twice", after_shards=3)
    assert not (tmp_path / "twice/data/raw").exists()
    assert run_main(tmp_path / "twice", monkeypatch) == ["000.png", "001.png", "002.png"]
    assert "went on after 6 images, finished by a run that was stopped" in capsys.readouterr().out
    assert bytes_of(tmp_path / "twice") == bytes_of(tmp_path / "once")
    assert not list((tmp_path / "twice/.resume/ingest").iterdir())


@pytest.mark.tried(
    "Ctrl-C in `ingest`", "4 images are finished and kept in .resume/ingest/...; the same command goes on from there"
)
def test_an_ingest_ended_by_ctrl_c_says_what_is_kept_and_its_seconds_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    prepared(tmp_path)
    written = raw_shards._written
    end = {"after": 2}

    def until(path: Path, rows: Any, schema: Any, shard_images: int, done: Done) -> Done:
        if done.shards == end["after"]:
            raise KeyboardInterrupt
        return written(path, rows, schema, shard_images, done)

    monkeypatch.setattr(raw_shards, "_written", until)
    with pytest.raises(KeyboardInterrupt) as stopped:
        run_main(tmp_path, monkeypatch)
    read(str(stopped.value))
    cost = next(tmp_path.glob(".resume/ingest/*/cost.json"))
    write_json(cost, read_json(cost) | {"seconds": 1000.0, "kilowatt_hours": 5.0})
    end["after"] = 99
    run_main(tmp_path, monkeypatch)
    made = read_json(tmp_path / "provenance/ingest.json")
    assert 1000 <= made["seconds"] < 1100
    assert made["machine"]["kilowatt_hours"] == 5.0


def test_an_ingest_killed_half_way_leaves_the_earlier_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = prepared(tmp_path)
    run_main(tmp_path, monkeypatch)
    before = bytes_of(tmp_path)
    write_tree(tree, {"eel": 2})
    killed(tmp_path, after_shards=2)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize("change", ["another image", "other bytes", "gone"])
def test_a_source_that_changed_since_the_kill_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    tree = prepared(tmp_path)
    killed(tmp_path, after_shards=3)
    if change == "another image":
        (tree / "cat/0000.png").write_bytes((tree / "cat/000.png").read_bytes())
    elif change == "other bytes":
        (tree / "cat/001.png").write_bytes((tree / "dog/001.png").read_bytes())
    else:
        (tree / "cat/001.png").unlink()
    expected = {"another image": 10, "other bytes": 9, "gone": 8}[change]
    assert len(run_main(tmp_path, monkeypatch)) == expected
    assert "has changed since the run that was stopped: beginning anew" in capsys.readouterr().out
    raw = {key: row for table in read_tables(tmp_path / "data/raw") for key, row in zip(*columns(table), strict=True)}
    assert raw == {f"{p.parent.name}/{p.name}": p.read_bytes() for p in tree.rglob("*.png")}


def test_a_class_that_has_another_name_since_the_kill_has_it_in_all_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write_tree(tmp_path / "tree", {"": 6})
    settings = {"ingest.source": "folder", "ingest.path": "tree", "ingest.shard_images": 2, "ingest.labels": "l.csv"}
    write_params(tmp_path, settings)
    table = "file,kind\n" + "".join(f"{n:03d}.png,{('cat', 'dog')[n % 2]}\n" for n in range(6))
    (tree / "l.csv").write_text(table)
    killed(tmp_path, after_shards=2)
    (tree / "l.csv").write_text(table.replace("dog", "hound"))
    run_main(tmp_path, monkeypatch)
    assert "beginning anew" in capsys.readouterr().out
    assert {tuple(class_names(table.schema) or ()) for table in read_tables(tmp_path / "data/raw")} == {
        ("cat", "hound")
    }


def columns(table: object) -> tuple[list[str], list[bytes]]:
    return table["key"].to_pylist(), [i["bytes"] for i in table["image"].to_pylist()]  # type: ignore[index]


def test_other_params_begin_anew_and_forget_the_shards_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path)
    killed(tmp_path, after_shards=3)
    changes = {"ingest.source": "folder", "ingest.path": "tree", "ingest.shard_images": 4, "train.family": "dcgan"}
    write_params(tmp_path, changes)
    assert len(run_main(tmp_path, monkeypatch)) == 9
    assert [table.num_rows for table in read_tables(tmp_path / "data/raw")] == [4, 4, 1]
    assert not list((tmp_path / ".resume/ingest").iterdir())


def drawing_source(count: int, fail_at: int | None = None) -> Source:
    def images() -> Iterator[RawImage]:
        for number in range(count):
            if number == fail_at:
                raise UserError("of-a-test", "the network is gone")
            yield RawImage(str(number), f"{number}.png", b"x" * 10, None, None)

    return Source("s", "l", "o", None, images(), count=count)


def test_an_ingest_that_failed_goes_on_too(tmp_path: Path) -> None:
    params = ingest_params(path="x", source="digits", shard_images=3)
    with refused("of-a-test"):
        ingest(drawing_source(10, fail_at=7), params, tmp_path / "raw", tmp_path / "resume")
    source = drawing_source(10)
    counts = ingest(source, params, tmp_path / "raw", tmp_path / "resume")
    assert counts.total() == 10
    assert "went on after 6 images" in summary(source, counts)[-1]


def test_stale_shards_are_dropped_and_said_to_be(tmp_path: Path) -> None:
    params = ingest_params(path="x", source="digits", shard_images=3)
    with refused("of-a-test"):
        ingest(drawing_source(10, fail_at=7), params, tmp_path / "raw", tmp_path / "resume")
    with pytest.raises(StaleError, match="o has changed since the run that was stopped"):
        ingest(drawing_source(4), params, tmp_path / "raw", tmp_path / "resume")
    assert ingest(drawing_source(4), params, tmp_path / "raw", tmp_path / "resume").total() == 4


@pytest.mark.tried(
    "a folder into which something still writes",
    ".../tree changed while it was read: wait until nothing writes to it, then run again",
)
@pytest.mark.tried(
    "an image that is taken away meanwhile",
    ".../cat/001.png changed while it was read: wait until nothing writes to it, then run again",
)
def test_a_file_that_is_written_while_it_is_read_is_refused(tmp_path: Path, read: Callable[[str], None]) -> None:
    tree = write_tree(tmp_path / "tree", {"cat": 2, "dog": 2})
    params = ingest_params(path=str(tree))
    images = open_source(params).images
    next(images)
    (tree / "dog/new.png").write_bytes(b"new")
    with refused("source-changed") as refusal:
        list(images)
    read(str(refusal.value))
    images = open_source(params).images
    first = next(images)
    (tree / "cat/001.png").unlink()
    assert callable(first.content)
    assert first.content() == (tree / "cat/000.png").read_bytes()
    with refused("source-changed") as refusal:
        next(images)
    read(str(refusal.value))


def test_an_archive_that_is_written_while_it_is_read_is_refused(tmp_path: Path) -> None:
    import shutil

    path = Path(shutil.make_archive(str(tmp_path / "a"), "tar", write_tree(tmp_path / "tree", {"": 3})))
    images = open_source(ingest_params(source="archive", path=str(path))).images
    next(images)
    path.write_bytes(path.read_bytes()[:2000])
    with refused("source-changed", "a.tar changed while it was read"):
        list(images)


def test_images_that_are_waited_for_are_read_at_once_and_keep_their_order(tmp_path: Path) -> None:
    together, most = 0, 0
    lock = threading.Lock()

    def slow(number: int) -> bytes:
        nonlocal together, most
        with lock:
            together, most = together + 1, max(most, together + 1)
        time.sleep(0.01 * (number % 3))
        with lock:
            together -= 1
        return str(number).encode()

    images = (RawImage(str(n), "x", lambda n=n: slow(n), None, None) for n in range(40))  # type: ignore[misc]
    source = Source("s", "l", "o", None, images, readers=4)
    ingest(source, ingest_params(path="x", source="digits"), tmp_path / "raw", tmp_path / "resume")
    contents = [row["bytes"] for row in pq.read_table(shards(tmp_path / "raw")[0])["image"].to_pylist()]
    assert contents == [str(number).encode() for number in range(40)]
    assert 1 < most <= 4


def test_the_time_left_is_told_where_the_number_of_images_is_known(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"": 5})
    changes = {"ingest.source": "folder", "ingest.path": "tree", "train.family": "gan"}
    run = run_stage_in(tmp_path, "ingest", changes)
    assert "5/5" in run.stderr
    assert re.search(r"\d/s", run.stderr), run.stderr


def test_counts_of_finished_shards_are_counts_of_all(tmp_path: Path) -> None:
    table = ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"a": 3, "b": 4})), shard_images=2)
    assert table.num_rows == 7
    params = ingest_params(path=str(tmp_path / "tree"), shard_images=2)
    counts: Counts = ingest(open_source(params), params, tmp_path / "raw", tmp_path / "resume")
    assert counts == {(None, 0): 3, (None, 1): 4}


@pytest.mark.slow
@pytest.mark.nightly
def test_ten_times_the_images_take_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (3_000, 30_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        options = {"images": count, "height": 8, "width": 8, "colors": "gray"}
        write_params(folder, {"ingest.source": "glyphs", "ingest.options": options, "ingest.shard_images": 2500})
        code = "import resource; from stages import ingest; ingest.main()\n"
        code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        peaks.append(int(printed_by("-c", code, folder=folder).split()[-1]))
    assert peaks[1] < 1.1 * peaks[0]
