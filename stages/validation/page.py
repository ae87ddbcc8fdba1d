"""The gate as one page: the checks of the data, their results, and a description of the data. It needs no network."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.templates import environment
from stages.validation.checks import Tables
from stages.validation.judge import Verdict
from stages.validation.manifest import Manifest
from stages.validation.thumbnails import Thumbnail

TEMPLATES = Path(__file__).with_name("templates")
BINS = 40
MANY = 40  # classes; of more only the largest and the smallest are drawn


def page(
    verdicts: list[Verdict],
    left_out: list[dict[str, str]],
    pictures: dict[str, Thumbnail],
    found: Tables,
    manifest: Manifest,
) -> str:
    """The page as HTML; the same bytes for the same verdicts, pictures and tables."""
    images = found["images"]
    return (
        environment(TEMPLATES)
        .get_template("validation.html.j2")
        .render(
            verdicts=sorted(verdicts, key=_weight),  # failures that stop first, then warnings, else as listed
            failed=sum(verdict.stops for verdict in verdicts),
            warned=sum(verdict.warns for verdict in verdicts),
            not_checked=left_out,
            pictures=pictures,
            manifest=manifest,
            words=manifest.medium.words,
            classes=bars(found["classes"]) if "classes" in found else [],
            left_out=max(0, len(manifest.classes or []) - MANY),
            brightness=histogram(images["mean"], -1, 1),
            contrast=histogram(images["std"], 0, 1),
        )
    )


def _weight(verdict: Verdict) -> int:
    return 0 if verdict.stops else 1 if verdict.warns else 2


def bars(classes: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each class, with the widths of its train and holdout bars in percent of the largest class."""
    if len(classes) > MANY:
        ordered = classes.sort_values("images", ascending=False, kind="stable")
        classes = pd.concat([ordered.head(MANY // 2), ordered.tail(MANY // 2)])
    unit = 100 / max(1, int(classes["images"].max()))
    return [
        {"name": row["class"], "images": row["images"], "train": row["train"] * unit, "holdout": row["holdout"] * unit}
        for row in classes.to_dict("records")
    ]


def histogram(values: "pd.Series[float]", low: float, high: float) -> list[float]:
    """Heights in [0,100] of `BINS` bars from `low` to `high`; values outside count in the last bars, NaN not at all."""
    counts, _ = np.histogram(values.dropna().clip(low, high), BINS, (low, high))
    return [round(100 * int(n) / max(1, int(counts.max())), 2) for n in counts]
