"""The truncation curve: how much variety the selected generator loses, and fidelity it gains, as noise is truncated."""

import math
from typing import Any

from mintage.metrics import Metric
from stages.reporting.charts import Across, Series, line_chart
from stages.reporting.curves import Chart, Key
from stages.reporting.inputs import Inputs
from stages.reporting.measures import shown_metrics, titled
from stages.reporting.words import count
from stages.selection.metrics import METRICS


def truncation_charts(inputs: Inputs) -> list[Chart]:
    """Charts: variety over fidelity, a point for each threshold; then the first metric over the thresholds."""
    truncation, rows = inputs.selection.truncation, inputs.thresholds
    if truncation is None or len(rows) < 2:
        return []
    known = _measured(inputs)
    axes = truncation.fidelity, truncation.variety
    charts = [_trade(inputs, *axes)] if known.keys() >= {*axes} else []
    distances = [name for name, metric in known.items() if metric.format == "number"]
    return charts + [_over_thresholds(inputs, name) for name in distances[:1]]


def truncation_table(inputs: Inputs) -> dict[str, Any] | None:
    """Columns, a row for each threshold, and the floor; None if there is no curve."""
    if inputs.selection.truncation is None or not inputs.thresholds:
        return None
    columns = _measured(inputs)
    return {
        "columns": [(titled(metric), metric.direction) for metric in columns.values()],
        "rows": [
            {"name": name, "cells": [metric.text(row.value(key)) for key, metric in columns.items()]}
            for name, row in zip(names(inputs), inputs.thresholds, strict=True)
        ],
        "floors": [metric.text(inputs.thresholds[0].value(metric.floor)) for metric in columns.values()],
    }


def names(inputs: Inputs) -> list[str]:
    """The names of the thresholds."""
    return ["no limit" if row.threshold is None else f"{row.threshold:g}" for row in inputs.thresholds]


def _measured(inputs: Inputs) -> dict[str, Metric]:
    """The metrics that the page shows and some row has, always with a floor."""
    known = {n: m for n, m in METRICS.items() if n in shown_metrics(inputs.selection)}
    rows = inputs.thresholds
    return {
        name: metric
        for name, metric in known.items()
        if any(row.value(name) is not None and row.value(metric.floor) is not None for row in rows)
    }


def _trade(inputs: Inputs, fidelity: str, variety: str) -> Chart:
    rows, x, y = inputs.thresholds, METRICS[fidelity], METRICS[variety]
    line = Series(_values(inputs, fidelity), _values(inputs, variety), dots=True, names=names(inputs))
    real = Series(_values(inputs, x.floor)[-1:], _values(inputs, y.floor)[-1:], "muted", dots=True)
    keys = (Key("thresholds", "ink", "line"), Key("real images", "muted", "dot"))
    said = ", ".join(
        f"{name}: {x.text(row.value(fidelity))} and {y.text(row.value(variety))}"
        for name, row in zip(names(inputs), rows, strict=True)
    )
    svg = line_chart(
        "truncation-trade",
        f"{titled(x)} and {y.title} at each threshold. {said}.",
        [line, real],
        limits=(0.0, 1.05),
        shares=True,
        across=Across(x.title, shares=True),
    )
    caption = (
        f"To the right more images look real ({x.title}), upwards more of the real ones are reached ({y.title}). In a "
        "latent space that can be cut, a lower threshold trades one for the other (Brock et al. 2019). "
        f"{count(rows[-1].samples)} samples a threshold."
    )
    return Chart("Fidelity against variety", caption, keys, svg)


def _over_thresholds(inputs: Inputs, name: str) -> Chart:
    metric, floor = METRICS[name], inputs.thresholds[-1].value(METRICS[name].floor)
    limits = names(inputs)
    line = Series(list(range(len(limits))), _values(inputs, name), dots=True)
    said = ", ".join(f"{at}: {metric.text(row.value(name))}" for at, row in zip(limits, inputs.thresholds, strict=True))
    svg = line_chart(
        "truncation-distance",
        f"{titled(metric)} at each threshold. {said}. Real images score {metric.text(floor)}.",
        [line],
        level=floor,
        across=Across("noise truncated at", words=limits),
    )
    keys = (Key("thresholds", "ink", "line"), Key("real images", "muted", "dashes"))
    return Chart(f"{titled(metric)} by threshold", f"{metric.meaning} {metric.aim}.", keys, svg)


def _values(inputs: Inputs, column: str) -> list[float]:
    return [math.nan if (value := row.value(column)) is None else value for row in inputs.thresholds]
