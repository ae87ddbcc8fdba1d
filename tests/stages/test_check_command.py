"""`python -m stages.check` as a program: its exit code, and its notes on what may go wrong later."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.programs import Done, git, python
from tests.stages.source_files import run_stage_in, write_tree

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the source's place."""
    monkeypatch.chdir(tmp_path)
    Path("data/source").mkdir(parents=True)


def run(folder: Path) -> Done:
    return python("-m", "stages.check", folder=folder)


def commit_params(folder: Path) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "-q")
    git(folder, "add", "dvc.yaml", "params.yaml")
    git(folder, "commit", "-q", "-m", "one")


def test_the_command_says_that_all_is_well_or_in_one_line_with_exit_code_2_what_is_not(tmp_path: Path) -> None:
    commit_params(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = run(tmp_path)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
    shutil.rmtree("data/source")
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: params.yaml: ingest.path = 'data/source' is missing")
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == [path for path in before if path != tmp_path / "data/source"]


@pytest.mark.tried(
    "code that no commit holds",
    "note: no commit holds dvc.yaml as it is, so what is made now will not be published: commit it, "
    "or set upload.uncommitted to mark",
)
def test_changes_that_would_keep_a_release_back_are_told_before_anything_runs(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    commit_params(tmp_path)
    Path("run.log").touch()  # a new file that is no code
    assert run(tmp_path).stderr == ""
    Path("stages").mkdir()
    Path("stages/new.py").touch()
    assert run(tmp_path).stderr.startswith("note: no commit holds stages/ as it is")
    shutil.rmtree("stages")
    with open("dvc.yaml", "a") as graph:
        graph.write("# changed\n")
    done = run(tmp_path)
    assert done.returncode == 0
    read(done.stderr)
    marked = Path("params.yaml").read_text().replace("uncommitted: auto", "uncommitted: mark")
    Path("params.yaml").write_text(marked)
    assert run(tmp_path).stderr == ""


@pytest.mark.tried(
    "`upload.url` of a bucket, on a machine without credentials",
    "note: no credentials for s3://bucket/team are found, so what is made now will not be published: set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, before the stage upload",
)
def test_a_bucket_without_credentials_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    text = (ROOT / "params.yaml").read_text().replace("url: file:published", "url: s3://bucket/team")
    (tmp_path / "params.yaml").write_text(text.replace("uncommitted: auto", "uncommitted: mark"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    done = run(tmp_path)
    assert done.returncode == 0
    read(done.stderr)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert run(tmp_path).stderr == ""


def test_a_family_that_does_not_fit_what_ingest_brought_is_a_note_since_its_source_may_have_changed(
    tmp_path: Path,
) -> None:
    shutil.make_archive("data/source/images", "tar", write_tree(tmp_path / "images", {"": 3}))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    settings: dict[str, Any] = {"ingest.source": "archive", "ingest.labels": False, "train.family": "dcgan"}
    assert run_stage_in(tmp_path, "ingest", settings).returncode == 0
    assert "as ingest brought" not in run_stage_in(tmp_path, "check", settings).stderr
    done = run_stage_in(tmp_path, "check", settings | {"train.family": "cgan"})
    assert done.returncode == 0
    assert "note: of the data as ingest brought it last: train.family = 'cgan' learns from labels" in done.stderr
    other = run_stage_in(tmp_path, "check", settings | {"train.family": "cgan", "ingest.source": "digits"})
    assert "as ingest brought" not in other.stderr, "it will bring others"
