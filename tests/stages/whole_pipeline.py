"""A pipeline that runs through every stage before the tests of a module look at what it left."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.stages.forked import run_stage_in
from tests.stages.tiny_data import write_params

STAGES = ("ingest", "normalize", "validate", "evaluator", "train", "select", "sample", "export", "report", "upload")


def run_pipeline(folder: Path, params: dict[str, Any], stages: Iterable[str] = STAGES) -> Path:
    """`folder`, with what each stage printed in `STAGE.txt`."""
    write_params(folder, params)
    for stage in stages:
        (folder / f"{stage}.txt").write_text(run_stage_in(folder, stage))
    return folder


def copy_untrained(finished: Path, folder: Path) -> Path:
    """`folder`, as the pipeline was when nothing was trained yet."""
    for name in ("data", "reports", "provenance"):
        shutil.copytree(finished / name, folder / name)
    return folder
