"""A git and DVC repository whose pipeline takes no time: the real params.yaml, and stages that only look like ours."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.flows.forked import ForkedFlow
from tests.flows.toy import ROOT, start_command, write_stages
from tests.programs import git, printed_by

TOY = """
import json, os, sys, time
from pathlib import Path

from ruamel.yaml import YAML

stage, params = sys.argv[1], YAML(typ="safe").load(open("params.yaml"))
seed = params["train"]["seed"]

def log(what):
    with open(LOG, "a") as file:
        print(what, file=file)

def write(path, content):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)

def data():
    log("data")
    time.sleep(params["evaluator"]["seed"])
    write("data/normalized/holdout", " ".join(sorted(os.listdir(params["ingest"]["path"]))))
    write("models/evaluator", f"evaluator {params['evaluator']['seed']}")

def train():
    log(f"train {seed}")
    if seed == 13:
        sys.exit("error: seed 13 brings bad luck: take another")
    state = Path(".resume/state")
    if seed == 99 and state.exists():
        log(f"went on from {state.read_text()}")
    elif seed == 99:
        write(state, "step 7")
        log("waits")
        time.sleep(600)
    write("models/weights", f"weights {seed} {params['train']['recipe']}")

def select():
    log(f"select {seed}")
    figures = {"images": 100, "frechet_distance": abs(seed - 3) + 1.0, "samples": params["select"]["samples"]}
    floors = {"frechet_floor": 0.5, "kernel_distance": 0.1, "kernel_floor": 0.05}
    about = {"metric": "frechet_distance", "rule": "lowest Frechet distance", "floor_images": 9, "holdout_images": 9}
    write("metrics/selection.json", json.dumps({**figures, **floors, **about, "checkpoints": 1, "last": figures}))

def release():
    log("release")
    write("published.json", "{}")

globals()[stage]()
"""
STAGES: dict[str, dict[str, Any]] = {
    "data": {
        "cmd": "python toy.py data",
        "params": ["ingest", "evaluator"],
        "deps": ["${ingest.path}"],
        "outs": ["data/normalized/holdout", "models/evaluator"],
    },
    "train": {
        "cmd": "python toy.py train",
        "params": ["train"],
        "deps": ["data/normalized/holdout"],
        "outs": ["models/weights"],
    },
    "select": {
        "cmd": "python toy.py select",
        "params": ["select"],
        "deps": ["models/weights", "models/evaluator", "data/normalized/holdout"],
        "metrics": ["metrics/selection.json"],
    },
    "release": {
        "cmd": "python toy.py release",
        "params": ["sample"],
        "deps": ["metrics/selection.json"],
        "outs": ["published.json"],
    },
}
IGNORED = "/.flow/\n/.resume/\n/metrics\n/models\n/data/normalized\n/published.json\n/data/source/*.png\n/toy.log\n"


def make_repository(folder: Path) -> Path:
    """One commit; `toy.log` in it tells which stages have run, in whatever checkout."""
    write_repository(folder, f"LOG = {str(folder / 'toy.log')!r}\n{TOY}", STAGES, IGNORED)
    commit(folder)
    return folder


def write_repository(folder: Path, program: str, stages: dict[str, dict[str, Any]], ignored: str) -> None:
    """A repository without a commit, with the program `toy.py` and stages that run it."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".gitignore").write_text(ignored)
    (folder / "data" / "source").mkdir(parents=True)
    (folder / "data" / "source" / "README.md").write_text("images go here\n")
    (folder / "toy.py").write_text(program)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    write_stages(folder, stages)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "Test")
    git(folder, "config", "user.email", "test@example.org")


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "as it is now")


def dvc(folder: Path, *arguments: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return printed_by("-m", "dvc", *arguments, folder=folder, DVC_NO_ANALYTICS="1", PATH=path)


def ran(repository: Path) -> list[str]:
    """What the stages have said since this was last asked."""
    log = repository / "toy.log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.write_text("")
    return lines


def experiments(repository: Path) -> dict[str, dict[str, Any]]:
    """What `dvc exp show` tells of each experiment on HEAD: its params and its metrics."""
    shown = json.loads(dvc(repository, "exp", "show", "--json"))
    found = {}
    for row in shown:
        for experiment in row.get("experiments") or []:
            facts = experiment["revs"][0]["data"]
            found[experiment["name"]] = {
                "params": facts["params"]["params.yaml"]["data"],
                "metrics": facts["metrics"]["metrics/selection.json"]["data"],
            }
    return found


def start_sweep(repository: Path, *arguments: str, server: str | None = None) -> ForkedFlow:
    """`python -m flows.sweep` on a repository, as a process of its own."""
    return start_command("flows.sweep", repository, *arguments, server=server)
