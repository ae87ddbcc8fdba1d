"""After a stage that failed: bring back the outputs that DVC removed before running it.

DVC clears a stage's outputs first; its cache still has them as `dvc.lock` last knew them. Files
that the failed stage left to be looked at, such as the report of a failed gate, stay.
"""

import subprocess
from pathlib import Path

from ruamel.yaml import YAML

from stages.common.command import parser_of
from stages.common.errors import run_stage


def main() -> None:
    missing = missing_outputs(Path("dvc.lock"))
    if missing:
        done = subprocess.run(["dvc", "checkout", "--quiet", *missing], capture_output=True, text=True, check=False)
        came_back = [path for path in missing if Path(path).exists()]
        print(f"brought back as they were: {', '.join(came_back)}" if came_back else done.stderr.strip())


def missing_outputs(lock: Path) -> list[str]:
    """Outputs that the lock names and the workspace lacks."""
    stages = YAML(typ="safe", pure=True).load(lock)["stages"] if lock.exists() else {}
    outputs = [out["path"] for stage in stages.values() for out in stage.get("outs", [])]
    return [path for path in outputs if not Path(path).exists()]


if __name__ == "__main__":
    parser_of("stages.restore", __doc__).parse_args()
    run_stage(main)
