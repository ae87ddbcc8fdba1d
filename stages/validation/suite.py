"""What must hold of normalized images before anything trains on them: the expectations, as data.

Great Expectations judges them (judge.py) and is not needed here: this is the list to read, and to extend.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from stages.common.params import Validate

LOWEST, HIGHEST = -1, 1
MIN_HOLDOUT = 2  # a covariance, on which the Frechet distance stands, needs two
EXAMPLES = 10
SHARE, EXCEPTIONS = "share", "exceptions"
Tables = dict[str, pd.DataFrame]
NAMED_BY = {"images": "key", "parts": "part", "classes": "class"}  # the column that names a row of a table


class Counts(BaseModel):
    train: NonNegativeInt
    holdout: NonNegativeInt
    broken: NonNegativeInt


class Manifest(BaseModel):
    """What the gate reads of `data/normalized/manifest.json`."""

    model_config = ConfigDict(frozen=True)

    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    classes: Annotated[list[str], Field(min_length=1)] | None
    counts: Counts
    class_counts: dict[str, dict[str, NonNegativeInt]] | None
    broken: list[dict[str, str]] = Field(default_factory=list)
    source: dict[str, str | None] = Field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One expectation: what must hold, of which table, and which class of Great Expectations judges it."""

    name: str
    """What must hold, as a sentence."""
    table: str
    """A key of `Tables`."""
    expectation: str
    """A class in `great_expectations.expectations`."""
    arguments: dict[str, Any]
    limit: Any
    """What is asked, as it is shown."""
    observed: Any = None
    """What was found, as it is shown; None: what Great Expectations counts."""
    unit: str | None = None
    """`SHARE`, `EXCEPTIONS` (rows that break the rule), or None for a plain value."""
    examples: list[str] | None = None
    """Offenders; None: those that Great Expectations finds."""

    @property
    def column(self) -> str | None:
        found: str | None = self.arguments.get("column") or self.arguments.get("column_A")
        return found


def tables(stats: pd.DataFrame, manifest: Manifest) -> Tables:
    """The tables that are judged.

    `images` is the summary table, `totals` one row with the images of each split;
    with classes, `parts` has a row a class and split, `classes` a row a class.
    """
    in_split = stats["split"].value_counts()
    totals = pd.DataFrame({split: [int(in_split.get(split, 0))] for split in ("train", "holdout")})
    found: Tables = {"images": stats, "totals": totals}
    if manifest.classes is not None:
        found["parts"] = _parts(stats, manifest.classes, manifest.class_counts or {})
        found["classes"] = _classes(found["parts"])
    return found


def _parts(stats: pd.DataFrame, classes: list[str], expected: dict[str, dict[str, int]]) -> pd.DataFrame:
    counted = stats.groupby(["label", "split"]).size()
    rows = [
        (f"{name} ({split})", name, split, counted.get((label, split), 0), expected.get(split, {}).get(name, 0))
        for label, name in enumerate(classes)
        for split in ("train", "holdout")
    ]
    return pd.DataFrame(rows, columns=["part", "class", "split", "images", "manifest"])


def _classes(parts: pd.DataFrame) -> pd.DataFrame:
    table = parts.pivot_table("images", "class", "split", "sum", sort=False).reset_index()
    table["images"] = table["train"] + table["holdout"]
    table["imbalance"] = table["images"].max() / table["images"]  # infinite for a class without images
    return table


def checks(found: Tables, manifest: Manifest, limits: Validate) -> list[Check]:
    """Every expectation, in the order in which a person reads them."""
    images, totals = found["images"], found["totals"]
    listed = [*_values(images), *_shape(images, manifest.shape), *_identity(), *_labels(manifest.classes)]
    listed.append(_repeats(images, limits.max_duplicates))
    if math.prod(manifest.shape) > 1:  # one value alone is always flat
        listed.append(_constant(limits.max_constant))
    listed += [*_counts(totals, manifest.counts), *_enough(totals, limits.min_images)]
    return listed + (_balance(found["parts"], found["classes"], limits) if manifest.classes is not None else [])


def _values(images: pd.DataFrame) -> list[Check]:
    asked = f"{LOWEST} to {HIGHEST}"
    listed = [_within("Every value is a finite number, no NaN and no infinity", "images", "finite", [True])]
    for column, word in (("min", "smallest"), ("max", "largest")):
        name = f"The {word} value of every image lies within [{LOWEST}, {HIGHEST}]"
        listed.append(_between(name, "images", column, LOWEST, HIGHEST, limit=asked, observed=_span(images[column])))
    return listed


def _shape(images: pd.DataFrame, shape: tuple[int, int, int]) -> list[Check]:
    listed = []
    for column, size in zip(("channels", "height", "width"), shape, strict=True):
        word = "number of channels" if column == "channels" else column
        name = f"The {word} of every image is the manifest's"
        listed.append(_between(name, "images", column, size, size, limit=size, observed=_span(images[column])))
    return listed


