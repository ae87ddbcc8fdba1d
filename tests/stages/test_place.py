"""What stages.check says of links and of DVC's cache before a stage runs; what DVC would say after it, or upload."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stages import restore
from stages.check import outputs
from stages.common.at_work import RUN, RUN_FILE, at_work
from stages.common.dvc import busy_paths
from stages.common.errors import BAD_INPUT
from stages.common.files import write_json
from stages.common.place import cache_problems, links_problems, room_problems
from tests.flows.toy import chain, make_workspace
from tests.programs import python
from tests.refusals import refused
from tests.stages.tiny_data import write_params

MADE = [Path("data/raw"), Path("models/selected"), Path("metrics/a.json"), Path("published.json")]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_workspace(tmp_path / "toy", chain("first"))
    monkeypatch.chdir(folder)
    return folder


def configure(workspace: Path, **cache: str) -> None:
    lines = "".join(f"    {key} = {value}\n" for key, value in cache.items())
    (workspace / ".dvc/config.local").write_text(f"[cache]\n{lines}")


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(
            "models",
            marks=pytest.mark.tried(
                "`models` as a link to another disk",
                "'models' is a link (to ...), where DVC keeps no outputs: put a folder in its place; for a larger disk "
                "give DVC's cache a place there (`python -m dvc config --local cache.dir FOLDER`, then `cache.type "
                "symlink` in the "
                "same way), or mount the disk on that folder",
            ),
        ),
        pytest.param(
            "data/raw",
            marks=pytest.mark.tried(
                "`data/raw` as a link to another disk",
                "'data/raw' is a link (to ...), where DVC keeps no outputs: put a folder in its place; ...",
            ),
        ),
    ],
)
def test_outputs_behind_a_link_to_a_folder_are_refused_with_a_way_to_use_a_larger_disk(
    workspace: Path, tmp_path: Path, read: Callable[[str], None], link: str
) -> None:
    assert list(links_problems(MADE, workspace)) == []
    (tmp_path / "disk").mkdir()
    (workspace / link).symlink_to(tmp_path / "disk")
    [said] = links_problems(MADE, workspace)
    read(said)


def test_links_of_dvc_s_own_and_a_checkout_behind_a_link_are_fine(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "cached").touch()
    (workspace / "published.json").symlink_to(tmp_path / "cached")
    (workspace / "data/source/more").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(workspace)
    assert list(links_problems(MADE, workspace)) == []
    assert list(links_problems(MADE, tmp_path / "link")) == []
    assert list(cache_problems(tmp_path / "link")) == []


@pytest.mark.tried(
    "a checkout in a folder named `a {b}`",
    "DVC cannot work with a brace in the path of its cache ('.../a {b}/.dvc/cache'): rename that folder, or give the "
    "cache another place (`python -m dvc config --local cache.dir FOLDER`)",
)
def test_a_brace_in_the_path_of_the_cache_which_dvc_takes_for_a_format_is_refused(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    """DVC would run the first stage, and then say 'b'."""
    workspace = make_workspace(tmp_path / "a {b}", chain("first"))
    [said] = cache_problems(workspace)
    read(said)
    configure(workspace, dir=str(tmp_path / "cache"))
    assert list(cache_problems(workspace)) == []


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "hardlink,copy"])
def test_a_cache_elsewhere_by_links_that_can_be_made_passes_and_nothing_is_left(
    workspace: Path, tmp_path: Path, kind: str
) -> None:
    configure(workspace, dir=str(tmp_path / "disk/cache"), type=kind)
    before = sorted(tmp_path.rglob("*"))
    assert list(cache_problems(workspace)) == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.tried(
    "DVC's cache on another disk, with `cache.type hardlink`",
    "DVC's cache '...' cannot be linked to from here by hardlink (another disk, or a file system without such links): "
    "`python -m dvc config --local cache.type symlink`, or `copy`",
)
def test_a_cache_of_links_that_cannot_be_made_is_refused(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    def another_disk(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", another_disk)
    configure(workspace, dir=str(tmp_path), type="hardlink")
    [said] = cache_problems(workspace)
    read(said)


@pytest.mark.tried(
    "DVC's cache on a disk that is not there today",
    "DVC's cache '...' is a link to ..., which is not there: mount that disk",
)
@pytest.mark.tried(
    "a file where DVC's cache should be",
    "DVC's cache cannot be written ('...'): `python -m dvc config --local cache.dir` names another",
)
def test_a_cache_that_is_a_file_or_a_link_to_a_disk_that_is_gone_is_refused(
    workspace: Path, tmp_path: Path, read: Callable[[str], None]
) -> None:
    (workspace / ".dvc/cache").symlink_to(tmp_path / "unmounted")
    [said] = cache_problems(workspace)
    read(said)
    (tmp_path / "file").touch()
    configure(workspace, dir=str(tmp_path / "file"))
    [said] = cache_problems(workspace)
    read(said)


@pytest.mark.tried(
    "a cache that another user made, without rights for the group",
    "DVC's cache cannot be written ('...'): where a group shares it, its owner sets `python -m dvc config cache.shared "
    "group` and gives the group its rights (`chmod -R g+rwX`); else `python -m dvc config --local cache.dir` names "
    "another",
)
def test_a_shared_cache_without_rights_for_the_group_is_refused_and_told_how_to_share_it(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    configure(workspace, dir=str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    [said] = cache_problems(workspace)
    read(said)


@pytest.mark.tried(
    "`cache.type magnet` in .dvc/config.local",
    ".dvc/config cannot be used by DVC: config file error: Unsupported cache type(s): magnet ...",
)
def test_a_setting_that_dvc_does_not_know_is_refused_in_one_line(workspace: Path, read: Callable[[str], None]) -> None:
    configure(workspace, type="magnet")
    [said] = cache_problems(workspace)
    read(said)
    assert "\n" not in said


def lock(workspace: Path, path: str, pid: int, cmd: str = "dvc repro") -> None:
    (workspace / ".dvc/tmp").mkdir(exist_ok=True)
    locks = {"write": {str(workspace / path): {"pid": pid, "cmd": cmd}}, "read": {}}
    (workspace / ".dvc/tmp/rwlock").write_text(json.dumps(locks))


def test_what_another_command_is_making_is_not_brought_back_under_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(restore, "run_dvc", lambda *words: asked.append(words))
    (workspace / "dvc.lock").write_text("stages:\n  a:\n    outs: [{path: models/a}, {path: metrics/b.json}]\n")
    monkeypatch.setattr(restore, "busy_paths", lambda _: {workspace / "models": "`dvc repro` (process 7)"})
    restore.main()
    assert asked == [("checkout", "--quiet", "metrics/b.json")]


def test_what_comes_back_after_a_failure_is_placed(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(restore, "run_dvc", lambda *words: (workspace / words[-1]).touch())
    (workspace / "dvc.lock").write_text("stages:\n  a:\n    outs: [{path: made.json}]\n")
    restore.main()
    assert capsys.readouterr().out.endswith("outputs of the last successful run were restored: made.json\n")


@pytest.mark.tried(
    "a stage by hand while `dvc repro` is at it",
    "error: `dvc repro` (process ...) is at sample here: wait for its end, or stop it; nothing was touched",
)
def test_a_stage_by_hand_is_refused_while_dvc_makes_its_outputs(workspace: Path, read: Callable[[str], None]) -> None:
    write_params(workspace, {})
    waiting = [sys.executable, "-c", "input()", "dvc"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as other:
        lock(workspace, "provenance/sample.json", other.pid)
        done = python("-m", "stages.sample", folder=workspace)
        other.communicate(b"")
    assert done.returncode == BAD_INPUT
    assert not (workspace / "samples").exists()
    read(done.stderr)


def test_a_lock_of_a_process_that_is_gone_or_is_no_dvc_makes_nothing_busy(workspace: Path) -> None:
    assert busy_paths(workspace) == {}
    lock(workspace, "models", os.getpid())  # this test's process, which has the id now
    assert busy_paths(workspace) == {}
    (workspace / ".dvc/tmp/rwlock").write_text("{")
    assert busy_paths(workspace) == {}


@pytest.mark.parametrize("content", ["<<<<<<< HEAD\nstages: {}\n", "stages: [", "", "stages:\n", "\xff"])
def test_what_a_merge_left_half_done_in_dvc_s_files_is_one_sentence(workspace: Path, content: str) -> None:
    for name in ("dvc.lock", "dvc.yaml"):
        (workspace / name).write_text(content, encoding="latin-1")
    with refused("lock-file-damaged", "dvc.lock is not a lock file of DVC"):
        restore.main()
    with refused("pipeline-unreadable", "(`git checkout dvc.yaml`)"):
        outputs(Path("dvc.yaml"))


def test_samples_for_which_the_disk_has_no_room_are_refused_with_the_number_that_fits(tmp_path: Path) -> None:
    size = (3, 64, 64)
    assert list(room_problems(1000, size, tmp_path)) == []
    (problem,) = room_problems(10**10, (1, 4096, 4096), tmp_path)
    fits = int(problem.partition("set it to ")[2].split()[0])
    assert list(room_problems(fits, (1, 4096, 4096), tmp_path)) == []
    assert problem.startswith("sample.count = 10000000000 takes some 167,772,160 GB, and ")


@pytest.mark.tried(
    "`mintage check` while a stage of a run that was killed is still at work",
    "stages.train (process ...) of a run that was killed is still at work here: the next `mintage run` ends it, and "
    "goes on from what it saved",
)
def test_what_a_killed_run_left_at_work_is_told_and_a_run_at_work_and_nothing_once_they_end(
    workspace: Path, read: Callable[[str], None]
) -> None:
    (workspace / RUN_FILE).parent.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(600)", "-m", "stages.train"]
    with subprocess.Popen(sleep, env={**os.environ, RUN: "mine"}) as stage:
        write_json(workspace / RUN_FILE, {"run": "mine", "process": 0})
        try:
            read("\n".join(at_work(workspace)))
            write_json(workspace / RUN_FILE, {"run": "mine", "process": stage.pid})
            assert [*at_work(workspace)] == [f"another run (process {stage.pid}) is at work here"]
            write_json(workspace / RUN_FILE, {"run": "mine", "process": os.getpid()})
            assert [*at_work(workspace)] == []
        finally:
            stage.kill()
    write_json(workspace / RUN_FILE, {"run": "mine", "process": stage.pid})
    assert [*at_work(workspace)] == []
