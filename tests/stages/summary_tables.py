"""A summary table with nothing wrong and its manifest, as `normalize` writes them; and the gate's judgement."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.params import Validate
from stages.validate import validate
from stages.validation.judge import Verdict

CLASSES = ["cat", "dog", "owl"]
LIMITS = Validate(min_images=20, max_duplicates=0.05, max_constant=0.05, max_imbalance=3.0, min_class_images=2)
IMAGES = 60  # 48 to train on, 12 held out; 20 of each class
Manifest = dict[str, Any]


def valid_stats(images: int = IMAGES, classes: int = 3) -> pd.DataFrame:
    """A summary table with nothing wrong, as `normalize` writes it: 3x8x16 images, a fifth of them held out."""
    number = np.arange(images)
    label = pd.array(number % classes, "Int64") if classes else pd.array([None] * images, "Int64")
    return pd.DataFrame(
        {
            "key": [f"image-{n:03d}" for n in number],
            "split": np.where(number // max(1, classes) % 5 == 4, "holdout", "train"),
            "label": label,
            "min": -1.0,
            "max": 0.9,
            "mean": 0.0,
            "std": 0.5,
            "finite": True,
            "channels": 3,
            "height": 8,
            "width": 16,
            "source_channels": 3,
            "source_height": 100,
            "source_width": 200,
            "source_mode": "RGB",
            "pixel_sha256": [f"{n:064x}" for n in number],
        }
    )


def manifest_of(stats: pd.DataFrame, classes: list[str] | None) -> Manifest:
    """The manifest that goes with a table."""
    splits = ("train", "holdout")
    counts = {split: int((stats["split"] == split).sum()) for split in splits}
    per_class = {
        split: {
            name: int(((stats["label"] == label) & (stats["split"] == split)).sum())
            for label, name in enumerate(classes or [])
        }
        for split in splits
    }
    return {
        "shape": [3, 8, 16],
        "range": [-1, 1],
        "classes": classes,
        "counts": {**counts, "read": len(stats), "broken": 0},
        "class_counts": per_class if classes else None,
        "broken": [],
        "split": {"kind": "random", "holdout": 0.2, "seed": 0},
        "source": {"name": "made", "licence": "CC0-1.0", "origin": "this test"},
        "fingerprint": "0" * 64,
    }


def written(folder: Path, stats: pd.DataFrame, manifest: Manifest) -> tuple[Path, Path]:
    paths = folder / "data/normalized/stats.parquet", folder / "data/normalized/manifest.json"
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    stats.to_parquet(paths[0], index=False)
    paths[1].write_text(json.dumps(manifest))
    return paths


def judged(folder: Path, stats: pd.DataFrame, manifest: Manifest, limits: Validate = LIMITS) -> list[Verdict]:
    report, page = folder / "reports/validation.json", folder / "reports/validation.html"
    return validate(*written(folder, stats, manifest), limits, report, page)[0]


def failures(verdicts: list[Verdict]) -> dict[str, Verdict]:
    """The failed expectations by what they are about: GE's type and column."""
    return {f"{v.expectation}({v.column})": v for v in verdicts if not v.success}
