"""What git knows of a folder, asked anew each time: no answer is kept, since git may come, go or be mended.

A machine may have no git, or git may refuse the folder (it is another user's). The folder may be in no repository, in
one without a commit, or inside a repository of something else, such as that of a home folder's settings: its commit
holds nothing of this project, and its .gitignore hides what was changed here.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAPH = "dvc.yaml"
"""The file by which a repository that holds this project is known."""
_PATIENCE = 60
"""Seconds for one answer: a large tree on a network disk takes its time."""
_CODE = ["mintage", "stages", "flows", "requirements", GRAPH]
# What a run itself writes into the tree, and the params, of which every output has a copy: a commit need not hold
# them for the code to be the commit's.
_MADE_BY_RUNS = [
    "dvc.lock",
    "params.yaml",
    "published.json",
    "metrics",
    "plots",
    "reports",
    "samples",
    "data",
    "models",
    "provenance",
]


@dataclass(frozen=True)
class GitState:
    """The commit of the code in a folder, and whether the code is as that commit has it."""

    commit: str | None
    changed: tuple[str, ...] | None
    """Paths that no commit holds as they are; None where that is not known."""
    reason: str = ""
    """Why one of both is not known, as the end of a sentence; empty where both are."""

    @property
    def clean(self) -> bool | None:
        return None if self.changed is None else not self.changed

    def as_facts(self) -> dict[str, Any]:
        """For a provenance file: `commit`, `clean`, and `reason` where one of both is null."""
        return {"commit": self.commit, "clean": self.clean, **({"reason": self.reason} if self.reason else {})}


def read_git(folder: Path = Path()) -> GitState:
    """What is known of `folder`'s code; never raises."""
    try:
        if reason := _not_ours(folder):
            return GitState(None, None, reason)
        commit = _git(folder, "rev-parse", "--verify", "HEAD")
    except UnknownError as unknown:
        return GitState(None, None, str(unknown))
    try:
        return GitState(commit, _changed(folder))
    except UnknownError as unknown:
        return GitState(commit, None, str(unknown))


def is_own(folder: Path = Path()) -> bool:
    """Whether `folder` lies in a git repository of its own, with a commit or without.

    Where git cannot say (it is missing, or refuses), a `.git` in the folder itself is taken for its own.
    """
    try:
        return not _not_ours(folder)
    except UnknownError:
        return (folder / ".git").exists()


def is_shallow(folder: Path = Path()) -> bool:
    """Whether the clone has only the newest commits."""
    try:
        return _git(folder, "rev-parse", "--is-shallow-repository") == "true"
    except UnknownError:
        return False


def _not_ours(folder: Path) -> str:
    """Why the repository around `folder` is not this project's; empty where it is."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if os.path.realpath(top) == os.path.realpath(folder) and "GIT_DIR" not in os.environ:
        return ""  # with GIT_DIR every folder would be the top
    if _git(folder, "ls-files", "--", GRAPH):
        return ""
    return f"it is in no git repository of its own (the one at {top} does not hold it)"


def _changed(folder: Path) -> tuple[str, ...]:
    """Paths that no commit holds as they are, of files that git tracks and of new code."""
    if overlooked := _overlooked(folder):
        raise UnknownError(f"git is told not to look at {overlooked} (see `git update-index`)")
    made = [f":!{path}" for path in _MADE_BY_RUNS]
    tracked = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", *made)
    code = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", *_CODE)
    return tuple(sorted({line.split(maxsplit=1)[1] for line in [*tracked.splitlines(), *code.splitlines()]}))


def _overlooked(folder: Path) -> str:
    """The first file of the code whose changes git is told not to see (assume-unchanged, skip-worktree); or none."""
    listed = (line.split(" ", 1) for line in _git(folder, "ls-files", "-v", "--", *_CODE).splitlines())
    kept_from = (name for flag, name in listed if flag.islower() or flag == "S")
    return next((name for name in kept_from if (folder / name).exists()), "")


class UnknownError(Exception):
    """Git gave no answer; the text says why."""


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}  # its words are read below
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=_PATIENCE, check=False)
    except FileNotFoundError:
        raise UnknownError("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnknownError(f"git gave no answer in {_PATIENCE} seconds") from None
    except OSError as error:
        raise UnknownError(f"git cannot be started ({error.strerror})") from None
    if done.returncode != 0:
        raise UnknownError(_reason(done.stderr.decode(errors="replace")))
    return done.stdout.decode(errors="replace").strip()


def _reason(said: str) -> str:
    """The end of a sentence from what git printed."""
    if "not a git repository" in said:
        return "it is in no git repository"
    if "dubious ownership" in said:
        return "git refuses a folder of another user (`git config --global --add safe.directory` and its path)"
    if "Needed a single revision" in said:
        return "its git repository has no commit yet"
    lines = said.strip().splitlines()
    return f"git fails ({lines[0].removeprefix('fatal: ')[:200]})" if lines else "git fails"
