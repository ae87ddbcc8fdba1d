"""What dvc.yaml may say of a stage, so that a mistake is a sentence with its line: DVC says "validation failed"."""

import os
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mintage.nearest import like
from stages.common.errors import UserError
from stages.common.nested import keys_of
from stages.common.sections import Section, names, validated

_PARAM = re.compile(r"(?<!\\)\$\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")
_OTHER_VALUES = re.compile(r"^\s*(vars|foreach|matrix):", re.MULTILINE)
_LISTED = "https://dvc.org/doc/user-guide/project-structure/dvcyaml-files lists"


class Meta(Section):
    """The part of a stage's free-form `meta:` for the orchestrator."""

    image: str = "train"
    """The container image, if stages run in containers."""
    code: bool = False
    """Whether it only reads the code: trials with the same code share its result, with any params."""
    gpu: bool = False
    network: bool = False
    """Whether its container may reach the network."""
    timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which the stage is ended."""
    retries: Annotated[int, Field(ge=0)] = 0
    """Retries after a failure that may pass: never after bad input or a failed gate (exit code 2)."""
    cpus: Annotated[float, Field(gt=0)] | None = None
    memory: str | None = None


def _commands(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, list) and value and all(isinstance(one, str) for one in value)):
        return value
    raise ValueError(f"{value!r} is none of a command and a list of commands")


class Entry(Section):
    """A stage in dvc.yaml, as far as its keys and their kinds go; DVC looks at the rest."""

    cmd: Annotated[Any, BeforeValidator(_commands)]
    wdir: str = "."
    desc: str = ""
    deps: list[str] = Field(default_factory=list)
    params: list[Any] = Field(default_factory=list)
    outs: list[Any] = Field(default_factory=list)
    metrics: list[Any] = Field(default_factory=list)
    plots: list[Any] = Field(default_factory=list)
    vars: list[Any] = Field(default_factory=list)
    matrix: Any = None
    frozen: bool = False
    always_changed: bool = False
    meta: Any = None


def read_meta(values: dict[str, Any] | None, name: str, file: str | Path = "dvc.yaml") -> Meta:
    """The `meta:` of stage `name`, without keys that mean nothing here; UserError if it is invalid or misspelled."""
    known = names(Meta)
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if key in known or like(str(key), known)}
    try:
        return validated(Meta, {} if values is None else values, file, f"stages.{name}.meta")
    except UserError as error:
        raise UserError("stage-meta-invalid", str(error)) from None


def require_sound(stages: dict[str, Any], file: Path) -> None:
    """Raise UserError on the first stage of `file` that DVC or a flow would refuse, with its line."""
    for name, stage in stages.items():
        looped = isinstance(stage, dict) and "foreach" in stage
        entry = stage.get("do") if looped else stage
        prefix = f"stages.{name}.do" if looped else f"stages.{name}"
        try:
            read_meta(_entry(entry, file, prefix).meta, name, file)
        except UserError as error:
            place = f"{file}, line {_line(file, name)}: "
            raise UserError(error.code, str(error).replace(f"{file}: ", place)) from None


def require_params(file: Path) -> None:
    """Raise UserError on the first `${key}` that is not in params.yaml; DVC looks at a file that names other values."""
    text, params = file.read_text(encoding="utf-8"), file.with_name("params.yaml")
    if _OTHER_VALUES.search(text) or not params.exists():
        return
    try:
        known = keys_of(YAML(typ="safe", pure=True).load(params))
    except (YAMLError, UnicodeDecodeError):  # load_params has a sentence for it
        return
    for number, line in enumerate(text.splitlines(), 1):
        for key in _PARAM.findall(line.partition("#")[0]):
            if key not in known:
                meant = f"did you mean {close!r}?" if (close := like(key, known)) else "add it, or name another"
                raise UserError(
                    "stage-param-unknown", f"{file}, line {number}: params.yaml has no key {key!r}: {meant}"
                )


def require_order(stages: dict[str, Any], file: Path) -> None:
    """Raise UserError if stages need each other's outputs, so that none can be the first."""
    made = {path: name for name, stage in stages.items() for path in outputs_of(stage)}
    needs = {name: {made[path] for path in _paths(stage, "deps") if path in made} for name, stage in stages.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise UserError(
            "stages-circular",
            f"{file}: in {circle} each stage needs what the one before makes, so none can be the first: take a dep out",
        ) from None


def outputs_of(stage: dict[str, Any]) -> list[str]:
    """Every path that a stage writes."""
    return _paths(stage, "outs", "metrics", "plots")


def _paths(stage: dict[str, Any], *kinds: str) -> list[str]:
    listed = [path for kind in kinds for path in stage.get(kind, [])]
    return [os.path.normpath(next(iter(path)) if isinstance(path, dict) else path) for path in listed]


def _entry(values: Any, file: Path, prefix: str) -> Entry:
    try:
        return validated(Entry, values, file, prefix, _LISTED)
    except UserError as error:
        raise UserError("stage-invalid", str(error)) from None


def _line(file: Path, name: str) -> int:
    """Where a stage begins."""
    return int(YAML(pure=True).load(file)["stages"].lc.key(name)[0]) + 1
