"""Figures and curves. A number without its floor and sample count is not shown: its reason is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup

from stages.common.params import Metric
from stages.reporting.charts import Colour, Series, is_wide, line_chart
from stages.reporting.inputs import Curve, Inputs, Measures, Selection
from stages.reporting.words import count, number, percent


@dataclass(frozen=True)
class Measure:
    """How good a checkpoint is, in one way."""

    key: Metric
    floor: str
    title: str
    higher: bool
    """Whether higher is better."""
    real: str
    """What the floor is, after 'real images'."""
    meaning: str
    share: bool = False
    """Whether it is a share in [0,1]."""
    of_truth: bool = False
    """Whether it is of data whose modes are known, and of no other."""

    def of(self, row: Measures) -> float | None:
        value: float | None = getattr(row, self.key)
        return value

    def floor_of(self, row: Measures) -> float | None:
        value: float | None = getattr(row, self.floor)
        return value

    def error_of(self, row: Measures) -> float | None:
        return row.kernel_error if self.key == "kernel_distance" else None

    def text(self, value: float | None) -> str:
        return percent(value) if self.share else number(value)


MEASURES = (
    Measure(
        "frechet_distance",
        "frechet_floor",
        "Fréchet distance",
        False,
        "against real images",
        "How far generated images lie from held-out real ones, as the evaluator sees them. Lower is better; "
        "the dashed line is what real images score against other real images.",
    ),
    Measure(
        "kernel_distance",
        "kernel_floor",
        "Kernel distance",
        False,
        "against real images",
        "The same question asked another way, without a bias from the number of samples, so that it can fall "
        "below 0. Lower is better; "
        "the band is one standard error either way, the dashed line real images against other real images.",
    ),
    Measure(
        "conditional_accuracy",
        "accuracy_floor",
        "Conditional accuracy",
        True,
        "recognised as their class",
        "How often the evaluator recognises a generated image as the class that was asked for. Higher is better; "
        "the dashed line is how often it recognises real held-out images.",
        share=True,
    ),
    Measure(
        "modes_captured",
        "modes_floor",
        "Modes captured",
        True,
        "the modes there are",
        "How many of the data's modes have a generated point within three standard deviations. Higher is better; "
        "fewer than the dashed line is mode collapse.",
        of_truth=True,
    ),
    Measure(
        "high_quality",
        "quality_floor",
        "High quality",
        True,
        "within three standard deviations",
        "The share of generated points within three standard deviations of a mode. Higher is better, up to the "
        "dashed line: beyond it the modes are drawn too narrow.",
        share=True,
        of_truth=True,
    ),
    Measure(
        "reverse_kl",
        "reverse_kl_floor",
        "Reverse KL",
        False,
        "by chance",
        "How unevenly the generated points are spread over the modes. Lower is better, 0 is even; the dashed line is "
        "what as many real points give by chance.",
        of_truth=True,
    ),
)


@dataclass(frozen=True)
class Figure:
    """A headline figure, never without what it is to be read against."""

    title: str
    value: str
    error: str | None
    floor: str
    real: str
    samples: int
    better: str


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    text: str
    colour: Colour
    shape: Literal["line", "dashes", "dot"]


@dataclass(frozen=True)
class Chart:
    """A chart with its words; without an `svg`, `absent` says why."""

    title: str
    caption: str
    keys: tuple[Key, ...] = ()
    svg: Markup | None = None
    absent: str | None = None


def why_absent(measure: Measure, row: Measures) -> str | None:
    """Why a measure cannot be shown; None where it can."""
    if measure.of(row) is None:
        return "it was not measured"
    if measure.floor_of(row) is None:
        return "its floor (what real images score) is missing"
    return None if row.samples > 0 else "its number of samples is missing"


def shown(row: Measures) -> list[Measure]:
    return [measure for measure in MEASURES if why_absent(measure, row) is None]


def headline(selection: Selection) -> list[Figure]:
    """The selected checkpoint's figures, the one it was selected by first."""
    ordered = sorted(shown(selection), key=lambda measure: measure.key != selection.metric)
    return [_figure(measure, selection) for measure in ordered]


def _figure(measure: Measure, row: Measures) -> Figure:
    error = measure.error_of(row)
    return Figure(
        measure.title,
        measure.text(measure.of(row)),
        None if error is None else number(error, 2),
        measure.text(measure.floor_of(row)),
        measure.real,
        row.samples,
        "higher is better" if measure.higher else "lower is better",
    )


