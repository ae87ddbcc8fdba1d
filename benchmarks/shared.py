"""What the benchmarks share: a judge, a log of finished runs, rows of tables, pictures and pages."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from mintage.data import RealImages
from mintage.dataset import Dataset
from mintage.evaluator import Evaluator, EvaluatorConfig
from mintage.learning import Schedule, train_evaluator
from mintage.observation import condition_of
from mintage.trainer import Trainer
from stages.common.levels import to_uint8
from stages.common.pictures import encode_png, grid

CPU = torch.device("cpu")
Row = dict[str, Any]


def judge_of(data: Dataset, images: int = 60_000) -> Evaluator:
    """An evaluator that learns from these samples alone, over `images` of them."""
    config = EvaluatorConfig(data.shape, data.classes, 64, data.attribute_names, len(data.vocabulary or ()))
    real = RealImages(data.image, condition_of(data), 0, CPU)
    return train_evaluator(config, real, Schedule(images, 128, 2e-3, 0))


def learn(trainer: Trainer, seconds: float) -> Trainer:
    """Train for `seconds` more CPU seconds."""
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        trainer.turn()
    return trainer


class Log:
    """Finished runs, a line of `runs.jsonl` each: a benchmark that was stopped does none of them again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "runs.jsonl"

    def rows(self) -> list[Row]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def keep(self, *rows: Row) -> None:
        with self.path.open("a") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)


def row_of_draws(name: str, draws: Sequence[Sequence[float]], digits: int = 2) -> str:
    """A row of a table: of each figure the mean over the draws, the lowest and the highest."""
    columns = [[f"{value:.{digits}f}" for value in (mean(one), min(one), max(one))] for one in zip(*draws, strict=True)]
    return f"| {' | '.join([name, *(f'{middle} ({low} to {high})' for middle, low, high in columns)])} |"


def png_of(rows: Sequence[Tensor], columns: int, scale: int = 1) -> bytes:
    """A picture of images `[N,C,H,W]` in [-1,1], one after the other, `columns` side by side."""
    return encode_png(grid(to_uint8(torch.cat(list(rows)).numpy()), columns, scale=scale))


def fill(page: Path, mark: str, text: str) -> None:
    """Replace what stands between the two marks of a page."""
    before, _, after = page.read_text().split(mark)
    page.write_text(f"{before}{mark}\n\n{text}\n\n{mark}{after}")
