"""What Prefect adds to a bare `dvc repro`: `python -m benchmarks.flow`, in a copy of this checkout with short params.

The two take turns in one run: from nothing (a copy each time, without a cache), and when nothing has changed.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.stages import copy_tracked
from flows.serve import server
from stages.common.errors import run_stage
from stages.common.stage import parser_of

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
SHORT = [
    "evaluator.images=5000",
    "train.images=20000",
    "train.checkpoint_every=5000",
    "select.samples=500",
    "select.classifier_images=5000",
]
DVC = [sys.executable, "-m", "dvc", "repro", "--quiet"]
FLOW = [sys.executable, "-m", "flows.pipeline"]


def main() -> None:
    parser_of("benchmarks.flow", __doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, server(free_port()) as url:
        plain = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        plain |= {"PREFECT_HOME": f"{folder}/prefect", "DVC_NO_ANALYTICS": "1"}
        ways = {
            "dvc repro": (DVC, plain),
            "flow, its own server": (FLOW, plain),
            "flow, a server there": (FLOW, {**plain, "PREFECT_API_URL": url}),
        }
        seconds: dict[tuple[str, str], list[float]] = {}
        for repeat in range(REPEATS):
            for way, (command, environment) in ways.items():
                project = copy(Path(folder) / f"{repeat}-{way.replace(' ', '-')}")
                for state in ("from nothing", "nothing changed"):
                    seconds.setdefault((way, state), []).append(timed(command, project, environment))
                shutil.rmtree(project)
    report(list(ways), seconds)


def copy(folder: Path) -> Path:
    """Copy this checkout's files into a new repository, with short params."""
    copy_tracked(ROOT, folder)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    apply = f"from dvc.utils.hydra import apply_overrides; apply_overrides('params.yaml', {SHORT!r})"
    subprocess.run([sys.executable, "-c", apply], cwd=folder, check=True)
    return folder


def timed(command: list[str], project: Path, environment: dict[str, str]) -> float:
    begun = time.monotonic()
    subprocess.run(command, cwd=project, env=environment, capture_output=True, check=True)
    return time.monotonic() - begun


def report(ways: list[str], seconds: dict[tuple[str, str], list[float]]) -> None:
    print(f"median seconds of {REPEATS}; in brackets, how much more than `{ways[0]}`")
    for state in ("from nothing", "nothing changed"):
        bare = statistics.median(seconds[ways[0], state])
        for way in ways:
            median = statistics.median(seconds[way, state])
            print(f"{state:16} {way:22} {median:6.1f}  (+{median - bare:.1f})")


def free_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


if __name__ == "__main__":
    run_stage(main)
