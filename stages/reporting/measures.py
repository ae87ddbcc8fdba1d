"""The page's figures and texts on metrics, all from METRICS. Each number is shown with its floor and sample count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mintage.metrics import Metric, number
from stages.media.medium import Medium
from stages.reporting.inputs import Inputs
from stages.reporting.selection import Measures, Selection
from stages.reporting.words import count
from stages.selection.metrics import METRICS


@dataclass(frozen=True)
class Figure:
    """A figure, always with what it is compared with."""

    title: str
    value: str
    error: str | None
    floor: str
    samples: int
    better: str


def titled(metric: Metric) -> str:
    return metric.title[:1].upper() + metric.title[1:]


def looked_at(metric: Metric, row: Measures, selection: Selection) -> int:
    """How many images a row's figure is based on: generated ones, or encoded images of the holdout."""
    again = selection.reconstruction if metric.needs == "encoder" else None
    return row.samples if again is None else again.images


def of_real(metric: Metric, row: Measures) -> str:
    """A row's floor, with the interval in which it varies by chance where that is known: 0.0638 (0.0220 to 0.139)."""
    return metric.of_real({column: row.value(column) for column in (metric.floor, *metric.interval)})


def with_error(metric: Metric, name: str, row: Measures) -> str:
    """A value of a row, with its standard error where it has one."""
    return metric.with_error(row.value(name), row.value(metric.error))


def shown_metrics(selection: Selection) -> dict[str, Metric]:
    """The metrics that have a value, a floor and a sample count; the selection metric first."""
    found = [
        name
        for name, metric in METRICS.items()
        if selection.samples > 0 and selection.value(name) is not None and selection.value(metric.floor) is not None
    ]
    return {name: METRICS[name] for name in sorted(found, key=lambda name: name != selection.metric)}


def absent(selection: Selection, medium: Medium) -> list[tuple[list[str], str]]:
    """The titles of metrics that are not shown, or of other things not measured, grouped by reason."""
    offered = {None, *medium.has}
    kind = "pictures" if medium.of_pictures else medium.words.many
    of_pairs = {"pairs", f"pairs of {kind}"}
    of_sources = {f"source {kind}", *({"domains"} if selection.directions else of_pairs)}
    offered |= set() if selection.baseline is None else of_sources
    offered |= set() if selection.attributes is None else {"attributes"}
    offered |= {"encoder"} if "reconstruction" in selection.absent else set()
    reasons = []
    for name, metric in METRICS.items():
        if name in shown_metrics(selection) or metric.needs not in offered:
            continue
        missing = "it was not measured" if selection.value(name) is None else "its floor or sample count is missing"
        reasons.append((titled(metric), selection.absent.get(name, missing)))
    others = {name: reason for name, reason in selection.absent.items() if name not in METRICS}
    reasons += [(name.replace("_", " ").capitalize(), reason) for name, reason in others.items()]
    once = dict.fromkeys(reason for _, reason in reasons)
    return [([title for title, of_title in reasons if of_title == reason], reason) for reason in once]


def headline(selection: Selection) -> list[Figure]:
    """The selected checkpoint's figures, the selection metric first."""
    return [
        Figure(
            titled(metric),
            metric.text(selection.value(name)),
            None if (error := selection.value(metric.error)) is None else number(error, 2, counted=False),
            of_real(metric, selection),
            looked_at(metric, selection, selection),
            metric.aim.lower(),
        )
        for name, metric in shown_metrics(selection).items()
    ]


def figure_in_words(name: str, row: Measures, selection: Selection) -> str:
    """A checkpoint's figure as part of a sentence, with its floor and its sample count."""
    metric = METRICS[name]
    counted = count(looked_at(metric, row, selection))
    floor = f"real images: {metric.text(selection.value(metric.floor))}, {counted} samples"
    return f"{titled(metric)} {metric.text(row.value(name))} ({floor})"


def frame_figures(inputs: Inputs) -> dict[int, str]:
    """The selection metric of each checkpoint, by images seen."""
    selection = inputs.selection
    if selection.metric not in shown_metrics(selection):
        return {}
    rows = [row for row in inputs.checkpoints if row.value(selection.metric) is not None]
    return {row.images: figure_in_words(selection.metric, row, selection) for row in rows}


def cost_of_the_last(selection: Selection) -> str:
    """One or two sentences on how much worse the last checkpoint is than the selected one."""
    if selection.last.images == selection.images:
        return (
            "The last checkpoint is the selected one: nothing was lost by training on, and longer may be better still."
        )
    name, metric = selection.metric, METRICS[selection.metric]
    here, there = selection.value(name), selection.last.value(name)
    instead = f"Keeping the last checkpoint ({count(selection.last.images)} images) instead"
    if here is None or there is None or name not in shown_metrics(selection):
        return f"{instead} cannot be compared: its {metric.title} or the floor is missing."
    if metric.text(there) == metric.text(here):
        return f"{instead} would have cost nothing: {metric.title} {metric.text(there)} for both."
    values = f"{metric.title} {metric.text(there)} in place of {metric.text(here)}, {compared(metric, here, there)}"
    counted = count(looked_at(metric, selection, selection))
    floor = f"real images: {metric.text(selection.value(metric.floor))}, {counted} samples each"
    return f"{instead} would have meant {values} ({floor})."


