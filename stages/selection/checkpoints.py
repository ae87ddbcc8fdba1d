"""Measures every checkpoint of a training, beside what real images reach."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from mintage.evaluator import EvaluatorConfig, device_of
from mintage.model_config import ModelConfig
from mintage.players import Generator
from stages.common.errors import UserError
from stages.common.files import sha256_of
from stages.common.params import Select
from stages.common.resume import images_at
from stages.common.split import Split
from stages.common.stage import progress_bar
from stages.selection.cache import Cache, forget_all_but
from stages.selection.directions import mean_of
from stages.selection.measure import Measured, baseline, first_stage, floors, load_generator, measure
from stages.selection.reference import Reference
from stages.selection.rows import row_of
from stages.selection.rule import Row
from stages.selection.verdicts import collapse

_MOST_AT_ONCE = 8
"""Checkpoints measured at the same time; each holds its images' features in memory."""


@dataclass(frozen=True)
class Table:
    """Every checkpoint's figures, beside those of real images."""

    found: list[Measured]
    real: Measured
    rows: list[Row]
    baseline: Row | None = None
    """What the untranslated sources reach; None if the model does not translate."""
    first: Row | None = None
    """What the first of two stages reaches alone, enlarged; None for a model of one stage."""
    directions: "dict[str, Table]" = field(default_factory=dict)
    """For a model between two domains, the table of each direction, by target; the other fields are their means."""


def measure_all(
    checkpoints: list[Path], reals: Sequence[Reference], params: Select, cache: Path, *, shown: bool = True
) -> Table:
    """Measure each checkpoint against the reference, or against that of each direction: then rows are means of both.

    `shown` is whether to show a progress bar: it tells nothing if everything is cached.
    """
    forget_all_but(cache, [*map(sha256_of, checkpoints), *(real.subject for real in reals)])
    tables = [_measured(checkpoints, real, params, cache, shown=shown) for real in reals]
    return tables[0] if len(tables) == 1 else _joined(checkpoints, reals, tables)


def _joined(checkpoints: list[Path], reals: Sequence[Reference], tables: list[Table]) -> Table:
    """The means of both directions: numbers of images are added, and one collapsed direction collapses a checkpoint."""
    found = [mean_of(each) for each in zip(*(table.found for table in tables), strict=True)]
    of_real, samples = mean_of([table.real for table in tables]), sum(real.samples for real in reals)
    rows = [row_of(images_at(path), samples, one, of_real) for path, one in zip(checkpoints, found, strict=True)]
    for row, *each in zip(rows, *(table.rows for table in tables), strict=True):
        row["collapsed"] = max(one["collapsed"] for one in each)
    bases = [Measured(table.baseline, {}) for table in tables if table.baseline is not None]
    same = row_of(None, samples, mean_of(bases), of_real) if bases else None
    directions = {real.to or "": table for real, table in zip(reals, tables, strict=True)}
    return Table(found, of_real, rows, same, directions=directions)


def _measured(checkpoints: list[Path], real: Reference, params: Select, cache: Path, *, shown: bool) -> Table:
    """The table of one reference; on a CPU, checkpoints are measured in parallel, each on one thread."""
    of_real = floors(real)
    at_once = 1 if device_of(real.judge.evaluator).type == "cuda" else min(_MOST_AT_ONCE, os.cpu_count() or 1)
    named = f"select {real.to}" if real.to else "select"
    with progress_bar(named, len(checkpoints) * real.samples, shown=shown) as bar:
        one_of_them = partial(measure_checkpoint, real=real, cache=cache, progress=bar.update)
        with ThreadPoolExecutor(at_once) as threads:
            found = list(threads.map(one_of_them, checkpoints))
    rows = [row_of(images_at(path), real.samples, one, of_real) for path, one in zip(checkpoints, found, strict=True)]
    for row in rows:
        row["collapsed"] = int(collapse(row, params, real.chance)["collapsed"])
    same, first = (
        None if one is None else row_of(None, real.samples, one, of_real)
        for one in (baseline(real), first_stage(loaded(checkpoints[-1], real), real))
    )
    return Table(found, of_real, rows, same, first)


def measure_checkpoint(
    path: Path, real: Reference, cache: Path, progress: Callable[[int], object] = lambda images: None
) -> Measured:
    """The figures of a checkpoint, on one thread. Raises UserError if its images cannot be measured."""
    torch.set_num_threads(1)  # holds for the calling thread alone
    try:
        return measure(lambda: loaded(path, real), real, Cache(cache, sha256_of(path)), progress)
    except ValueError as error:
        raise UserError(
            "checkpoint-not-measurable", f"{path} cannot be measured ({error}): train with lower learning rates"
        ) from None


def loaded(path: Path, real: Reference) -> Generator:
    """The averaged generator of a checkpoint. Raises UserError if the file is damaged, or was made from other data."""
    generator, _ = load_generator(path, device_of(real.judge.evaluator))
    require_same_data(generator.config, real.holdout_split, str(path), "train")
    return generator


def require_same_data(config: EvaluatorConfig | ModelConfig, split: Split, what: str, stage: str) -> None:
    real = split.signature
    other = config.attributes is not None and config.attributes != real.attributes
    if isinstance(config, ModelConfig) and config.domains != real.domains:
        other = True
    classes = real.domains if isinstance(config, ModelConfig) and config.couples else real.classes
    if other or (config.image_shape, config.classes) != (real.shape, classes):
        raise UserError(
            "output-of-other-data",
            f"{what} was made from images of another shape or other classes or domains: run `dvc repro {stage}`",
        )
