"""DVC, run by this process's Python wherever the checkout is, and with git if the repository is this project's."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from stages.common.dvc_file import require_apart, require_order, require_params, require_sound
from stages.common.errors import UserError
from stages.common.git import is_own
from stages.common.sections import yaml_problem
from stages.common.yaml_files import parse_yaml

_SETTINGS = "DVC_SYSTEM_CONFIG_DIR"
"""The variable with the folder of DVC's system settings, which all other settings override."""
_WITHOUT_GIT = Path(".dvc/tmp/without-git")
_LOCK = "dvc.lock"
_LOCKS = Path(".dvc/tmp/rwlock")
_HINTS = (
    *("To track the changes with git", "\tgit add ", "To enable auto staging", "\tdvc config core.autostage"),
    "Use `dvc push` to send your updates",
)


def dvc_command(*arguments: str) -> list[str]:
    """The command; not the script `dvc`, which contains the path of the Python where it was installed."""
    return [sys.executable, "-m", "dvc", *arguments]


def is_hint(text: str) -> bool:
    """Whether DVC says here, after each run, what one may do next: it would stand where one looks for the verdict."""
    return text.lstrip("\n").startswith(_HINTS)


def run_dvc(*arguments: str, folder: Path = Path()) -> str:
    """The output of a DVC command. Raises UserError with DVC's reason if it fails."""
    settle_git(folder)
    done = subprocess.run(dvc_command(*arguments), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError("dvc-failed", f"dvc {' '.join(arguments[:2])} failed: {reason_of(done)}")
    return done.stdout.strip()


def reason_of(failed: "subprocess.CompletedProcess[str]") -> str:
    """Why a DVC command failed, by its own line on it, else by its last one."""
    said = failed.stderr.strip().splitlines() or [f"exit code {failed.returncode}"]
    return next((line for line in said if line.startswith("ERROR: ")), said[-1]).removeprefix("ERROR: ")


def has_changed(stage: str, path: str, folder: Path = Path()) -> bool:
    """Whether what is at `path` differs from when DVC ran the stage; False where it did not, or `path` is an address.

    DVC reads again only files whose size or time is another.
    """
    if "://" in path or not (folder / _LOCK).exists():
        return False
    found = json.loads(run_dvc("status", "--json", stage, folder=folder)).get(stage, [])
    changed = [one.get("changed deps", {}) for one in found if isinstance(one, dict)]
    places = {os.path.abspath(folder / name): how for deps in changed for name, how in deps.items()}
    return places.get(os.path.abspath(folder / path)) == "modified"


def graph_stages(graph: Path) -> dict[str, Any]:
    """The stages of dvc.yaml, by name. Raises UserError if it is missing, or DVC or a flow would refuse it."""
    found = _stages(graph)
    if found is None and (problem := _problem(graph)):
        raise UserError(
            "pipeline-unreadable",
            f"{graph} is not valid YAML{problem}: mend it, or restore it (`git checkout {graph}`)",
        )
    if found is None:
        raise UserError(
            "pipeline-unreadable",
            f"{graph} is missing, or is no pipeline of DVC: run in the repository's root folder, or restore it "
            f"(`git checkout {graph}`)",
        )
    require_sound(found, graph)
    return found


def runnable_stages(graph: Path) -> dict[str, Any]:
    """The same, after a look at what DVC would refuse only once it runs: unknown params, one output twice, a circle."""
    stages = graph_stages(graph)
    require_params(graph)
    require_apart(stages, graph)
    require_order(stages, graph)
    return stages


def _problem(path: Path) -> str:
    """The line where a file is not valid YAML; empty if it is."""
    try:
        parse_yaml(path.read_bytes())
    except (YAMLError, UnicodeDecodeError) as error:
        return yaml_problem(error)
    except OSError:
        return ""
    return ""


def locked_stages(lock: Path) -> dict[str, Any]:
    """The last run of each stage in DVC's lock file, by name. Raises UserError if it is no lock file."""
    found = _stages(lock)
    if found is None:
        raise UserError(
            "lock-file-damaged",
            f"{lock} is not a lock file of DVC: restore it (`git checkout {lock}`) or run `dvc repro`",
        )
    return found


def _stages(path: Path) -> dict[str, Any] | None:
    try:
        found = parse_yaml(path.read_bytes())["stages"]
    except (OSError, YAMLError, UnicodeDecodeError, TypeError, KeyError):
        return None
    sound = isinstance(found, dict) and all(isinstance(stage, dict) for stage in found.values())
    return found if sound else None


def settle_git(folder: Path = Path()) -> None:
    """Let DVC, in this process and in all that it starts, work without git if `folder` has no repository of its own.

    DVC refuses to work outside a git repository, and takes an enclosing one for the project's. In the checkout its
    switch `core.no_scm` would stay after `git init`; in the environment it ends with the process.
    """
    here = folder.absolute() / _WITHOUT_GIT
    ours = os.environ.get(_SETTINGS, "").endswith(str(_WITHOUT_GIT))
    if is_own(folder):
        if ours:
            del os.environ[_SETTINGS]
    elif (folder / ".dvc").is_dir():
        if ours:
            del os.environ[_SETTINGS]
        _write(here, _system_settings())
        os.environ[_SETTINGS] = str(here)


def _system_settings() -> str:
    """The machine's settings for DVC, usually none, and `no_scm`."""
    from dvc.dirs import system_config_dir

    path = Path(system_config_dir(), "config")
    try:
        text = path.read_text()
    except OSError:
        text = ""
    changed, count = re.subn(r"(?m)^\[core\].*$", "[core]\n    no_scm = true", text, count=1)
    return changed if count else f"{text}\n[core]\n    no_scm = true\n"


def _write(folder: Path, settings: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path, partial = folder / "config", folder / f"config.{os.getpid()}.partial"
    partial.touch(mode=0o600)  # they may hold a password
    partial.write_text(settings)
    os.replace(partial, path)


def busy_paths(folder: Path) -> dict[Path, str]:
    """The outputs that other DVC commands are making now, each with the command: `dvc repro (process 7)`.

    DVC keeps them in a file, where killed commands stay, so only living ones count; and not the one that started this
    process.
    """
    try:
        written = json.loads((folder / _LOCKS).read_bytes())["write"]
    except (KeyError, OSError, TypeError, ValueError):
        return {}
    return {Path(path): who for path, holder in written.items() if (who := _living(holder))}


def _living(holder: dict[str, Any]) -> str:
    """The command that holds a lock, for a sentence; empty if no other DVC command with that process id is running."""
    try:
        import psutil
    except ModuleNotFoundError:  # an image for stages has no other processes
        return ""
    try:
        process = psutil.Process(int(holder["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE or not any("dvc" in word for word in process.cmdline()):
            return ""
        if process in psutil.Process().parents():
            return ""
    except (psutil.Error, OSError, KeyError, TypeError, ValueError):
        return ""
    words = str(holder.get("cmd", "dvc")).split()
    return f"`dvc {words[1] if len(words) > 1 else 'repro'}` (process {process.pid})"
