"""Every checkpoint of a training measured, beside what real images reach."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from mintage.evaluator import EvaluatorConfig, device_of
from mintage.players import Generator, ModelConfig
from stages.common.errors import UserError
from stages.common.files import sha256_of
from stages.common.params import Select
from stages.common.resume import images_of
from stages.common.split import Split
from stages.common.stage import progress_bar
from stages.selection.cache import Cache, forget_all_but
from stages.selection.measure import Measured, baseline, floors, load_generator, measure
from stages.selection.reference import Reference
from stages.selection.rows import row_of
from stages.selection.rule import Row
from stages.selection.verdicts import collapse

_MOST_AT_ONCE = 8
"""Checkpoints; each holds its images' features in memory."""


@dataclass(frozen=True)
class Table:
    """Every checkpoint's figures, beside those of real images."""

    found: list[Measured]
    real: Measured
    rows: list[Row]
    baseline: Row | None = None
    """What the sources themselves reach, where they are translated."""


def measure_all(checkpoints: list[Path], real: Reference, params: Select, cache: Path) -> Table:
    """A row a checkpoint, in order; on a CPU as many at a time as there are cores, each on one thread."""
    subjects = [sha256_of(path) for path in checkpoints]
    forget_all_but(cache, [*subjects, real.subject])
    of_real = floors(real)
    at_once = 1 if device_of(real.judge.evaluator).type == "cuda" else min(_MOST_AT_ONCE, os.cpu_count() or 1)
    with progress_bar("select", len(checkpoints) * real.samples) as bar:

        def one(path: Path, subject: str) -> Measured:
            torch.set_num_threads(1)  # of this thread
            known = Cache(cache, subject)
            try:
                return measure(lambda: loaded(path, real), real, known, bar.update)
            except ValueError as error:
                raise UserError(
                    "checkpoint-not-measurable", f"{path} cannot be measured ({error}): train with lower learning rates"
                ) from None

        with ThreadPoolExecutor(at_once) as threads:
            found = list(threads.map(one, checkpoints, subjects))
    rows = [row_of(images_of(path), real.samples, one, of_real) for path, one in zip(checkpoints, found, strict=True)]
    for row in rows:
        row["collapsed"] = int(collapse(row, params, real.chance)["collapsed"])
    same = baseline(real)
    return Table(found, of_real, rows, None if same is None else row_of(0, real.samples, same, of_real))


def loaded(path: Path, real: Reference) -> Generator:
    """The averaged generator of a checkpoint. Raises UserError where it is damaged, or made from other data."""
    generator, _ = load_generator(path, device_of(real.judge.evaluator))
    require_same_data(generator.config, real.holdout_split, str(path), "train")
    return generator


def require_same_data(config: EvaluatorConfig | ModelConfig, split: Split, what: str, stage: str) -> None:
    real = split.signature
    other = config.attributes is not None and config.attributes != real.attributes
    if other or (config.image_shape, config.classes) != (real.shape, real.classes):
        raise UserError(
            "output-of-other-data",
            f"{what} was made from images of another shape or other classes: run `dvc repro {stage}`",
        )
