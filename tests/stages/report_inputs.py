"""A small, complete set of what the report reads, as the other stages would have written it."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.files import write_bytes, write_json, write_tsv
from stages.common.pictures import encode_png, grid, grid_scale

NAMES = [f"digit {n}" for n in range(10)]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FINGERPRINT = "f1" * 32
STAGES = ["ingest", "normalize", "validate", "evaluator", "train", "select", "sample"]
CHECKPOINTS = [50048, 100032, 150016, 200000]
SELECTED = 150016


def picture(columns: int, rows: int, seed: int) -> bytes:
    images = np.random.default_rng(seed).integers(0, 256, (columns * rows, 1, 8, 8), dtype=np.uint8)
    return encode_png(grid(images, columns, scale=grid_scale(8, 8)))


def measures(images: int, classes: bool) -> dict[str, Any]:
    far = 1 + abs(images - SELECTED) / 10000
    row = {"images": images, "samples": 2000, "frechet_distance": 9.81 * far, "frechet_floor": 0.523}
    row |= {"frechet_floor_low": 0.401, "frechet_floor_high": 0.777}
    row |= {"kernel_distance": 0.0412 * far, "kernel_error": 0.0031, "kernel_floor": -0.00021}
    row |= {"precision": 0.7312 / far, "precision_floor": 0.9021, "recall": 0.6543 / far, "recall_floor": 0.8913}
    row |= {"near_copies": 0.0, "near_copies_floor": 0.0015}
    of_classes = {"conditional_accuracy": 0.912 / far, "accuracy_floor": 0.9861}
    return row | (of_classes | {"diversity": 7.77 / far, "diversity_floor": 8.88} if classes else {})


def threshold(limit: float | None) -> dict[str, Any]:
    lost = 0.0 if limit is None else 0.3 / (1 + limit)
    row = {"threshold": limit, "samples": 2000, "frechet_distance": 9.73 + 31 * lost, "frechet_floor": 0.523}
    row |= {"precision": 0.7312 + lost, "precision_floor": 0.9021, "recall": 0.6543 - lost, "recall_floor": 0.8913}
    return row | {"conditional_accuracy": None, "accuracy_floor": None}


def without_floors(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if "_floor" not in column}


def judged(names: list[str] | None) -> dict[str, Any]:
    """What `metrics/selection.json` says beyond the chosen row."""
    absent = {"classifier_score": "the evaluator is no classifier of these images"}
    absent |= {} if names else {"conditional_accuracy": "the images have no classes"}
    each = {
        "frechet_distance": 12.3,
        "frechet_floor": 1.02,
        "accuracy": 0.934,
        "diversity": 7.1,
        "diversity_floor": 8.2,
    }
    of_classes = [{"label": label, "name": name, **each} for label, name in enumerate(names or [])]
    classifier = {"kind": "semi_supervised", "accuracy": 0.9337, "error": 0.0131, "batch_size": 64, "evaluator": 0.9861}
    classifier |= {"labels": 150, "images": 1437, "supervised": 0.8412, "same_network": 0.7923}
    score = {"generated": 0.871, "real": 0.913, "images": 1437, "seed": 5, "sentence": "Nearly as much as real ones."}
    return {
        "metric": "frechet_distance",
        "rule": "the smallest Frechet distance.",
        "seed": 4,
        "floor_images": 1437,
        "holdout_images": 359,
        "checkpoints": len(CHECKPOINTS),
        "why": "It has the lowest Frechet distance of 4 checkpoints.",
        "runner_up": without_floors(measures(CHECKPOINTS[1], bool(names))),
        "last": without_floors(measures(CHECKPOINTS[-1], bool(names))),
        "features": {
            "network": "domain",
            "sha256": "fe" * 32,
            "protocol": "The pipeline's own classifier, 64 features.",
        },
        "absent": absent,
        "verdict": {
            "level": "fair",
            "sentence": "Fair: 6.2 times what real images reach by chance.",
            "curve": "The Frechet distance rose again.",
            "advice": "Try another family.",
        },
        "left_out": None,
        "collapse": {"collapsed": False, "sentence": "No collapse: all ten classes are drawn."},
        "copying": {"copied": False, "sentence": "Not by heart: no closer than held-out images."},
        "classes": of_classes or None,
        "classification_accuracy_score": score if names else None,
        "classifier": classifier | {"sentence": "It learned from the others, too."} if names else None,
        "pairs_told_apart": {
            "pairs": 1000,
            "share": 0.871,
            "error": 0.0106,
            "sentence": "The discriminator finds the real one in 87.1% of 1,000 pairs.",
        },
        "detector": {"images": 359, "sentence": "The detector is right in 95.5%."},
        "reconstruction": {
            "images": 359,
            "sentence": "Of 359 held-out images, encoded and made again, 71.0% lie nearest to themselves.",
        },
        "truncation": {
            "samples": 2000,
            "fidelity": "precision",
            "variety": "recall",
            "sentence": "Fidelity rises as variety falls.",
        },
    }


def write_inputs(root: Path, classes: list[str] | None = NAMES) -> Path:
    """A small, complete set of what the report reads, under `root`."""
    write_data(root, classes)
    write_metrics(root, classes)
    for place, images in enumerate(CHECKPOINTS):
        write_bytes(root / f"plots/training/images-{images:09d}.png", picture(10, 10, place))
    write_bytes(root / "plots/nearest.png", picture(12, 3, 10))
    write_bytes(root / "plots/samples.png", picture(10, len(classes or NAMES), 11))
    write_latent(root)
    for name in ("generator.safetensors", "config.json", "README.md", "provenance.json"):
        write_bytes(root / "models/selected" / name, name.encode() * 900)
    for stage in STAGES:
        write_json(root / f"provenance/{stage}.json", made(stage))
    return root


def write_data(root: Path, classes: list[str] | None) -> None:
    counts = {split: dict.fromkeys(classes or [], n) for split, n in (("train", 144), ("holdout", 36))}
    manifest = {
        "shape": [1, 8, 8],
        "range": [-1, 1],
        "classes": classes,
        "counts": {"train": 1437, "holdout": 359, "read": 1797, "broken": 1},
        "class_counts": None if classes is None else counts,
        "broken": [{"key": "image-0666", "reason": "truncated after 12 bytes"}],
        "split": {"kind": "random", "holdout": 0.2, "seed": 7},
        "source": {"name": "handwritten digits", "license": "CC BY 4.0", "origin": "https://archive.ics.uci.edu/80"},
        "fingerprint": FINGERPRINT,
    }
    write_json(root / "data/normalized/manifest.json", manifest)
    expectation = {"expectation": "expect_column_values_to_be_between", "examples": [], "success": True}
    expectation["severity"] = "critical"
    expectations = [
        expectation | {"name": "values lie in [-1,1]", "column": "min", "observed": -1.0, "limit": -1.0},
        expectation | {"name": "every class is there", "column": "label", "observed": [0, 1, 2], "limit": None},
        expectation | {"name": "few duplicates", "column": None, "observed": 0.0123, "limit": {"at most": 0.05}},
    ]
    validation = {"success": True, "expectations": expectations, "rows": 1796, "great_expectations": "1.24.1"}
    write_json(root / "reports/validation.json", validation)
    write_json(root / "reports/drift.json", {"reason": "nothing was published from here yet", "expectations": []})


def write_latent(root: Path) -> None:
    pictures = [
        {
            "file": "walk.png",
            "title": "Walks between two latents",
            "caption": "From one to another.",
            "rows": ["walk 1"],
        },
        {"file": "truncation.png", "title": "Truncation", "caption": "Tails cut.", "rows": ["at most 1", "no limit"]},
    ]
    write_bytes(root / "plots/latent/walk.png", picture(12, 1, 12))
    write_bytes(root / "plots/latent/truncation.png", picture(10, 2, 13))
    absent = [{"title": "Information code", "reason": "the family learns none (infogan does)"}]
    write_json(root / "metrics/latent.json", {"pictures": pictures, "absent": absent})
    write_json(root / "plots/heard/heard.json", {"columns": [], "rows": []})


def write_metrics(root: Path, classes: list[str] | None) -> None:
    quality = {"holdout_accuracy": 0.9861} if classes else {"holdout_explained_variance": 0.874}
    kind = {"kind": "classifier" if classes else "autoencoder", **quality}
    size = {"images": 120000, "holdout_images": 359, "features": 64, "sha256": "e7" * 32}
    write_json(root / "metrics/evaluator.json", kind | size)
    rows = [measures(images, classes is not None) | {"selected": int(images == SELECTED)} for images in CHECKPOINTS]
    write_tsv(root / "metrics/checkpoints.tsv", rows)
    write_tsv(root / "metrics/truncation.tsv", [threshold(limit) for limit in (0.25, 1.0, None)])
    selection = measures(SELECTED, classes is not None) | judged(classes)
    write_json(root / "metrics/selection.json", selection)
    write_tsv(root / "metrics/train.tsv", [curve(images) for images in range(5056, 200001, 4992)])


def curve(images: int) -> dict[str, Any]:
    wave = math.sin(images / 9000)
    row = {"images": images, "discriminator_loss": 1.1 + 0.1 * wave, "generator_loss": 1.3 - 0.2 * wave}
    return row | {
        "d_real": 0.6,
        "d_fake": 0.35 + 0.05 * wave,
        "value": -1.1 + 0.1 * wave,
        "value_optimum": -math.log(4),
    }


def made(stage: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"stage": stage, "git": {"commit": COMMIT, "clean": stage != "select"}}
    facts |= {"params": {"seed": 3, "count": 1000, "classes": []}, "seconds": 61.5, "packages": {"numpy": "2.3.1"}}
    facts["machine"] = {"python": "3.11.9", "platform": "Linux-6.1-x86_64", "device": "cpu"}
    if stage == "train":
        facts |= {"family": "cgan", "images": 200000, "images_per_second": 4321, "data_fingerprint": FINGERPRINT}
        facts |= {"parameters": {"generator": 123456, "discriminator": 98765}, "recipe": {"objective": "minimax"}}
    return facts
