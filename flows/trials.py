"""A sweep on the disk: its trials, each a git worktree on the sweep's commit, and at its end a DVC experiment.

`.flow/sweeps/NAME/` holds `sweep.json` (the commit and the trials), `params.yaml` (what overrides change), and for
trial 1 its worktree `1/` and, when it has ended, `1.json`.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from flows.overrides import apply
from flows.workspace import FOLDER, PARAMS, users_params
from flows.worktree import bring_sources, failure, git, make_worktree, run_git
from stages.check import check, outputs
from stages.common.errors import UserError
from stages.common.files import read_json, write_bytes, write_json
from stages.common.git import is_own
from stages.common.params import Params

SWEEPS = FOLDER / "sweeps"
_RECORD = "sweep.json"
_NO_LOCK = ":(exclude,glob)**/dvc.lock"
"""Leaves out dvc.lock, which every run changes; trials find the same facts in the run cache."""

Overrides = list[str]


@dataclass(frozen=True)
class Trial:
    """A set of overrides, in its own checkout."""

    number: int
    overrides: Overrides
    experiment: str
    """The name of its DVC experiment."""
    checkout: Path
    workspace: Path
    """Where dvc.yaml is in the checkout."""

    @property
    def ending(self) -> Path:
        """The file with how it ended."""
        return self.checkout.with_suffix(".json")


@dataclass(frozen=True)
class Sweep:
    workspace: Path
    name: str
    commit: str
    """HEAD when it was begun: the baseline of its experiments."""
    snapshot: str
    """A commit of the tracked files as they were then; `commit` itself if none differed."""
    overrides: list[Overrides]
    """The overrides of each trial, in order."""

    @property
    def folder(self) -> Path:
        return self.workspace / SWEEPS / self.name

    @property
    def trials(self) -> list[Trial]:
        inside = git(self.workspace, "rev-parse", "--show-prefix")
        return [
            Trial(number, overrides, f"{self.name}-{number}", checkout, checkout / inside)
            for number, overrides in enumerate(self.overrides, start=1)
            if (checkout := self.folder / str(number))
        ]


def open_sweep(workspace: Path, name: str, wanted: list[Overrides]) -> Sweep:
    """Begin a sweep, or continue the sweep of this name, with the wanted trials added to it.

    All overrides are checked, and then all checkouts made, before it returns. Raises UserError if there are no trials,
    an override is wrong, or there is an experiment of the same name with other params.
    """
    begun = read_sweep(workspace, name)
    try:
        return _opened(begun or _begin(workspace, name), wanted, is_new=begun is None)
    except Exception:
        if begun is None:
            remove(workspace, name)
        raise


def _opened(base: Sweep, wanted: list[Overrides], is_new: bool) -> Sweep:
    sweep = replace(base, overrides=base.overrides + [one for one in wanted if one not in base.overrides])
    if not sweep.overrides:
        raise UserError(
            "sweep-unknown",
            f"there is no sweep {base.name!r} to go on with: give overrides (-S or --list) to begin one",
        )
    source = users_params(base.workspace) if is_new else base.folder / PARAMS
    params = {trial.number: apply(source, trial.overrides) for trial in sweep.trials}
    added = sweep.trials[len(base.overrides) :]
    for trial in added:
        _refuse_other(sweep, trial, params[trial.number][0])
    _prepare(sweep, params, added, source.read_bytes())
    return sweep


def _prepare(sweep: Sweep, params: dict[int, tuple[bytes, Params]], added: list[Trial], base: bytes) -> None:
    """Make the missing checkouts, then the record of all trials."""
    write_bytes(sweep.folder / PARAMS, base)
    git(sweep.workspace, "update-ref", _keeper(sweep.name), sweep.snapshot)
    for trial in sweep.trials:
        if trial in added or not trial.checkout.exists():
            _make(sweep, trial, *params[trial.number])
    write_json(sweep.folder / _RECORD, {"commit": sweep.commit, "snapshot": sweep.snapshot, "trials": sweep.overrides})


def read_sweep(workspace: Path, name: str) -> Sweep | None:
    """The sweep of this name; None if there is none. Raises UserError if the name is not allowed."""
    valid = run_git(workspace, "check-ref-format", f"refs/exps/{name}").returncode == 0
    if not valid or "/" in name or name.startswith("-"):
        raise UserError("sweep-name-invalid", f"{name!r} cannot name a sweep: use letters, digits, '-', '_' and '.'")
    path = workspace / SWEEPS / name / _RECORD
    if not path.exists():
        return None
    record = read_json(path)
    return Sweep(workspace, name, record["commit"], record["snapshot"], record["trials"])


def name_for(workspace: Path, wanted: list[Overrides]) -> str:
    """A name that is equal for the same overrides on the same files, so that the same command continues a sweep."""
    about = [current_commit(workspace), git(workspace, "diff", "HEAD", "--", ".", _NO_LOCK), wanted]
    return f"sweep-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:6]}"


def has_moved(sweep: Sweep) -> bool:
    """Whether tracked files differ from those with which the sweep began."""
    return run_git(sweep.workspace, "diff", "--quiet", sweep.snapshot, "--", ".", _NO_LOCK).returncode != 0


def save_experiment(sweep: Sweep, trial: Trial) -> None:
    """Make the trial a DVC experiment on the sweep's commit, which `dvc exp show` shows in the main checkout.

    Not by `dvc exp save`: its temporary refs (refs/exps/exec) are shared by all worktrees, so it would break a
    `dvc exp run` in another worktree.
    """
    from dvc.repo import Repo

    with Repo(str(trial.workspace)) as repo:
        in_git = [out.fs_path for out in repo.index.outs if not out.use_cache and out.exists]
    git(trial.checkout, "add", "--update")
    git(trial.checkout, "add", "--force", "--", ":(glob)**/dvc.lock", *in_git)
    message = f"sweep {sweep.name}, trial {trial.number}: {' '.join(trial.overrides)}"
    tree = git(trial.checkout, "write-tree")
    commit = git(trial.checkout, *_identity(trial.checkout), "commit-tree", tree, "-p", sweep.commit, "-m", message)
    git(sweep.workspace, "update-ref", _reference(sweep, trial), commit)


def remove(workspace: Path, name: str) -> None:
    """Remove a sweep's checkouts and its record; its experiments, and their outputs in the cache, stay."""
    shutil.rmtree(workspace / SWEEPS / name, ignore_errors=True)
    run_git(workspace, "worktree", "prune")
    run_git(workspace, "update-ref", "-d", _keeper(name))


