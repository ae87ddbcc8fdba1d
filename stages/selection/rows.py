"""Figures as rows of tables: of checkpoints, of classes and of attributes."""

from typing import Any

from mintage.attribute_names import groups_of
from stages.selection.measure import Measured
from stages.selection.metrics import METRICS
from stages.selection.reference import Reference
from stages.selection.rule import Row


def row_of(images_seen: int | None, samples: int, found: Measured, real: Measured) -> dict[str, Any]:
    """A checkpoint's row: each metric that both it and the real images have, with its error, floor and interval.

    `images_seen` is None for a row that is of no checkpoint, such as the baseline.
    """
    row: dict[str, Any] = ({} if images_seen is None else {"images": images_seen}) | {"samples": samples}
    for name, metric in METRICS.items():
        if name in found.figures and name in real.figures:
            row[name] = found.figures[name]
            if metric.error is not None:
                row[metric.error] = found.figures[metric.error]
            row[metric.floor] = real.figures[name]
            row |= {column: real.figures[column] for column in metric.interval if column in real.figures}
    return row


def absent_in(found: Measured, real: Measured) -> dict[str, str]:
    """The reason for each metric that a row lacks, by metric."""
    reasons = {name: f"of real images, {why}" for name, why in real.absent.items()} | found.absent
    return {name: reasons[name] for name in METRICS if name in reasons}


def expected(absent: dict[str, str], real: Reference) -> dict[str, str]:
    """The reasons for metrics alone that such data, and such a model, could have."""
    return {name: why for name, why in absent.items() if METRICS[name].needs in real.offers}


def columns(rows: list[Row]) -> list[str]:
    """Every column of figures that any of the rows has, in the order of the metrics."""
    named = ["images", "samples"]
    for name, metric in METRICS.items():
        named += [column for column in (name, *metric.columns) if any(column in row for row in rows)]
    return named


def without_floors(row: Row) -> Row:
    of_real = {column for metric in METRICS.values() for column in (metric.floor, *metric.interval)}
    return {key: value for key, value in row.items() if key not in of_real}


def classes(found: Measured, real: Measured, names: tuple[str, ...] | None) -> list[dict[str, Any]] | None:
    """A row for each class; None without two classes. A figure that was not measured is None."""
    if len(names or ()) < 2:
        return None
    wanted = {"frechet_distance": "frechet_floor", "accuracy": None, "diversity": "diversity_floor"}
    rows = []
    for label, name in enumerate(names or ()):
        row: dict[str, Any] = {"label": label, "name": name}
        for figure, floor in wanted.items():
            row[figure] = _of_class(found, figure, label)
            if floor is not None:
                row[floor] = _of_class(real, figure, label)
        rows.append(row)
    return rows


def attributes(found: Measured, of_real: Measured, real: Reference) -> list[dict[str, Any]] | None:
    """A row for each attribute, with what real images and chance reach; None for a model without attributes."""
    if real.chances is None or "attributes.accuracy" not in found.figures:
        return None
    floors = of_real.figures.get("attributes.accuracy", [None] * len(real.chances))
    columns = zip(groups_of(real.attributes), found.figures["attributes.accuracy"], floors, real.chances, strict=True)
    return [
        {"name": name, "accuracy": accuracy, "accuracy_floor": floor, "chance": chance.item()}
        for name, accuracy, floor, chance in columns
    ]


def _of_class(found: Measured, figure: str, label: int) -> float | None:
    values = found.figures.get(f"classes.{figure}")
    return None if values is None else values[label]