def absent(inputs: Inputs) -> list[str]:
    """A sentence for each figure that is not shown."""
    possible = [measure for measure in MEASURES if inputs.manifest.truth is not None or not measure.of_truth]
    reasons = {measure: why_absent(measure, inputs.selection) for measure in possible}
    if not inputs.conditional:
        whose = "the images have no classes" if inputs.manifest.classes is None else "the generator takes no class"
        reasons |= {m: whose for m in possible if m.key == "conditional_accuracy" and reasons[m]}
    return [f"{measure.title} is not shown: {reason}." for measure, reason in reasons.items() if reason]


def told(measure: Measure, row: Measures) -> str:
    """A figure within a sentence: with its floor and its sample count."""
    floor = f"real images: {measure.text(measure.floor_of(row))}, {count(row.samples)} samples"
    return f"{measure.title} {measure.text(measure.of(row))} ({floor})"


def frame_figures(inputs: Inputs) -> dict[int, str]:
    """By images seen: the figure of that checkpoint by which one was selected."""
    chosen = _chosen(inputs.selection)
    return {row.images: told(chosen, row) for row in inputs.checkpoints if why_absent(chosen, row) is None}


def cost_of_the_last(selection: Selection) -> str:
    """What keeping the last checkpoint instead of the selected one would have cost, in a sentence or two."""
    if selection.last.images == selection.images:
        return (
            "The last checkpoint is the selected one: nothing was lost by training on, and longer may be better still."
        )
    chosen = _chosen(selection)
    here, there = chosen.of(selection), chosen.of(selection.last)
    instead = f"Keeping the last checkpoint ({count(selection.last.images)} images) instead"
    if there is None or why_absent(chosen, selection):
        return f"{instead} cannot be compared: its {chosen.title} or the floor is missing."
    assert here is not None
    if there == here:
        return f"{instead} would have cost nothing: {chosen.title} {chosen.text(there)} for both."
    values = f"{chosen.title} {chosen.text(there)} in place of {chosen.text(here)}"
    floor = f"real images: {chosen.text(chosen.floor_of(selection))}, {count(selection.samples)} samples each"
    return f"{instead} would have been {_compared(chosen, here, there)}: {values} ({floor})."


def _compared(measure: Measure, here: float, there: float) -> str:
    """How `there` stands to `here`: 10.0 points worse · 34% better · 12.0 times as far."""
    if measure.share:
        return f"{100 * abs(there - here):.1f} points {'better' if there > here else 'worse'}"
    if here > 0 and there / here >= 2:
        return f"{number(there / here)} times as far"
    by = f"{100 * abs(there - here) / here:.0f}%" if here > 0 else number(abs(there - here))
    return f"{by} {'worse' if there > here else 'better'}"


def checkpoint_table(inputs: Inputs) -> dict[str, Any]:
    """Columns, the floor's row, and a row a checkpoint with the best of each column told apart."""
    selection = inputs.selection
    columns = shown(selection)
    best = {m.key: _best(m, inputs.checkpoints) for m in columns}
    rows = [
        {
            "images": row.images,
            "samples": row.samples,
            "cells": [(_cell(m, row), m.of(row) is not None and m.of(row) == best[m.key]) for m in columns],
            "selected": row.selected == "1",
            "last": row.images == selection.last.images,
        }
        for row in inputs.checkpoints
    ]
    return {"columns": columns, "floors": [m.text(m.floor_of(selection)) for m in columns], "rows": rows}


def _cell(measure: Measure, row: Measures) -> str:
    error = measure.error_of(row)
    value = measure.of(row)
    return measure.text(value) + ("" if error is None or value is None else f" ± {number(error, 2)}")


def _best(measure: Measure, rows: Sequence[Measures]) -> float | None:
    values = [value for row in rows if (value := measure.of(row)) is not None]
    return (max if measure.higher else min)(values, default=None)


def _chosen(selection: Selection) -> Measure:
    return next(measure for measure in MEASURES if measure.key == selection.metric)


def quality_charts(inputs: Inputs) -> list[Chart]:
    """A chart for each measure shown: its value at each checkpoint, the floor, the selected one."""
    return [_quality_chart(measure, inputs) for measure in shown(inputs.selection)]


