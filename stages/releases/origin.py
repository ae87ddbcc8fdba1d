"""Which data, params, commit and machine made a release, and whether this clone can make it again."""

import hashlib
import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common.dvc import run_dvc
from stages.common.errors import UserError
from stages.common.git import is_shallow
from stages.releases.manifest import Release


@dataclass(frozen=True)
class Fact:
    """A fact about the origin of a release: what is recorded, and whether this clone has it (None: it need not)."""

    what: str
    recorded: str
    held: bool | None
    note: str


def origin(release: Release, clone: Path = Path()) -> list[Fact]:
    """The facts, the most asked for first."""
    made = _json(release.read("provenance.json"))
    trained = _json(release.read("provenance/train.json")) or made.get("train") or {}
    lock = _json(release.read("lock.json")).get("stages", {})
    git = trained.get("git") or {}
    commit = git.get("commit")
    return [
        _commit(commit, clone, git.get("reason")),
        _clean(git.get("clean"), git.get("reason")),
        _inside("params", "params.yaml", release),
        _data(made.get("data_fingerprint"), lock, clone),
        _inside("packages", "constraints.txt", release),
        _machine(trained.get("machine") or {}),
    ]


def reproducible(facts: list[Fact]) -> bool:
    return all(fact.held is not False for fact in facts)


def _commit(commit: str | None, clone: Path, reason: str | None) -> Fact:
    if commit is None:
        return Fact("commit", "not recorded", False, reason or "it was made outside a git checkout")
    held = _run(clone, "git", "cat-file", "-e", f"{commit}^{{commit}}") is not None
    fetch = "git fetch --unshallow" if not held and is_shallow(clone) else "git fetch"
    return Fact("commit", commit, held, f"git checkout {commit[:12]}" if held else f"not in this clone: {fetch}")


def _clean(clean: bool | None, reason: str | None) -> Fact:
    if clean is None:
        unknown = "whether the code was the commit's is not known"
        return Fact("code", "not recorded", False, f"{unknown}: {reason}" if reason else unknown)
    note = "the commit's" if clean else "had changes that were not committed, which nobody else has"
    return Fact("code", "clean" if clean else "changed", clean, note)


def _inside(what: str, name: str, release: Release) -> Fact:
    content = release.read(name)
    if content is None:
        return Fact(what, "not recorded", False, f"{name} is missing from the release")
    return Fact(what, f"SHA-256 {hashlib.sha256(content).hexdigest()[:12]}", True, f"{name} in the release")


def _data(fingerprint: str | None, lock: dict[str, Any], clone: Path) -> Fact:
    outputs = {out["path"]: out.get("md5") for stage in lock.values() for out in stage.get("outs", [])}
    raw = outputs.get("data/raw")
    here = clone / "data/normalized/manifest.json"
    same = fingerprint is not None and here.is_file() and _json(here.read_bytes()).get("fingerprint") == fingerprint
    held = same or (raw is not None and _cached(raw, clone))
    recorded = str(fingerprint or raw or "not recorded")
    return Fact("data", recorded, held, "in this clone" if held else "not in this clone: make pull, or ingest it again")


def _cached(md5: str, clone: Path) -> bool:
    try:
        place = run_dvc("cache", "dir", folder=clone)
    except UserError:
        place = ".dvc/cache"
    return (clone / place / "files/md5" / md5[:2] / md5[2:]).exists()


def _machine(machine: dict[str, Any]) -> Fact:
    words = {"device": "", "platform": "", "python": "Python ", "image": ""}
    recorded = ", ".join(f"{word}{machine[key]}" for key, word in words.items() if machine.get(key))
    same = machine.get("platform") == platform.platform()
    note = "this very system" if same else "a CPU of the same kind gives the same bits; others the same up to rounding"
    return Fact("machine", recorded or "not recorded", None, note)


def _json(content: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _run(clone: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
