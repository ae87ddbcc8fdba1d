"""What made an output: commit, params, package versions, device, seconds. One small file a stage."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stages.common.energy import Meter
from stages.common.files import write_json
from stages.common.sections import Section

FOLDER = Path("provenance")
_CODE = ["gan", "stages", "flows", "requirements"]
_PACKAGES = ["numpy", "torch", "pyarrow", "pillow", "scikit-learn", "great-expectations", "safetensors", "dvc", "boto3"]
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


@contextmanager
def recorded(stage: str, params: Section, meter: Meter | None = None) -> Iterator[dict[str, Any]]:
    """Time a stage and write `provenance/<stage>.json` when it ends well; the block may add facts to the dict.

    A stage that goes on where it was stopped brings a `meter`, which it tells what its earlier pieces took.
    The file is an output of its own, which later stages gather but whose seconds and commit
    never make DVC run a stage again.
    """
    facts: dict[str, Any] = {"stage": stage, "git": git_state(), "params": params.model_dump()}
    facts["machine"] = {"python": platform.python_version(), "platform": platform.platform(), "device": "cpu"}
    if image := os.environ.get("MINTAGE_IMAGE"):  # what started the container says it
        facts["machine"]["image"] = image
    meter = meter or Meter()
    yield facts
    on_gpu = facts["machine"]["device"] != "cpu"
    facts["machine"] |= meter.used(on_gpu)
    facts["seconds"] = round(meter.cost(on_gpu).seconds, 1)
    facts["packages"] = {name: found for name in _PACKAGES if name in _loaded() and (found := _version(name))}
    write_json(FOLDER / f"{stage}.json", facts)


def git_state() -> dict[str, Any]:
    """The commit, and whether all code is as it holds it; nulls outside a checkout.

    A container has no git: what started it says the state in MINTAGE_GIT.
    """
    if told := os.environ.get("MINTAGE_GIT"):
        return dict(json.loads(told))
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit, "clean": None if commit is None else not uncommitted()}


def uncommitted() -> list[str]:
    """Paths that no commit holds as they are, of files that git tracks and of new code; none outside a checkout."""
    made = [f":!{path}" for path in _MADE_BY_RUNS]
    tracked = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *made) or ""
    code = _git("status", "--porcelain", "--", *_CODE) or ""
    return sorted({line.split(maxsplit=1)[1] for line in [*tracked.splitlines(), *code.splitlines()]})


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _loaded() -> set[str]:
    renamed = {"PIL": "pillow", "sklearn": "scikit-learn", "great_expectations": "great-expectations"}
    return {renamed.get(name, name) for name in list(sys.modules) if "." not in name}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
