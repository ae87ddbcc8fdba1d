"""`dvc exp run`, seen from a stage: whether it is part of one, and params.yaml as it was before `-S`."""

import io
import os
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PARAMS = Path("params.yaml")


def experiment() -> str | None:
    """The name of the experiment that runs this stage, by DVC's own variables; None outside of one."""
    return os.environ.get("DVC_EXP_NAME")


def take_back() -> bool:
    """Set the values that `dvc exp run -S` wrote into params.yaml back to those of the commit, after a refusal.

    DVC writes them before any stage runs, and leaves them there. Other changes, by hand, stay. Returns whether anything
    was set back: never if the experiment has its own folder (--temp, --queue), or `-S` was not used.
    """
    here = os.environ.get("DVC_ROOT") == os.getcwd() and experiment() is not None
    keys = _overridden() if here else []
    committed = _committed() if keys else None
    if committed is None:
        return False
    yaml = YAML()
    yaml.width = 10_000  # so that no comment moves to its own line
    values, before = yaml.load(PARAMS), YAML().load(committed)
    changed = [key for key in keys if _set_back(values, before, key.split("."))]
    if changed:
        text = io.StringIO()
        yaml.dump(values, text)
        same = _plain(text.getvalue()) == _plain(committed)
        PARAMS.write_text(committed if same else text.getvalue())
    return bool(changed)


def _plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def _set_back(values: Any, before: Any, path: list[str]) -> bool:
    """Set a key back to its value in `before`, or remove it if it was not there; whether that changed anything."""
    for part in path[:-1]:
        if part not in values:
            return False
        values, before = values[part], before.get(part, {}) if before else {}
    name, missing = path[-1], object()
    now, then = values.get(name, missing), (before or {}).get(name, missing)
    if now == then:
        return False
    if then is missing:
        del values[name]
    else:
        values[name] = then
    return True


def _committed() -> str | None:
    """params.yaml of the commit; None if git does not give it."""
    try:
        done = subprocess.run(["git", "show", f"HEAD:./{PARAMS}"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _overridden() -> list[str]:
    """The dotted keys that `-S` names on the command line of the `dvc exp run` that runs this stage."""
    try:
        import psutil

        lines = [parent.cmdline() for parent in psutil.Process().parents()]
    except (ModuleNotFoundError, OSError, psutil.Error):  # no psutil in this image, or no /proc
        return []
    line = next((line for line in lines if "exp" in line and "run" in line), [])
    given = [after for flag, after in pairwise(line) if flag in ("-S", "--set-param")]
    given += [part.removeprefix("-S") for part in line if part.startswith("-S") and part != "-S"]
    given += [part.removeprefix("--set-param=") for part in line if part.startswith("--set-param=")]
    return [one.removeprefix(f"{PARAMS}:").lstrip("+~").partition("=")[0] for one in given]
