"""What dvc.yaml may say of a stage, so that a mistake is a sentence with its line: DVC says "validation failed"."""

import os
import re
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from pathlib import Path, PurePath
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from mintage.nearest import like
from stages.common.errors import UserError
from stages.common.nested import keys_of
from stages.common.sections import Section, names, validated
from stages.common.yaml_files import parse_yaml

_PARAM = re.compile(r"(?<!\\)\$\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")
_OTHER_VALUES = re.compile(r"^\s*(vars|foreach|matrix):", re.MULTILINE)
_OUTPUTS = ("outs", "metrics", "plots")
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
    """Raise UserError on the first stage of `file` that DVC or a flow would refuse, with the line of each mistake."""
    for name, stage in stages.items():
        looped = isinstance(stage, dict) and "foreach" in stage
        entry = stage.get("do") if looped else stage
        place = f"{name}.do" if looped else name
        try:
            read_meta(_entry(entry, file, f"stages.{place}").meta, place, file)
        except UserError as error:
            raise UserError(error.code, _with_lines(str(error), file, name)) from None


def require_params(file: Path) -> None:
    """Raise UserError on the first `${key}` that is not in params.yaml; DVC looks at a file that names other values."""
    text, params = file.read_text(encoding="utf-8"), file.with_name("params.yaml")
    if _OTHER_VALUES.search(text) or not params.exists():
        return
    try:
        known = keys_of(parse_yaml(params.read_bytes()))
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


def require_apart(stages: dict[str, Any], file: Path) -> None:
    """Raise UserError on two stages with one output, or one within the other's: DVC proposes to remove them."""
    made = [(path, name) for name, stage in stages.items() for path in outputs_of(stage) if "${" not in path]
    for (one, first), (other, second) in combinations(made, 2):
        if first != second and (PurePath(one).is_relative_to(other) or PurePath(other).is_relative_to(one)):
            what = f"both write {one}" if one == other else f"write {one} and {other}, one of which is in the other"
            raise UserError(
                "outputs-overlap",
                f"{file}, line {_line_of_output(file, second, other)}: stages {first!r} and {second!r} {what}: give "
                "each an output of its own",
            )


def outputs_of(stage: dict[str, Any]) -> list[str]:
    """Every path that a stage writes."""
    return _paths(stage, *_OUTPUTS)


def _paths(stage: dict[str, Any], *kinds: str) -> list[str]:
    listed = [_name_of(path) for kind in kinds for path in stage.get(kind, [])]
    return [os.path.normpath(os.path.join(stage.get("wdir", "."), path)) for path in listed]


def _name_of(entry: Any) -> str:
    """The path in an entry of a list of outputs, which may be a mapping with its settings."""
    return str(next(iter(entry)) if isinstance(entry, dict) else entry)


def _entry(values: Any, file: Path, prefix: str) -> Entry:
    try:
        return validated(Entry, values, file, prefix, _LISTED)
    except UserError as error:
        raise UserError("stage-invalid", str(error)) from None


def _with_lines(said: str, file: Path, name: str) -> str:
    """Sentences on a stage, each with the line of the key that it begins with, or else of the stage."""
    begins = re.compile(rf"{re.escape(str(file))}: (?=(?:stages\.{re.escape(name)}((?:\.[\w-]+)*))?)")
    return begins.sub(lambda met: f"{file}, line {_line(file, [name, *(met[1] or '').split('.')[1:]])}: ", said)


def _line(file: Path, keys: list[str]) -> int:
    """Where a key of a stage begins, or as far as the file has its keys: YAML may bring some from elsewhere."""
    found, line = YAML(pure=True).load(file)["stages"], 0
    for key in keys:
        if not isinstance(found, CommentedMap) or key not in (found.lc.data or {}):
            break
        line, found = int(found.lc.key(key)[0]) + 1, found[key]
    return line


def _line_of_output(file: Path, name: str, path: str) -> int:
    """Where a stage names an output."""
    stage = YAML(pure=True).load(file)["stages"][name]
    found = ((kind, at) for kind in _OUTPUTS for at, one in enumerate(_paths(stage, kind)) if one == path)
    kind, at = next(found)
    return int(stage[kind].lc.item(at)[0]) + 1
