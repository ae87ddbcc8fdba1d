"""Whole files or none: through failures, kill -9 and a full disk."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stages.common.files import (
    read_json,
    replacing,
    replacing_directory,
    sha256_of,
    write_bytes,
    write_json,
    write_text,
    write_tsv,
)
from tests.refusals import refused

ROOT = Path(__file__).parents[2]
ROOM = 100_000  # bytes that a file may have where the disk is full


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def start(folder: Path, code: str) -> "subprocess.Popen[str]":
    """Run Python code in another process in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True
    )


def test_a_file_has_its_new_content_only_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file.txt"
    write_text(path, "old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["deep", "deep/er", "deep/er/file.txt"]


def fail_after_half(path: Path, failure: BaseException) -> None:
    with replacing(path) as partial:
        partial.write_text("half")
        raise failure


def fail_in_a_folder(folder: Path, failure: BaseException) -> None:
    with replacing_directory(folder) as partial:
        (partial / "two").write_text("2")
        raise failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(failure):
        fail_after_half(path, failure())
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_block_that_fails_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    with replacing_directory(folder) as partial:
        (partial / "one").write_text("1")
    with pytest.raises(ZeroDivisionError):
        fail_in_a_folder(folder, ZeroDivisionError())
    assert names(tmp_path) == ["shards", "shards/one"]


def test_a_folder_is_replaced_whole_and_keeps_no_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    for name in ("one", "two"):
        with replacing_directory(folder) as partial:
            (partial / name).write_text(name)
    assert names(folder) == ["two"]


def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_process_killed_in_the_middle_leaves_the_old_output_and_the_next_try_clears_up(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "output"
    half = "partial.write_text('half')"
    if kind == "folder":
        half = f"partial.mkdir(); partial /= 'part'; {half}"
        path.mkdir()
        (path / "part").write_text("old")
    else:
        path.write_text("old")
    before = names(tmp_path)
    process = start(
        tmp_path,
        f"import time; from stages.common.files import replacing\n"
        f"with replacing('output') as partial:\n    {half}; print('written', flush=True); time.sleep(60)",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    old = path / "part" if kind == "folder" else path
    assert old.read_text() == "old"
    assert names(tmp_path) != before, "the killed process should have left its half behind"
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["output"]


CLEARING = """
import shutil, time
from stages.common.files import replacing_directory
def slow(path):
    print("clearing", flush=True)
    time.sleep(60)
shutil.rmtree = slow
with replacing_directory("output") as partial:
    (partial / "part").write_text("new")
"""


def test_a_process_killed_while_it_clears_the_old_folder_away_leaves_the_new_one_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "output" / "part", "old")
    process = start(tmp_path, CLEARING)
    assert process.stdout is not None
    assert process.stdout.readline() == "clearing\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "output" / "part").read_text() == "new"
    with replacing_directory(tmp_path / "output") as partial:
        (partial / "part").write_text("newer")
    assert names(tmp_path) == ["output", "output/part"]


FULL_DISK = """
import resource, sys
sys.dont_write_bytecode = True  # else a part of a compiled module may stay
from stages.common.errors import run_stage
from stages.common.files import replacing, replacing_directory, write_bytes
from tests.refusals import refused
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
def main():
    {write}
run_stage(main)
"""
WRITES = {
    "bytes": "write_bytes('output', bytes(2 * {room}))",
    "lines": "with replacing('output') as p, open(p, 'w') as f:\n"
    "        for n in range(10**6): f.write('a line of it\\n')",
    "parquet": "import pyarrow as pa, pyarrow.parquet as pq\n    import numpy as np\n"
    "    table = pa.table({{'x': np.random.default_rng(0).random(100_000)}})\n"
    "    with replacing('output') as p: pq.write_table(table, p)",
    "image": "import numpy as np\n    from PIL import Image\n"
    "    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)\n"
    "    with replacing('output') as p: Image.fromarray(noise).save(p, 'PNG')",
}


@pytest.mark.parametrize("how", WRITES)
def test_a_disk_that_fills_up_gives_one_sentence_and_exit_code_2_and_keeps_the_old_output(
    tmp_path: Path, how: str
) -> None:
    (tmp_path / "output").write_text("old")
    process = start(tmp_path, FULL_DISK.format(room=ROOM, write=WRITES[how].format(room=ROOM)))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2
    assert errors.startswith("error: no room to write")
    assert errors.count("\n") == 1
    assert "Traceback" not in errors
    assert (tmp_path / "output").read_text() == "old"
    assert names(tmp_path) == ["output"]


def test_an_error_of_the_system_that_is_not_lack_of_room_is_not_called_that(tmp_path: Path) -> None:
    process = start(
        tmp_path, "from stages.common.errors import run_stage\nrun_stage(lambda: open('no/such/place') and None)"
    )
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "no room" not in errors


def test_a_file_where_a_folder_must_be_is_one_sentence_with_a_code(tmp_path: Path) -> None:
    (tmp_path / "provenance").write_text("a note")
    code = """
import os
from stages.common.errors import run_stage
from stages.common.files import write_text
os.environ["MINTAGE_ERRORS"] = "code"
run_stage(lambda: write_text("provenance/train.json", "{}"))
"""
    process = start(tmp_path, code)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2
    assert errors.startswith("error[path-unusable]: 'provenance' cannot be used (File exists): ")
    assert errors.count("\n") == 1
    assert (tmp_path / "provenance").read_text() == "a note"


def test_a_link_is_replaced_and_what_it_led_to_is_kept(tmp_path: Path) -> None:
    (tmp_path / "cached").write_text("of DVC's cache")
    (tmp_path / "cached").chmod(stat.S_IREAD)
    (tmp_path / "output").symlink_to("cached")
    write_text(tmp_path / "output", "new")
    assert (tmp_path / "output").read_text() == "new"
    assert (tmp_path / "cached").read_text() == "of DVC's cache"


def test_a_link_to_a_folder_is_replaced_and_what_it_led_to_is_kept(tmp_path: Path) -> None:
    (tmp_path / "cached").mkdir()
    (tmp_path / "cached" / "part").write_text("of DVC's cache")
    (tmp_path / "output").symlink_to("cached")
    with replacing_directory(tmp_path / "output") as partial:
        (partial / "part").write_text("new")
    assert (tmp_path / "output" / "part").read_text() == "new"
    assert (tmp_path / "cached" / "part").read_text() == "of DVC's cache"


def test_json_comes_back_as_it_was_written(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, "ü"], "b": {"c": True}}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
    assert (tmp_path / "value.json").read_text().endswith("}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_is_refused_and_the_old_file_stays(tmp_path: Path, value: float) -> None:
    write_json(tmp_path / "value.json", 1)
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == 1


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe\x00"])
def test_damaged_json_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "value.json"
    write_bytes(path, content)
    with refused("output-damaged", "value.json is not valid JSON", ": remove it and run `dvc repro`"):
        read_json(path)


def test_missing_json_is_refused_by_name(tmp_path: Path) -> None:
    with refused("output-missing", "value.json is missing: `mintage run` makes it"):
        read_json(tmp_path / "value.json")


def test_a_table_has_the_columns_of_its_first_row_and_nothing_for_none(tmp_path: Path) -> None:
    write_tsv(tmp_path / "t.tsv", [{"images": 1, "loss": 0.5, "note": None}, {"note": "x", "loss": 0.25, "images": 2}])
    assert (tmp_path / "t.tsv").read_text() == "images\tloss\tnote\n1\t0.5\t\n2\t0.25\tx\n"


def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    write_bytes(tmp_path / "abc", b"abc")  # the first example of FIPS 180-2
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
