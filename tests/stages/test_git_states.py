"""What is known of the code where git is missing, refuses, or belongs to something else; DVC works in all of these."""

import itertools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.common.dvc import run_dvc, settle_git
from stages.common.git import is_own, read_git
from stages.common.place import git_notes
from stages.common.provenance import uncommitted_stages
from stages.releases.content import gather, require_committed
from tests.programs import git, printed_by
from tests.refusals import refused
from tests.stages.release_trees import make_tree
from tests.stages.tiny_data import ROOT


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a stage, in no repository; the working directory. What DVC is told here ends with the test."""
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "nothing"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "home" / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (folder / "dvc.yaml").write_text("stages:\n  a:\n    cmd: echo 1 > a.txt\n    outs: [a.txt]\n")
    (folder / ".gitignore").write_text("/a.txt\n")
    monkeypatch.chdir(folder)
    return folder


def commit(folder: Path) -> str:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return git(folder, "rev-parse", "HEAD")


def without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(exist_ok=True)
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def dotfiles(home: Path) -> str:
    """A repository around the project that holds none of it, and ignores all that it does not hold."""
    (home / ".gitignore").write_text("*\n!.gitignore\n")
    git(home, "init", "--quiet")
    git(home, "add", ".gitignore")
    git(home, "commit", "--quiet", "--message", "dotfiles")
    return git(home, "rev-parse", "HEAD")


def test_a_commit_that_holds_all_code_is_named_and_clean_and_code_that_is_new_is_not(project: Path) -> None:
    head = commit(project)
    assert read_git().as_facts() == {"commit": head, "clean": True}
    (project / "mintage").mkdir()
    (project / "mintage/new.py").touch()
    assert (read_git().commit, read_git().changed) == (head, ("mintage/",))


@pytest.mark.tried(
    "code that git is told not to look at, as provenance has it",
    "git is told not to look at mintage/old.py (see `git update-index`)",
)
@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_code_that_git_is_told_not_to_look_at_is_not_known_to_be_clean(
    project: Path, read: Callable[[str], None], flag: str
) -> None:
    (project / "mintage").mkdir()
    (project / "mintage/old.py").touch()
    head = commit(project)
    git(project, "update-index", flag, "mintage/old.py")
    assert (read_git().commit, read_git().clean) == (head, None)
    read(read_git().reason)
    (project / "mintage/old.py").unlink()  # as in a sparse checkout
    assert read_git().clean


@pytest.mark.tried(
    "a checkout without git within a repository of dotfiles, as provenance has it",
    "it is in no git repository of its own (the one at ... does not hold it)",
)
def test_a_repository_around_the_project_that_does_not_hold_it_is_not_its_own(
    project: Path, read: Callable[[str], None]
) -> None:
    foreign = dotfiles(project.parent)
    facts = read_git().as_facts()
    assert (facts["commit"], facts["clean"]) == (None, None)
    read(facts["reason"])
    assert foreign not in json.dumps(facts)
    assert not is_own()


def test_a_project_in_a_folder_of_a_larger_repository_that_holds_it_is_that_one_s(project: Path) -> None:
    head = commit(project.parent)
    assert read_git().as_facts() == {"commit": head, "clean": True}
    assert is_own()


def test_a_git_folder_that_the_environment_names_is_not_taken_for_the_project_s(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotfiles(project.parent)
    monkeypatch.setenv("GIT_DIR", str(project.parent / ".git"))
    assert read_git().commit is None


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(
            "none",
            marks=pytest.mark.tried(
                "a folder that is in no git repository",
                "no commit of this code is known (it is in no git repository): what is made now is published so marked",
            ),
        ),
        pytest.param(
            "no commit",
            marks=pytest.mark.tried(
                "`git init`, and no commit yet",
                "no commit of this code is known (its git repository has no commit yet): what is made now is "
                "published so marked",
            ),
        ),
        pytest.param(
            "missing",
            marks=pytest.mark.tried(
                "a machine without git",
                "no commit of this code is known (git is not installed): what is made now is published so marked",
            ),
        ),
        pytest.param(
            "another owner",
            marks=pytest.mark.tried(
                "a checkout of another user",
                "no commit of this code is known (git refuses a folder of another user (`git config --global --add "
                "safe.directory` and its path)): what is made now is published so marked",
            ),
        ),
        pytest.param(
            "broken",
            marks=pytest.mark.tried(
                "a damaged `.git/index`",
                "no commit of this code is known (git fails (...)): what is made now is published so marked",
            ),
        ),
    ],
)
def test_what_is_not_known_is_said_with_its_reason_and_dvc_works_all_the_same(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None], state: str
) -> None:
    if state == "no commit":
        git(project, "init", "--quiet")
    elif state != "none":
        commit(project)
    if state == "missing":
        without_git(monkeypatch, tmp_path)
    if state == "another owner":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    if state == "broken":
        (project / ".git/index").write_bytes(b"no index")
    assert read_git().clean is None, "what cannot be asked is not clean"
    read("\n".join(git_notes("auto", project)))
    before = (project / ".dvc/config").read_text()
    if state != "broken":
        run_dvc("repro")
        assert (project / "a.txt").read_text() == "1\n"
    assert (project / ".dvc/config").read_text() == before
    assert not (project / ".dvc/config.local").exists()


def test_dvc_uses_git_again_as_soon_as_it_is_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_SYSTEM_CONFIG_DIR")
    settle_git()
    assert "without-git" in os.environ["DVC_SYSTEM_CONFIG_DIR"]
    with refused("dvc-failed") as refusal:
        run_dvc("exp", "list")
    assert "dvc.org/support" not in str(refusal.value)
    commit(project)
    run_dvc("exp", "list")
    assert "DVC_SYSTEM_CONFIG_DIR" not in os.environ


def test_the_machine_s_own_settings_of_dvc_hold_without_git_too(project: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing/config").write_text(f"[core]\n    analytics = false\n[cache]\n    dir = {tmp_path}/store\n")
    assert run_dvc("cache", "dir") == f"{tmp_path}/store"
    run_dvc("repro")


def test_a_shallow_clone_knows_its_commit(project: Path, tmp_path: Path) -> None:
    commit(project)
    (project / "more").touch()
    head = commit(project)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{project}", "shallow")
    assert read_git(tmp_path / "shallow").as_facts() == {"commit": head, "clean": True}


@pytest.mark.parametrize(("clean", "auto", "refuse"), [(True, False, False), (False, True, True), (None, False, True)])
def test_refuse_refuses_whatever_is_not_known_to_be_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: bool | None, auto: bool, refuse: bool
) -> None:
    monkeypatch.chdir(make_tree(tmp_path / "tree"))
    facts: dict[str, Any] = {"commit": None, "clean": clean, "reason": "git is not installed"}
    for of, known in itertools.product(("provenance/train.json", "reports/report.json"), (False, True)):
        for path in ("provenance/train.json", "reports/report.json"):
            made = facts if path == of else {"commit": "0123", "clean": True}
            Path(path).write_text(json.dumps({"git": made}))
        expected = refuse if known else auto
        if expected:
            with refused("provenance-not-clean", f"`dvc repro --force --single-item {Path(of).stem}`"):
                require_committed(gather(), known)
        else:
            require_committed(gather(), known)


def test_all_stages_of_uncommitted_code_are_named_at_once_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_tree(tmp_path / "tree"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path / "tree")
    for name, clean in {"export": False, "evaluator": False, "train": False, "ingest": True, "select": None}.items():
        Path(f"provenance/{name}.json").write_text(json.dumps({"git": {"commit": None, "clean": clean}}))
    command = "`dvc repro --force --single-item evaluator train export`"
    with refused("provenance-not-clean", "evaluator, train, export ran with changes", command):
        require_committed(gather(), known=False)
    with refused("provenance-not-clean", "that made select (", command.replace("train", "train select")):
        require_committed(gather(), known=True)
    assert uncommitted_stages(Path()) == ["evaluator", "train", "export"]


@pytest.mark.tried(
    "`upload.uncommitted: refuse` outside of git",
    "no commit of this code is known (it is in no git repository), so what is made now will not be published: "
    "set upload.uncommitted to auto or mark",
)
@pytest.mark.tried(
    "outputs of code that was committed only later",
    "a ran with changes to the code that were not committed then, so what is made now will not be published until they "
    "run again: a run does that where the code is another now; if this note comes back after it, `dvc repro --force "
    "--single-item a`",
)
@pytest.mark.tried(
    "`core.no_scm` in .dvc/config.local, of a machine that had no git once",
    "DVC is told to do without git here: `python -m dvc config --local --unset core.no_scm` lets it use git",
)
def test_what_git_will_make_of_a_release_is_said_before_anything_runs(
    project: Path, read: Callable[[str], None]
) -> None:
    assert list(git_notes("mark", project)) == []
    [note] = git_notes("refuse", project)
    read(note)
    commit(project)
    assert list(git_notes("refuse", project)) == []
    (project / "provenance").mkdir()
    (project / "provenance/a.json").write_text('{"git": {"clean": false}}')
    assert list(git_notes("mark", project)) == []
    [note] = git_notes("auto", project)
    read(note)
    (project / "provenance/a.json").write_text("damaged")
    (project / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    [note] = git_notes("auto", project)
    read(note)


def test_a_command_of_dvc_is_run_by_the_python_that_runs_us(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert run_dvc("--version") == printed_by("-m", "dvc", "--version").strip()
