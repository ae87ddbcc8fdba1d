"""What this machine, or torch on it, would refuse of params: each only asked if params name what may be refused."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from stages.common.errors import BAD_INPUT, UserError
from stages.common.foresight import Known
from stages.common.params import Normalize, Params
from stages.common.provenance import FOLDER, made_by

_TREE = Path(__file__).parents[2]


def device_problems(params: Params) -> Iterator[str]:
    """Sentences on devices, or an arithmetic, that this machine lacks.

    None where torch is not installed, or containers do the work: only the stage knows. torch takes seconds to load, so
    it is asked only where the params name what may be missing, and in a process of its own: flows check params too,
    and hold no torch.
    """
    if _in_containers(params):
        return
    named = {name: getattr(params, name).device for name in ("evaluator", "train", "select", "sample")}
    for device in dict.fromkeys(named.values()):
        precision = params.train.precision if named["train"] == device else "auto"
        if precision != "bfloat16" and not device.startswith("cuda"):
            continue
        if fault := ask_torch("stages.common.device", _TREE, precision, device):
            stages = " and ".join(f"{name}.device" for name in named if named[name] == device)
            yield f"{stages}: {fault}" if str(fault).startswith("device ") else str(fault)


def cluster_problems(params: Params) -> Iterator[str]:
    """A sentence where no cluster is named; none where Dask is not installed, or containers do the work."""
    if params.data.runner == "dask" and not _in_containers(params):
        with suppress(ModuleNotFoundError):
            from stages.common.cluster import scheduler_address

            try:
                scheduler_address()
            except UserError as error:
                yield str(error)


def _in_containers(params: Params) -> bool:
    return (os.environ.get("MINTAGE_RUNNER") or params.flow.runner) == "docker"


def require_recipe(params: Params, known: Known, root: Path) -> None:
    """Raise what train will raise of its recipe and of the model in `train.first`; last, as that may be far away.

    To ask the rules takes torch, and so seconds. They refuse no family as it is that `foreseen` lets pass, so they are
    asked of changes to one, and of pairs, which are of many shapes. A first stage that is gone is no matter where a
    training on it is done.
    """
    train, to = params.train, params.normalize
    if _in_containers(params) or not (train.first or train.recipe or train.processes > 1 or to.partner):
        return
    asked = json.dumps({"train": train.model_dump(mode="json"), "expected": _expected(known, to)})
    fault = ask_torch("stages.training.fit", root, asked=asked)
    if fault and not (fault.code == "first-unusable" and made_by("train", train, root / FOLDER)):
        raise fault


def _expected(known: Known, to: Normalize) -> dict[str, Any]:
    """The same for `stages.training.fit.Expected`; None where nobody knows it yet."""
    from stages.images.partners import damage_by_chance, partner_shape  # numpy, which who starts containers lacks

    named = known.classes is not None and known.classes == len(known.class_names)
    told = bool(known.attribute_names) or known.attributes is False
    return {
        "shape": known.shape,
        "classes": known.class_names if named else None,
        "attributes": known.attribute_names if told else None,
        "domains": known.domains,
        "paired": known.paired,
        "partner": None if to.partner is None else partner_shape(to, known.medium.sides),
        "damage": damage_by_chance(to),
        "text": known.medium.is_text,
    }


def ask_torch(module: str, folder: Path, *arguments: str, asked: str = "") -> UserError | None:
    """What a module that needs torch refuses, by a process in that folder; None where it does not, or has no torch."""
    path = os.pathsep.join([str(_TREE), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "MINTAGE_ERRORS": "json"}
    command = [sys.executable, "-m", module, *arguments]
    said = subprocess.run(
        command, cwd=folder, env=environment, input=asked, capture_output=True, encoding="utf-8", errors="replace",
        check=False,
    )  # fmt: skip
    faults = [json.loads(line) for line in said.stderr.splitlines() if line.startswith("{")]
    if said.returncode != BAD_INPUT or not faults:
        return None
    fault = faults[-1]
    return UserError(fault["error"], fault["sentence"])
