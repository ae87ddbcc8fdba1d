"""After a stage that failed: bring back the outputs that DVC removed before running it.

DVC clears a stage's outputs first; its cache still has them as `dvc.lock` last knew them. Files
that the failed stage left to be looked at, such as the report of a failed gate, stay.
"""

from pathlib import Path
from typing import Any

from stages.common.dvc import busy_paths, locked_stages, run_dvc
from stages.common.errors import UserError, run_stage
from stages.common.nested import value_at
from stages.common.stage import parser_of
from stages.common.yaml_files import parse_yaml


def main() -> None:
    """Bring back what is missing, except what another command is making now."""
    busy = busy_paths(Path())
    missing = [path for path in missing_outputs(Path("dvc.lock")) if not _around(path) & busy.keys()]
    if not missing:
        return
    try:
        run_dvc("checkout", "--quiet", *missing)
        problem = ""
    except UserError as error:  # some outputs are not in the cache
        problem = str(error)
    came_back = [path for path in missing if Path(path).exists()]
    print(f"The outputs of the last successful run were restored: {', '.join(came_back)}" if came_back else problem)


def _around(path: str) -> set[Path]:
    """The path and all its parent folders, as absolute paths."""
    full = Path(path).absolute()
    return {full, *full.parents}


def missing_outputs(lock: Path) -> list[str]:
    """Outputs that the lock names and the workspace lacks."""
    outputs = [out["path"] for stage in _locked(lock).values() for out in stage.get("outs", [])]
    return [path for path in outputs if not Path(path).exists()]


def first_unfinished(root: Path) -> str | None:
    """The first stage that a stopped run did not finish; None if all outputs are of one run.

    Its outputs, which DVC clears first, are missing, or its inputs have changed.
    """
    stages = _locked(root / "dvc.lock")
    made = {out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", [])}
    for name, stage in stages.items():
        read = {dep["path"]: dep.get("md5") for dep in stage.get("deps", [])}
        others = any(made.get(path, digest) != digest for path, digest in read.items())
        if others or any(not (root / out["path"]).exists() for out in stage.get("outs", [])):
            return str(name)
    return None


def first_of_other_params(root: Path) -> str | None:
    """The first stage whose outputs are of other params than those in params.yaml; None if there is none.

    After a failure, `dvc.lock` and the restored outputs are of the former params.
    """
    if not (root / "params.yaml").exists():
        return None
    present = parse_yaml((root / "params.yaml").read_bytes())
    for name, stage in _locked(root / "dvc.lock").items():
        made_by = stage.get("params", {}).get("params.yaml", {})
        if any(value_at(present, key) != value for key, value in made_by.items()):
            return str(name)
    return None


def _locked(lock: Path) -> dict[str, Any]:
    """The last run of each stage in DVC's lock file, by the stage's name."""
    return locked_stages(lock) if lock.exists() else {}


if __name__ == "__main__":
    parser_of("stages.restore", __doc__).parse_args()
    run_stage(main)