def _begin(workspace: Path, name: str) -> Sweep:
    """A sweep with the tracked files, committed or not: the same files that `dvc exp run --temp` uses."""
    commit = current_commit(workspace)
    return Sweep(workspace, name, commit, snapshot_of(workspace, commit), [])


def snapshot_of(workspace: Path, commit: str) -> str:
    """A commit of the tracked files as they are now; `commit`, which is HEAD, if none differs."""
    refreshed = run_git(workspace, "update-index", "--refresh")  # else stash fails in a checkout that was copied
    if refreshed.returncode > 1:  # 1: files differ from the index
        raise failure(workspace, "update-index", refreshed)
    return git(workspace, "stash", "create") or commit


def current_commit(workspace: Path) -> str:
    """HEAD. Raises UserError if there is none, without which no worktree can be made."""
    done = run_git(workspace, "rev-parse", "--verify", "HEAD")
    if done.returncode != 0 or not is_own(workspace):
        raise UserError(
            "git-checkout-needed",
            f"{workspace} is no git checkout with a commit, as worktrees need: `git init` and commit first",
        )
    return done.stdout.strip()


def base_params(workspace: Path, name: str) -> Path:
    """The params that a sweep's overrides change: the user's own, or those with which the sweep began."""
    begun = read_sweep(workspace, name)
    return begun.folder / PARAMS if begun else users_params(workspace)


def _keeper(name: str) -> str:
    """The ref that makes git keep a snapshot."""
    return f"refs/sweeps/{name}"


def _reference(sweep: Sweep, trial: Trial) -> str:
    from dvc.repo.experiments.refs import ExpRefInfo

    return str(ExpRefInfo(sweep.commit, trial.experiment))


def _identity(folder: Path) -> list[str]:
    """Git options for the committer, if git has none: a worker in a container has no name."""
    known = run_git(folder, "var", "GIT_COMMITTER_IDENT").returncode == 0
    return [] if known else ["-c", "user.name=mintage", "-c", "user.email=mintage@localhost"]


def _refuse_other(sweep: Sweep, trial: Trial, params: bytes) -> None:
    """Raise UserError if the trial would take the name of an experiment with other params."""
    there = run_git(sweep.workspace, "show", f"{_reference(sweep, trial)}:./{PARAMS}")
    if there.returncode == 0 and there.stdout != params.decode():
        raise UserError(
            "experiment-exists",
            f"there is another experiment {trial.experiment!r} on this commit: give the sweep another --name, "
            f"or remove that one with `dvc exp remove {trial.experiment}`",
        )


def _make(sweep: Sweep, trial: Trial, params: bytes, values: Params) -> None:
    trial.ending.unlink(missing_ok=True)
    make_worktree(sweep.workspace, trial.checkout, sweep.commit, sweep.snapshot)
    write_bytes(trial.workspace / PARAMS, params)
    bring_sources(sweep.workspace, trial.workspace)
    lock, its = sweep.workspace / "dvc.lock", trial.workspace / "dvc.lock"
    if lock.exists() and not its.exists():  # not committed yet; without its facts about the stages that no trial
        shutil.copy2(lock, its)  # runs, `dvc exp apply` of the trial would miss their outputs
    check(values, outputs(trial.workspace / "dvc.yaml"), trial.workspace)
