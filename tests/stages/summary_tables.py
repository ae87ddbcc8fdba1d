"""A summary table with nothing wrong and its manifest, as `normalize` writes them; and the gate's judgment."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.levels import FloatImages
from stages.common.params import Severities, Validate
from stages.common.shards import shard_path, tensor_table
from stages.images.perceptual import difference_hash
from stages.validate import Outcome, validate
from stages.validation.judge import Verdict

CLASSES = ["cat", "dog", "owl"]
SEVERITY = Severities(
    broken="warning",
    duplicates="critical",
    near_duplicates="warning",
    leakage="critical",
    constant="critical",
    imbalance="critical",
    reach="warning",
    brightness="warning",
    source_size="warning",
    drift="warning",
)
LIMITS = Validate(
    min_images=20,
    max_broken=0.01,
    max_duplicates=0.05,
    max_near_duplicates=0.05,
    max_leakage=0.0,
    hash_distance=3,
    likeness=0.998,
    max_constant=0.05,
    max_imbalance=3.0,
    min_class_images=2,
    min_reach=0.5,
    outlier_fence=3.0,
    max_outliers=0.05,
    max_drift=0.2,
    severity=SEVERITY,
)
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
            "difference_hash": number.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15),  # far from each other
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
        "source": {"name": "made", "license": "CC0-1.0", "origin": "this test"},
        "attributes": None,
        "domains": None,
        "partner_shape": None,
        "fingerprint": "0" * 64,
        "fit": "crop",
    }


def noise(images: int, seed: int = 0) -> FloatImages:
    """Pictures `[N,3,8,16]` that are nothing like each other."""
    levels = np.random.default_rng(seed).integers(0, 256, (images, 3, 8, 16))
    return levels.astype(np.float32) / np.float32(127.5) - np.float32(1)


def looking_like(stats: pd.DataFrame, images: FloatImages) -> pd.DataFrame:
    """The table, of these pictures: what of it is about their looks."""
    flat = images.reshape(len(images), -1)
    return stats.assign(difference_hash=difference_hash(images), mean=flat.mean(1), std=flat.std(1))


def written(folder: Path, stats: pd.DataFrame, manifest: Manifest, images: FloatImages | None = None) -> Path:
    """`data/normalized` of these; without `images`, of noise."""
    normalized = folder / "data/normalized"
    pictures = noise(len(stats)) if images is None else images
    for split in ("train", "holdout"):
        (normalized / split).mkdir(parents=True, exist_ok=True)
        here = np.flatnonzero(stats["split"] == split)
        keys = stats["key"].to_numpy()[here].tolist()
        table = tensor_table(pictures[here], [None] * len(here), keys, manifest.get("classes"))
        pq.write_table(table, shard_path(normalized / split, 0))
    pq.write_table(pa.Table.from_pandas(stats, preserve_index=False), normalized / "stats.parquet")
    (normalized / "manifest.json").write_text(json.dumps(manifest))
    return normalized


def pictured(folder: Path, images: FloatImages, holdout: int, limits: Validate = LIMITS) -> Outcome:
    """The gate's judgment of these pictures without classes, the last `holdout` of them held out."""
    stats = looking_like(valid_stats(len(images), classes=0), images)
    stats["split"] = np.where(np.arange(len(images)) < len(images) - holdout, "train", "holdout")
    stats["pixel_sha256"] = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    shape = list(images.shape[1:])
    stats[["channels", "height", "width"]] = shape
    return gated(folder, stats, manifest_of(stats, None) | {"shape": shape}, limits, images)


def gated(
    folder: Path,
    stats: pd.DataFrame,
    manifest: Manifest,
    limits: Validate = LIMITS,
    images: FloatImages | None = None,
) -> Outcome:
    return validate(written(folder, stats, manifest, images), limits, folder / "reports", folder)


def judged(folder: Path, stats: pd.DataFrame, manifest: Manifest, limits: Validate = LIMITS) -> list[Verdict]:
    return gated(folder, stats, manifest, limits).verdicts


def failures(verdicts: list[Verdict]) -> dict[str, Verdict]:
    """The failed expectations by what they are about: GE's type and column."""
    return {f"{v.expectation}({v.column})": v for v in verdicts if not v.success}
