"""What made an output: commit, params, package versions, device, seconds. A small file for each stage."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stages.common.dvc import busy_paths, graph_stages
from stages.common.energy import Meter
from stages.common.errors import UserError
from stages.common.files import read_json, write_json
from stages.common.git import read_git
from stages.common.sections import Section

FOLDER = Path("provenance")
_PACKAGES = ["numpy", "torch", "pyarrow", "pillow", "scikit-learn", "great-expectations", "safetensors", "dvc", "boto3"]


@contextmanager
def recorded(
    stage: str, params: Section, meter: Meter | None = None, folder: Path = FOLDER
) -> Iterator[dict[str, Any]]:
    """Time a stage and write `<folder>/<stage>.json` when it ends well; the block may add facts to the dict.

    A stage that resumes gives a `meter` with the cost of its earlier pieces. The file is a separate output: later
    stages gather it, but its seconds and commit never make DVC run a stage again. Raises UserError at once if another
    command is making the same output.
    """
    target = folder / f"{stage}.json"
    if maker := busy_paths(Path()).get(target.absolute()):
        raise UserError("stage-busy", f"{maker} is at {stage} here: wait for its end, or stop it; nothing was touched")
    facts: dict[str, Any] = {"stage": stage, "git": git_state(), "params": params.model_dump()}
    facts["machine"] = {"python": platform.python_version(), "platform": platform.platform(), "device": "cpu"}
    if image := os.environ.get("MINTAGE_IMAGE"):  # set by what started the container
        facts["machine"]["image"] = image
    meter = meter or Meter()
    yield facts
    on_gpu = facts["machine"]["device"] != "cpu"
    facts["machine"] |= meter.used(on_gpu)
    facts["seconds"] = round(meter.cost(on_gpu).seconds, 1)
    facts["packages"] = {name: found for name in _PACKAGES if name in _loaded() and (found := version_of(name))}
    write_json(target, facts)


def made_by(stage: str, params: Section, folder: Path = FOLDER) -> bool:
    """Whether these params made the stage's current outputs, according to its provenance file."""
    target = folder / f"{stage}.json"
    return target.is_file() and read_json(target).get("params") == json.loads(params.model_dump_json())


def uncommitted_stages(root: Path) -> list[str]:
    """The stages whose outputs in `root` were made with changes to the code that no commit had, in their order."""
    files = [*(root / FOLDER).glob("*.json"), *(root / "reports").glob("report.json")]
    return in_order([file.stem for file in files if _is_uncommitted(file)], root)


def _is_uncommitted(file: Path) -> bool:
    try:
        return read_json(file)["git"]["clean"] is False
    except (UserError, KeyError, TypeError):  # a damaged file is not this one's matter
        return False


def in_order(names: Iterable[str], root: Path) -> list[str]:
    """These stages in the order of dvc.yaml, where there is one."""
    graph = root / "dvc.yaml"
    order = list(graph_stages(graph)) if graph.exists() else []
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def again(stages: list[str]) -> str:
    """The command that runs these stages again, and no other."""
    return f"dvc repro --force --single-item {' '.join(stages)}"


def git_state() -> dict[str, Any]:
    """`commit`, `clean`, and a reason if one of them is unknown; asked anew at each call.

    A container has no git: what started it sets the state in MINTAGE_GIT.
    """
    if given := os.environ.get("MINTAGE_GIT"):
        return dict(json.loads(given))
    return read_git().as_facts()


def _loaded() -> set[str]:
    renamed = {"PIL": "pillow", "sklearn": "scikit-learn", "great_expectations": "great-expectations"}
    return {renamed.get(name, name) for name in list(sys.modules) if "." not in name}


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
