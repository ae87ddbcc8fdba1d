"""A small normalized data set on disk, real digits, and the params of a short training."""

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from ruamel.yaml import YAML

from mintage.damage import Damage
from stages.common.files import sha256_of, write_json
from stages.common.shards import shard_path, tensor_table

ROOT = Path(__file__).parents[2]
CLASSES = [str(digit) for digit in range(10)]


def write_digits(
    folder: Path,
    train: int = 300,
    holdout: int = 100,
    classes: list[str] | None = CLASSES,
    damage: tuple[str, float] | None = None,
) -> None:
    """`data/normalized` and a passed gate under `folder`; without `classes`, without labels; damaged, in pairs."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 8 - 1).astype(np.float32)[:, None]
    for split, rows in (("train", range(train)), ("holdout", range(train, train + holdout))):
        target = folder / "data" / "normalized" / split
        target.mkdir(parents=True)
        labels = [int(digits.target[i]) % len(classes) if classes else None for i in rows]
        shown, keys = images[list(rows)], [f"digit-{i}" for i in rows]
        partners = None if damage is None else Damage(*damage).sources(torch.from_numpy(shown), 0, 0).numpy()
        table = tensor_table(shown, labels, keys, classes, partners=partners, damage=damage)
        pq.write_table(table, shard_path(target, 0), row_group_size=25)
    about = {"fingerprint": f"{train}-{holdout}", "shape": [1, 8, 8], "classes": classes, "attributes": None}
    about |= {"domains": None, "partner_shape": None if partners is None else list(partners.shape[1:])}
    write_json(folder / "data/normalized/manifest.json", about)
    write_json(folder / "reports/validation.json", {"success": True})


def digests(folder: Path, *outputs: str) -> dict[str, str]:
    """SHA-256 of every file of these outputs, by its path in `folder`."""
    paths = [path for output in outputs for path in [folder / output, *sorted((folder / output).rglob("*"))]]
    return {str(path.relative_to(folder)): sha256_of(path) for path in paths if path.is_file()}


def write_params(folder: Path, changes: dict[str, Any]) -> None:
    """The repository's `params.yaml` under `folder`, with `changes` by dotted key, such as `train.seed`.

    Stages compute on the processor, also where there is a GPU, whose bits would be others.
    """
    params = copy.deepcopy(_params())
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = params
        for part in sections:
            section = section.setdefault(part, {}) if "recipe" in sections else section[part]
        assert name in section or "recipe" in sections, f"{key} is not in params.yaml"
        section[name] = value
    YAML().dump(params, folder / "params.yaml")


@functools.cache
def _params() -> Any:
    params = YAML().load(ROOT / "params.yaml")
    for stage in ("evaluator", "train", "select", "sample"):
        params[stage]["device"] = "cpu"
    return params
