"""A second checkout of the pipeline: a git worktree with the main one's DVC cache, settings and source files."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.common.errors import UserError


def make_worktree(workspace: Path, checkout: Path, commit: str, snapshot: str) -> Path:
    """Make a worktree on `commit` with the files of `snapshot`, replacing any; returns `workspace`'s place in it."""
    shutil.rmtree(checkout, ignore_errors=True)
    git(workspace, "worktree", "prune")
    git(workspace, "worktree", "add", "--quiet", "--detach", str(checkout), commit)
    git(checkout, "read-tree", "--reset", "-u", snapshot)
    made = checkout / git(workspace, "rev-parse", "--show-prefix")
    _share_cache(workspace, made)
    return made


def git(folder: Path, *arguments: str) -> str:
    """Git's output. Raises UserError with git's message if it fails."""
    done = run_git(folder, *arguments)
    if done.returncode != 0:
        raise failure(folder, arguments[0], done)
    return done.stdout.strip()


def failure(folder: Path, command: str, done: "subprocess.CompletedProcess[str]") -> UserError:
    """The error of a git command that failed, with the line of git's message that gives the reason."""
    silent = f"it says nothing (exit code {done.returncode}), as where the checkout cannot be written"
    said = (done.stderr.strip() or done.stdout.strip() or silent).splitlines()
    reason = next((line for line in said if line.startswith(("fatal: ", "error: "))), said[-1])
    return UserError("git-failed", f"`git {command}` failed in {folder}: {reason}")


def run_git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # No hooks: the hook of `dvc install` runs `dvc checkout` in each new worktree.
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(
            "git-missing", "git is not installed, and the trials of a sweep are checkouts of it: install git"
        ) from None


def _share_cache(workspace: Path, made: Path) -> None:
    """Use the main checkout's DVC settings, also those that git ignores, and its cache, with its run cache."""
    from dvc.config import merge
    from dvc.repo import Repo

    with Repo(str(workspace)) as main, Repo(str(made)) as repo:
        with repo.config.edit("local") as config:
            for level in ("repo", "local"):  # in both, a relative path is relative to the main checkout
                merge(config, main.config.read(level))
            config["cache"]["dir"] = main.cache.local_cache_dir
        os.chmod(repo.config.files["local"], 0o600)  # it may hold a remote's password


def bring_sources(workspace: Path, made: Path) -> None:
    """Bring the files that the pipeline in `made` reads and git does not track, such as images in data/source.

    Files that git ignores are linked one by one, since DVC does not follow a link to a folder; other files may be code,
    which is edited in place, and are copied. Raises UserError if the pipeline reads a place outside by a path that is
    relative to the main checkout.
    """
    from dvc.repo import Repo

    with Repo(str(workspace)) as main, Repo(str(made)) as repo:
        ours = set(git(workspace, "ls-files", "-z", "--others", "--exclude-standard").split("\0"))
        outputs = {Path(os.path.relpath(out.fs_path, made)) for out in repo.index.outs}
        for path in sorted(_paths_read(repo, made)):
            for file in _files(main, workspace / path):
                place = file.relative_to(workspace)
                if outputs.isdisjoint([place, *place.parents]) and not os.path.lexists(made / place):
                    _bring(file, made / place, link=str(place) not in ours)


def _paths_read(repo: Any, made: Path) -> set[str]:
    """The stages' dependencies inside the checkout, relative to its root."""
    local = [dep for dep in repo.index.deps if dep.protocol == "local" and not os.path.isabs(dep.def_path)]
    for dep in local:
        if not dep.is_in_repo:
            raise UserError(
                "path-outside-checkout",
                f"dvc.yaml reads {dep.def_path!r}, outside of the checkout, where another checkout would not find it: "
                "name it by its absolute path",
            )
    return {os.path.relpath(dep.fs_path, made) for dep in local}


def _files(main: Any, path: Path) -> Iterator[Path]:
    """The files that DVC sees below a path; links are not followed."""
    from dvc.fs import localfs

    if path.is_symlink() or path.is_file():
        yield path
        return
    for folder, folders, files in main.dvcignore.walk(localfs, str(path)):
        yield from (Path(folder, name) for name in files)
        yield from (link for name in folders if (link := Path(folder, name)).is_symlink())


def _bring(file: Path, target: Path, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.is_symlink():
        target.symlink_to(file.resolve())
        return
    try:
        (os.link if link else shutil.copy2)(file, target)
    except OSError:  # another disk, or a file system without links
        shutil.copy2(file, target)
