"""Where the seconds of a run go: each stage by this checkout and by another one, in turns.

    python -m benchmarks.stages ../earlier --rounds 3

The other may be a `git worktree` of an earlier commit. Each runs in a copy, with its own params and nothing made yet:
the commands of its dvc.yaml one after another, by the packages that are installed here. CPU time is what other programs
disturb least; it counts the processes that a stage starts.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from ruamel.yaml import YAML

from benchmarks.options import natural
from stages.common.errors import run_stage
from stages.common.stage import parser_of


class Seconds(NamedTuple):
    cpu: float
    wall: float


Run = dict[str, Seconds]
"""What each stage took, in the order of dvc.yaml."""


def copy_tracked(checkout: Path, folder: Path) -> Path:
    """`folder`, with the files that git knows of a checkout, and nothing that the checkout has made."""
    listed = subprocess.run(["git", "ls-files"], cwd=checkout, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(checkout / name, folder / name)
    return folder


def run_stages(checkout: Path) -> Run:
    """Run every stage once, in a copy."""
    with tempfile.TemporaryDirectory() as name:
        folder = copy_tracked(checkout, Path(name))
        stages = YAML(typ="safe", pure=True).load(folder / "dvc.yaml")["stages"]
        return {name: _timed(stage["cmd"], folder) for name, stage in stages.items()}


def _timed(command: str, folder: Path) -> Seconds:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    begun, before = time.monotonic(), os.times()
    subprocess.run(command, shell=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Seconds(cpu, time.monotonic() - begun)


def table(other: list[Run], here: list[Run]) -> str:
    """Medians over the rounds, stage by stage, in CPU seconds; the whole also by the clock."""
    rows = ["| stage | the other | here | |", "| --- | --- | --- | --- |"]
    rows += [_row(name, other, here, [name]) for name in here[0]]
    rows.append(_row("all but train", other, here, [name for name in here[0] if name != "train"]))
    rows.append(_row("all", other, here, list(here[0])))
    clocks = [f"{median(sum(one.wall for one in run.values()) for run in runs):.0f}" for runs in (other, here)]
    return "\n".join([*rows, f"| all, by the clock | {' | '.join(clocks)} | |"])


def _row(title: str, other: list[Run], here: list[Run], names: list[str]) -> str:
    """A stage that one of them lacks takes it no time."""
    old, new = (median(sum(run[name].cpu for name in names if name in run) for run in runs) for runs in (other, here))
    return f"| {title} | {old:.1f} | {new:.1f} | {f'{old / new:.2f} times as fast' if old and new else ''} |"


def main() -> None:
    parser = parser_of("benchmarks.stages", __doc__)
    parser.add_argument("other", type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=natural, default=3)
    asked = parser.parse_args()
    rounds = [(run_stages(asked.other), run_stages(Path.cwd())) for _ in range(asked.rounds)]
    others, ours = zip(*rounds, strict=True)
    print(table(list(others), list(ours)))


if __name__ == "__main__":
    run_stage(main)
