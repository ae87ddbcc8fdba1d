"""What git knows about a folder, asked anew each time: no answer is cached, since git may be installed or repaired.

A machine may have no git, or git may refuse the folder (it is another user's). The folder may be in no repository, in
one without a commit, or inside another project's repository, such as that of a home folder's settings: its commit has
nothing of this project, and its .gitignore hides changes here.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAPH = "dvc.yaml"
"""The file by which this project's repository is recognized."""
_PATIENCE = 60
"""Seconds to wait for an answer: a large tree on a network disk takes long."""
_CODE = ["mintage", "stages", "flows", "requirements", GRAPH]
_STAGE = re.compile(r"python -m (stages\.[\w.]+)")
"""The command of a stage in dvc.yaml."""
# Files that a run itself writes, and the params, of which every output has a copy: they may differ from the commit
# while the code is the commit's.
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
    """The commit of the code in a folder, and whether the code equals that commit."""

    commit: str | None
    changed: tuple[str, ...] | None
    """Paths that differ from every commit; None if unknown."""
    reason: str = ""
    """Why commit or changes are unknown, as the end of a sentence; empty if both are known."""

    @property
    def clean(self) -> bool | None:
        return None if self.changed is None else not self.changed

    def as_facts(self) -> dict[str, Any]:
        """For a provenance file: `commit`, `clean`, and `reason` if one of both is null."""
        return {"commit": self.commit, "clean": self.clean, **({"reason": self.reason} if self.reason else {})}


def read_git(folder: Path = Path()) -> GitState:
    """The state of `folder`'s code; never raises."""
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
    """Whether `folder` is in its own git repository, with a commit or without.

    If git gives no answer (it is missing, or refuses), a `.git` in the folder itself counts as its own.
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
    """Why the repository around `folder` is not this project's; empty if it is."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if os.path.realpath(top) == os.path.realpath(folder) and "GIT_DIR" not in os.environ:
        return ""  # with GIT_DIR every folder seems to be the top
    if _git(folder, "ls-files", "--", GRAPH):
        return ""
    return f"it is in no git repository of its own (the one at {top} does not hold it)"


def _changed(folder: Path) -> tuple[str, ...]:
    """Changed files that git tracks, and new code, but for files that no stage uses."""
    if overlooked := _overlooked(folder):
        raise UnknownError(f"git is told not to look at {overlooked} (see `git update-index`)")
    made = [f":!{path}" for path in _MADE_BY_RUNS]
    tracked = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", *made)
    changed = {line.split(maxsplit=1)[1] for line in tracked.splitlines()}
    of_new = ("ls-files", "--others", "--exclude-standard", "-z", "--directory", "--no-empty-directory")
    new = [name for name in _git(folder, *of_new, "--", *_CODE).split("\0") if name]
    return tuple(sorted({*changed, *(_in_use(new, folder) if new else [])}))


def _in_use(new: list[str], folder: Path) -> list[str]:
    """Those of the new files, and folders with new files, that a stage may use; all if other code than this runs."""
    stages = _STAGE.findall(_text(folder / GRAPH))
    if not stages or not Path(__file__).resolve().is_relative_to(folder.resolve()):
        return new
    from stages.common.identity import files_behind  # which reads the whole code

    used = files_behind(stages)
    places = {name: (folder / name).resolve() for name in new}
    return [name for name, place in places.items() if name == GRAPH or any(one.is_relative_to(place) for one in used)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _overlooked(folder: Path) -> str:
    """The first code file whose changes git ignores (assume-unchanged, skip-worktree); empty if there is none."""
    listed = (line.split(" ", 1) for line in _git(folder, "ls-files", "-v", "--", *_CODE).splitlines())
    kept_from = (name for flag, name in listed if flag.islower() or flag == "S")
    return next((name for name in kept_from if (folder / name).exists()), "")


class UnknownError(Exception):
    """Git gave no answer; the text says why."""


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}  # its messages are parsed below
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
    """The end of a sentence, from git's output."""
    if "not a git repository" in said:
        return "it is in no git repository"
    if "dubious ownership" in said:
        return "git refuses a folder of another user (`git config --global --add safe.directory` and its path)"
    if "Needed a single revision" in said:
        return "its git repository has no commit yet"
    lines = said.strip().splitlines()
    return f"git fails ({lines[0].removeprefix('fatal: ')[:200]})" if lines else "git fails"
