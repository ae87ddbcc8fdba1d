"""A repository of its own with this tree's files, for tests that run the real pipeline."""

import os
import shutil
from pathlib import Path

from tests.flows.docker_engine import built_images
from tests.flows.toy import ROOT
from tests.test_pipeline import commit, run, set_params

QUICK = (
    "evaluator.images=2000",
    "select.classifier_images=1000",
    "train.images=1200",
    "train.checkpoint_every=600",
    "train.log_every=300",
    "+train.recipe={width: 8}",
    "select.samples=100",
    "sample.count=50",
)


def make_project(folder: Path, *changes: str) -> Path:
    """The files of this tree, committed, with `section.key=value` changes to its params."""
    for name in run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(folder, "git", "init", "-q", "-b", "main")
    set_params(folder, *changes)
    commit(folder, "the code")
    return folder


def in_containers(folder: Path, *command: str, code: int = 0) -> str:
    """What a command in a project printed, DVC's stages being run in containers."""
    variables = [f"{name}={value}" for name, value in container_variables(folder).items()]
    return run(folder, "env", *variables, *command, code=code)


def container_variables(folder: Path) -> dict[str, str]:
    return {**built_images(), "SHELL": os.fspath(folder / "flows" / "in_container")}
