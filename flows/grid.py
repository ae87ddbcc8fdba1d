"""Overrides with choices, `train.seed=1,2,3`, as a list of trials."""

from pathlib import Path

from ruamel.yaml.error import YAMLError

from flows.graph import Graph
from stages.common.errors import UserError
from stages.common.yaml_files import parse_yaml


def grid(overrides: list[str], trials: list[list[str]]) -> list[list[str]]:
    """Every combination of the choices (`dvc exp run --queue -S`, Hydra's syntax), for each of `trials`, each once.

    Raises UserError on an override with wrong syntax.
    """
    if not overrides and not trials:
        return []
    found = [one for trial in trials or [[]] for one in _product([*overrides, *trial])]
    return [one for index, one in enumerate(found) if one not in found[:index]]


def read_list(path: Path) -> list[list[str]]:
    """A YAML list of trials, each a list of overrides: `- [train.seed=1, +train.recipe.width=16]`."""
    wanted = "it needs a list of trials, each a list such as [train.seed=1, +train.recipe.width=16]"
    try:
        trials = parse_yaml(path.read_bytes())
    except OSError as error:
        raise UserError("grid-unreadable", f"{path} cannot be read ({error.strerror}): {wanted}") from None
    except (YAMLError, UnicodeDecodeError):
        raise UserError("grid-invalid", f"{path} is not valid YAML: {wanted}") from None
    if not (isinstance(trials, list) and all(isinstance(trial, list) for trial in trials)):
        raise UserError("grid-invalid", f"{path} is no list of lists: {wanted}")
    if not all(isinstance(override, str) for trial in trials for override in trial):
        raise UserError("grid-invalid", f"{path} holds an override that is no text: {wanted}")
    return trials


def require_overrides_used(trials: list[list[str]], graph: Graph) -> None:
    """Raise UserError if trials differ in an override that none of their stages reads: their results would be equal."""
    read = {key for stage in graph.values() for key in stage.params}
    for override in (override for trial in trials for override in trial):
        key = override.lstrip("+~").partition("=")[0]
        heard = any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in read)
        if not heard and not all(override in trial for trial in trials):
            ran = ", ".join(graph)
            raise UserError(
                "override-without-effect",
                f"{override} changes none of the stages that trials run ({ran}): name the stages to run",
            )


def _product(overrides: list[str]) -> list[list[str]]:
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import HydraException

    given = [override.removeprefix("params.yaml:") for override in overrides]
    try:
        return [trial["params.yaml"] for trial in get_hydra_sweeps({"params.yaml": given})]
    except (DvcException, HydraException) as error:
        why = str(error).splitlines()[0]
        raise UserError(
            "override-malformed", f"overrides {' '.join(given)} are not of the form section.key=value,value: {why}"
        ) from None
