"""The tables that are checked, made from the summary table and the manifest."""

import numpy as np
import pandas as pd

from stages.validation.checks import Tables
from stages.validation.manifest import Manifest
from stages.validation.twins import NONE, Rows, Twins

_RARE = 0.05


def tables(stats: pd.DataFrame, manifest: Manifest, twins: Twins) -> Tables:
    """The tables by name. `images` is the summary table, with the number of its pixels and of a near-duplicate, if any.

    `holdout` has a row for each image of the holdout. `totals` is one row: the images of each split, the share that is
    broken, the covered share of [-1,1], and how many groups are in both splits. With classes, `parts` has a row for
    each class and split, and `classes` a row for each class. `attributes` and `domains`, if there are any, have a row
    for each of them and split.
    """
    in_split = stats["split"].value_counts()
    totals = pd.DataFrame({split: [int(in_split.get(split, 0))] for split in ("train", "holdout")})
    counts = manifest.counts
    totals["broken"] = counts.broken / max(1, counts.train + counts.holdout + counts.broken)
    totals["reach"] = _reach(stats)
    totals["torn_groups"] = manifest.torn_groups or 0
    held_out = (stats["split"] == "holdout").to_numpy()
    found: Tables = {
        "images": stats.assign(pixel_sha256=twins.group, near_duplicate=_nullable(twins.near)),
        "holdout": pd.DataFrame({"leaked_from": _nullable(twins.leaked[held_out])}),
        "totals": totals,
    }
    if manifest.classes is not None:
        found["parts"] = _parts(stats, "label", manifest.classes, manifest.class_counts or {})
        found["classes"] = _classes(found["parts"])
    if manifest.domains is not None:
        found["domains"] = _parts(stats, "domain", manifest.domains, manifest.domain_counts or {})
    if manifest.attributes is not None:
        found["attributes"] = _attributes(stats, manifest.attributes)
    return found


def _attributes(stats: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The lowest and the highest value of each attribute in each split, and their difference."""
    rows = []
    for split, values in stats.groupby("split")["attributes"]:
        each = np.stack([np.asarray(row, np.float64) for row in values])
        rows += [
            (f"{name} ({split})", *ends)
            for name, ends in zip(names, np.stack([each.min(0), each.max(0)], 1), strict=True)
        ]
    table = pd.DataFrame(rows, columns=["attribute", "low", "high"])
    return table.assign(span=table["high"] - table["low"])


def _reach(stats: pd.DataFrame) -> float:
    """The range from darkest to brightest as a share of [-1,1], without one image in twenty at each end."""
    ends = stats.loc[np.isfinite(stats["min"]) & np.isfinite(stats["max"]), ["min", "max"]]
    darkest, brightest = ends["min"].quantile(_RARE), ends["max"].quantile(1 - _RARE)
    return float(brightest - darkest) / 2


def _nullable(rows: Rows) -> "pd.Series[float]":
    return pd.Series(np.where(rows == NONE, np.nan, rows))


def _parts(stats: pd.DataFrame, column: str, names: list[str], expected: dict[str, dict[str, int]]) -> pd.DataFrame:
    """A row for each of these names, whose numbers are in `column`, and each split."""
    counted = stats.groupby([column, "split"]).size()
    rows = [
        (f"{name} ({split})", name, split, counted.get((number, split), 0), expected.get(split, {}).get(name, 0))
        for number, name in enumerate(names)
        for split in ("train", "holdout")
    ]
    return pd.DataFrame(rows, columns=["part", "class", "split", "images", "manifest"])


def _classes(parts: pd.DataFrame) -> pd.DataFrame:
    table = parts.pivot_table("images", "class", "split", "sum", sort=False).reset_index()
    table["images"] = table["train"] + table["holdout"]
    table["imbalance"] = table["images"].max() / table["images"]  # infinite for a class without images
    return table