def _quality_chart(measure: Measure, inputs: Inputs) -> Chart:
    selection = inputs.selection
    rows = inputs.checkpoints
    here, floor = measure.of(selection), measure.floor_of(selection)
    assert here is not None
    assert floor is not None
    has_error = any(measure.error_of(row) is not None for row in rows)
    line = Series(
        [row.images for row in rows],
        [_or_gap(measure.of(row)) for row in rows],
        dots=True,
        error=[measure.error_of(row) or 0.0 for row in rows] if has_error else None,
    )
    keys = (Key("checkpoints", "ink", "line"), Key("selected", "accent", "dot"), Key("real", "muted", "dashes"))
    label = f"{_spoken(measure.title, line)} Real images score {measure.text(floor)}."
    limits = (0.0, 1.02 * (1.0 if measure.share else floor)) if measure.higher else None
    svg = line_chart(
        measure.key, label, [line], level=floor, mark=(selection.images, here), limits=limits, shares=measure.share
    )
    caption = f"{measure.meaning} {count(selection.samples)} samples a checkpoint."
    note = "" if limits else _scale_note([line], floor)
    return Chart(measure.title, caption + note, keys, svg)


def training_charts(curves: Sequence[Curve]) -> list[Chart]:
    """Losses; what the discriminator makes of real and generated images; the value of the game."""
    return [_losses(curves), _judgement(curves), _value(curves)]


def _losses(curves: Sequence[Curve]) -> Chart:
    return _curves(
        "Losses",
        _two(curves, "discriminator_loss", "generator_loss"),
        ("discriminator", "generator"),
        "What each player tries to lower. Losses do not say how good the images are: look for a balance that "
        "holds, and for neither player running away.",
        name="losses",
    )


def _judgement(curves: Sequence[Curve]) -> Chart:
    lines = _two(curves, "d_real", "d_fake")
    within = all(0 <= y <= 1 for line in lines for y in line.y if math.isfinite(y))  # else D gives no probability
    return _curves(
        "What the discriminator sees",
        lines,
        ("real, D(x)", "fake, D(G(z))"),
        "How real it takes real images, D(x), and generated ones, D(G(z)), to be. The closer together, "
        "the less it can tell them apart" + ("; at the dashed 0.5 it can only guess." if within else "."),
        name="judgement",
        level=("0.5", 0.5) if within else None,
        limits=(0.0, 1.0) if within else None,
    )


def _value(curves: Sequence[Curve]) -> Chart:
    optimum = next((row.value_optimum for row in curves if row.value_optimum is not None), None)
    return _curves(
        "Value of the game, V(G,D)",
        [_one(curves, "value", "accent")],
        ("V(G,D)",),
        "The dashed line is −log 4 ≈ −1.386, where the game ends when generated and real images are the same. "
        "Above it the discriminator still finds a difference.",
        name="value",
        level=None if optimum is None else ("−log 4", optimum),
    )


def _curves(
    title: str,
    lines: list[Series],
    names: tuple[str, ...],
    caption: str,
    *,
    name: str,
    level: tuple[str, float] | None = None,
    limits: tuple[float, float] | None = None,
) -> Chart:
    if not any(math.isfinite(y) for line in lines for y in line.y):
        return Chart(title, "", absent="Not shown: it was not recorded in this training.")
    label = " ".join(
        _spoken(f"{title}, {told}" if told != title else title, line) for told, line in zip(names, lines, strict=True)
    )
    keys = [Key(text, line.colour, "line") for text, line in zip(names, lines, strict=True)]
    keys += [] if level is None else [Key(level[0], "muted", "dashes")]
    height = None if level is None else level[1]
    svg = line_chart(name, label, lines, level=height, limits=limits)
    note = "" if limits else _scale_note(lines, height)
    return Chart(title, caption + note, tuple(keys), svg)


def _two(curves: Sequence[Curve], first: str, second: str) -> list[Series]:
    return [_one(curves, first, "accent"), _one(curves, second, "ink")]


def _one(curves: Sequence[Curve], key: str, colour: Colour) -> Series:
    return Series([row.images for row in curves], [_or_gap(getattr(row, key)) for row in curves], colour)


def _or_gap(value: float | None) -> float:
    return math.nan if value is None else value


def _spoken(name: str, line: Series) -> str:
    """A line in a sentence, for who cannot see it."""
    points = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
    if not points:
        return f"{name}: not recorded."
    (first, start), (last, end) = points[0], points[-1]
    return f"{name}: {number(start)} at {count(int(first))} images, {number(end)} at {count(int(last))}."


def _scale_note(lines: Sequence[Series], level: float | None) -> str:
    return " The scale is logarithmic." if is_wide(lines, level) else ""
