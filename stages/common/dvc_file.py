"""What dvc.yaml may say of a stage, so that a mistake is a sentence with its line: DVC says "validation failed"."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from ruamel.yaml import YAML

from stages.common.errors import UserError
from stages.common.sections import Section, validated

_LISTED = "https://dvc.org/doc/user-guide/project-structure/dvcyaml-files lists"


class Meta(Section):
    """The part of a stage's free-form `meta:` for the orchestrator; other keys mean nothing to it."""

    model_config = ConfigDict(extra="ignore")

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
    """The `meta:` of stage `name`; UserError if it is invalid."""
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


def _entry(values: Any, file: Path, prefix: str) -> Entry:
    try:
        return validated(Entry, values, file, prefix, _LISTED)
    except UserError as error:
        raise UserError("stage-invalid", str(error)) from None


def _line(file: Path, name: str) -> int:
    """Where a stage begins."""
    return int(YAML(pure=True).load(file)["stages"].lc.key(name)[0]) + 1