def _identity() -> list[Check]:
    name = "No key stands twice, neither in one split nor in both"
    unique = Check(name, "images", "ExpectColumnValuesToBeUnique", {"column": "key"}, 0, unit=EXCEPTIONS)
    return [
        unique,
        _within("Every image is in the train or the holdout split", "images", "split", ["train", "holdout"]),
    ]


def _labels(classes: list[str] | None) -> list[Check]:
    if classes is None:
        name = "No image has a label, as the data has no classes"
        return [Check(name, "images", "ExpectColumnValuesToBeNull", {"column": "label"}, 0, unit=EXCEPTIONS)]
    name = f"Every label is one of the {len(classes):,} classes"
    return [
        Check(
            "Every image has a label",
            "images",
            "ExpectColumnValuesToNotBeNull",
            {"column": "label"},
            0,
            unit=EXCEPTIONS,
        ),
        _within(name, "images", "label", list(range(len(classes)))),
    ]


def _repeats(images: pd.DataFrame, share: float) -> Check:
    name = f"At most {100 * share:g}% of the images repeat another, pixel for pixel"
    arguments = {"column": "pixel_sha256", "mostly": _mostly(share)}
    return Check(name, "images", "ExpectColumnValuesToBeUnique", arguments, share, unit=SHARE, examples=_twins(images))


def _constant(share: float) -> Check:
    name = f"At most {100 * share:g}% of the images are one flat colour"
    arguments = {"column": "std", "min_value": 0, "strict_min": True, "mostly": _mostly(share)}
    return Check(name, "images", "ExpectColumnValuesToBeBetween", arguments, share, unit=SHARE)


def _counts(totals: pd.DataFrame, counts: Counts) -> list[Check]:
    rows = counts.train + counts.holdout
    name = "The summary has a row for every image that the manifest counts"
    listed = [Check(name, "images", "ExpectTableRowCountToEqual", {"value": rows}, rows)]
    for split, images in (("train", counts.train), ("holdout", counts.holdout)):
        name = f"The {split} split has as many images as the manifest counts"
        listed.append(_between(name, "totals", split, images, images, limit=images, observed=_first(totals[split])))
    return listed


def _enough(totals: pd.DataFrame, min_images: int) -> list[Check]:
    listed = []
    for split, least in (("train", min_images), ("holdout", MIN_HOLDOUT)):
        name = f"The {split} split has at least {least:,} images"
        listed.append(_between(name, "totals", split, least, None, limit=least, observed=_first(totals[split])))
    return listed


def _balance(parts: pd.DataFrame, classes: pd.DataFrame, limits: Validate) -> list[Check]:
    equal = {"column_A": "images", "column_B": "manifest"}
    name = "Every class has as many images in each split as the manifest counts"
    counted = Check(name, "parts", "ExpectColumnPairValuesToBeEqual", equal, 0, unit=EXCEPTIONS)
    least, most = limits.min_class_images, limits.max_imbalance
    name = f"Every class has at least {least:,} images in each split"
    present = _between(name, "parts", "images", least, None, limit=least, observed=int(parts["images"].min()))
    name = f"The largest class has at most {most:g} times the images of any other"
    balanced = _between(name, "classes", "imbalance", None, most, limit=most, observed=_largest(classes["imbalance"]))
    return [counted, present, balanced]


def _within(name: str, table: str, column: str, values: list[Any]) -> Check:
    """Only `values` in the column; other rows are exceptions."""
    arguments = {"column": column, "value_set": values}
    return Check(name, table, "ExpectColumnValuesToBeInSet", arguments, 0, unit=EXCEPTIONS)


def _between(
    name: str, table: str, column: str, low: float | None, high: float | None, *, limit: Any, observed: Any
) -> Check:
    """Only values from `low` to `high`, both allowed, in the column."""
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Check(name, table, "ExpectColumnValuesToBeBetween", arguments, limit, observed)


def _mostly(share: float) -> float:
    """The share that must pass; rounded, so that 1 - 0.07 is the 0.93 that 93 of 100 give."""
    return round(1 - share, 12)


def _span(column: "pd.Series[Any]") -> Any:
    """The values of a column: one, or lowest to highest."""
    low, high = column.min(), column.max()
    if pd.isna(low):
        return "nothing"
    return low.item() if low == high and math.isfinite(low) else f"{low:.6g} to {high:.6g}"


def _first(column: "pd.Series[int]") -> int:
    return int(column.iloc[0])


def _largest(imbalance: "pd.Series[float]") -> Any:
    largest = float(imbalance.max())
    return round(largest, 2) if math.isfinite(largest) else "a class without images"


def _twins(images: pd.DataFrame) -> list[str]:
    """Keys of images whose pixels occur more than once, twins side by side."""
    repeated = images[images["pixel_sha256"].duplicated(keep=False)]
    place = repeated.groupby("pixel_sha256", sort=False).ngroup().sort_values(kind="stable")
    twins: list[str] = repeated["key"][place.index].head(EXAMPLES).tolist()
    return twins