def compared(metric: Metric, here: float, there: float) -> str:
    """How `there` stands to `here`: 10.0 points worse · 34% better · 12.0 times as high · the same · as good."""
    if metric.text(there) == metric.text(here):
        return "the same"
    better = "better" if (there > here) == (metric.direction == "max") else "worse"
    if metric.format == "share":
        by = f"{100 * abs(there - here):.1f} points"
    elif metric.direction == "min" and here > 0 and there / here >= 2:
        return f"{number(there / here)} times as high"
    else:
        by = f"{100 * abs(there - here) / here:.0f}%" if here > 0 else number(abs(there - here))
    return "as good" if by in ("0%", "0.0 points") else f"{by} {better}"


def baselines(name: str, selection: Selection) -> list[str]:
    """What is reached in a metric without what the model adds, each as text: `sources themselves: 77.7`."""
    again = selection.reconstruction
    found = {"sources themselves": selection.baseline, "first stage, enlarged": selection.first_stage}
    found |= {} if again is None else {"mean latent": again.mean_latent, "mean training image": again.mean_image}
    known = {of: one.value(name) for of, one in found.items() if one is not None}
    return [f"{of}: {METRICS[name].text(value)}" for of, value in known.items() if value is not None]


def others(selection: Selection) -> dict[str, Measures]:
    """Columns beside the selected checkpoint: the runner-up and the last checkpoint, in one column if they are the
    same.
    """
    last, runner_up = selection.last, selection.runner_up
    if runner_up is None:
        return {"last": last}
    if runner_up.images == last.images:
        return {"runner-up, last": last}
    return {"runner-up": runner_up, "last": last}


def choice_table(selection: Selection) -> list[dict[str, Any]]:
    """A row for each metric: its meaning, the selected checkpoint with its baselines, real images, the `others`."""
    return [
        {
            "metric": metric,
            "title": titled(metric),
            "floor": of_real(metric, selection),
            "value": with_error(metric, name, selection),
            "baselines": baselines(name, selection),
            "others": [with_error(metric, name, other) for other in others(selection).values()],
        }
        for name, metric in shown_metrics(selection).items()
    ]


def direction_table(selection: Selection) -> list[dict[str, Any]]:
    """A row for each metric: for each direction the model's value, the baseline's, and the floor."""
    return [
        {
            "metric": metric,
            "title": titled(metric),
            "cells": [
                (
                    with_error(metric, name, one.figures),
                    "–" if one.baseline is None else metric.text(one.baseline.value(name)),
                    of_real(metric, one.figures),
                )
                for one in selection.directions or []
            ],
        }
        for name, metric in shown_metrics(selection).items()
    ]


def checkpoint_table(inputs: Inputs) -> dict[str, Any]:
    """Columns, the floor's row, and a row for each checkpoint, with the best value of each column marked."""
    selection = inputs.selection
    columns = shown_metrics(selection)
    best = {name: _best(name, metric, inputs.checkpoints) for name, metric in columns.items()}
    rows = [
        {
            "images": row.images,
            "samples": row.samples,
            "cells": [
                (
                    with_error(metric, name, row),
                    row.value(name),
                    row.value(name) is not None and row.value(name) == best[name],
                )
                for name, metric in columns.items()
            ],
            "selected": row.selected == "1",
            "runner_up": selection.runner_up is not None and row.images == selection.runner_up.images,
            "last": row.images == selection.last.images,
        }
        for row in inputs.checkpoints
    ]
    floors = [of_real(metric, selection) for metric in columns.values()]
    return {"columns": [(titled(m), m.direction) for m in columns.values()], "floors": floors, "rows": rows}


def _best(name: str, metric: Metric, rows: Sequence[Measures]) -> float | None:
    values = [value for row in rows if (value := row.value(name)) is not None]
    return (max if metric.direction == "max" else min)(values, default=None)


def since(previous: Selection, selection: Selection) -> list[dict[str, str]]:
    """A row for each metric that both have: the last release, this one, and which is better."""
    rows = []
    for name, metric in shown_metrics(selection).items():
        before, now = previous.value(name), selection.value(name)
        if before is None or now is None or previous.value(metric.floor) is None:
            continue
        cells = {"title": titled(metric), "verdict": compared(metric, before, now)}
        cells |= {"before": with_error(metric, name, previous), "now": with_error(metric, name, selection)}
        floors = [of_real(metric, one) for one in (previous, selection)]
        rows.append(cells | {"floor": floors[1] if floors[0] == floors[1] else " then ".join(floors)})
    return rows
