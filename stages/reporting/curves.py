"""Curves over the training, as charts with texts: each metric beside its floor, then the game itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from mintage.metrics import Metric, number
from stages.reporting.charts import Color, Series, is_wide, line_chart
from stages.reporting.facts import Curve
from stages.reporting.measures import of_real, shown_metrics, titled
from stages.reporting.selection import Checkpoint, Selection
from stages.reporting.words import count


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    text: str
    color: Color
    shape: Literal["line", "dashes", "dot"]


@dataclass(frozen=True)
class Chart:
    """A chart with its texts; without an `svg`, `absent` is the reason."""

    title: str
    caption: str
    keys: tuple[Key, ...] = ()
    svg: Markup | None = None
    absent: str | None = None


def quality_charts(selection: Selection, rows: Sequence[Checkpoint], most: int | None = None) -> list[Chart]:
    """A chart for each shown metric, or the first `most`: each checkpoint, the floor, the selected checkpoint.

    The selection metric comes first.
    """
    shown = list(shown_metrics(selection).items())[:most]
    return [_quality_chart(name, metric, selection, rows) for name, metric in shown]


def _quality_chart(name: str, metric: Metric, selection: Selection, rows: Sequence[Checkpoint]) -> Chart:
    here, floor = selection.value(name), selection.value(metric.floor)
    assert here is not None
    assert floor is not None
    errors = [row.value(metric.error) for row in rows]
    line = Series(
        [row.images for row in rows],
        [_or_gap(row.value(name)) for row in rows],
        dots=True,
        error=[error or 0.0 for error in errors] if any(errors) else None,
    )
    limits = _limits(metric, [*line.y, here, floor])
    svg = line_chart(
        name,
        f"{_spoken(titled(metric), line)} Real images score {of_real(metric, selection)}.",
        [line],
        level=floor,
        mark=(selection.images, here),
        limits=limits,
        shares=metric.format == "share",
    )
    keys = (Key("checkpoints", "ink", "line"), Key("selected", "accent", "dot"), Key("real images", "muted", "dashes"))
    band = " The band is one standard error either way." if line.error else ""
    note = "" if limits else _scale_note([line], floor)
    caption = f"{metric.meaning} {metric.aim}.{band}{note} {count(selection.samples)} samples a checkpoint."
    return Chart(titled(metric), caption, keys, svg)


def _limits(metric: Metric, values: Sequence[float]) -> tuple[float, float] | None:
    """Limits from 0 for a share, or a metric that is better when higher; None for a distance, which needs none."""
    top = max((value for value in values if math.isfinite(value)), default=0.0)
    if metric.format == "share":
        return (0.0, 1.02) if metric.direction == "max" else (0.0, max(1.1 * top, 0.01))
    return (0.0, 1.1 * top) if metric.direction == "max" and top > 0 else None


def training_charts(curves: Sequence[Curve]) -> list[Chart]:
    """Charts of losses; of the discriminator's outputs on real and generated images, its accuracy and V; of gradients.

    Those of the discriminator are left out where none learned.
    """
    played = "discriminator" in players_of(curves)
    judged = [_judgment(curves), _accuracy(curves), _value(curves)] if played else []
    return [losses_chart(curves), *judged, _gradients(curves)]


def losses_chart(curves: Sequence[Curve]) -> Chart:
    players = players_of(curves)
    balance = (
        ": look for a balance that holds, and for neither player running away" if "discriminator" in players else ""
    )
    return _curves(
        "Losses",
        _of_each(curves, players, "loss"),
        players,
        f"What each player tries to lower. Losses do not say how good the images are{balance}.",
        name="losses",
    )


def _judgment(curves: Sequence[Curve]) -> Chart:
    lines = [_one(curves, "d_real", "accent"), _one(curves, "d_fake", "ink")]
    within = all(0 <= y <= 1 for line in lines for y in line.y if math.isfinite(y))  # else D gives no probability
    return _curves(
        "What the discriminator sees",
        lines,
        ("real, D(x)", "fake, D(G(z))"),
        "How real it takes real images, D(x), and generated ones, D(G(z)), to be. The closer together, "
        "the less it can tell them apart" + ("; at the dashed 0.5 it can only guess." if within else "."),
        name="judgment",
        level=("0.5", 0.5) if within else None,
        limits=(0.0, 1.0) if within else None,
    )


def _accuracy(curves: Sequence[Curve]) -> Chart:
    return _curves(
        "How often the discriminator is right",
        [_one(curves, "d_accuracy", "accent")],
        ("share of images taken for what they are",),
        "At the dashed 0.5 it can only guess, as it does where generated images are like real ones. Near 1 it has "
        "won, and the generator learns little from it.",
        name="accuracy",
        level=("0.5", 0.5),
        limits=(0.0, 1.0),
    )


def _gradients(curves: Sequence[Curve]) -> Chart:
    players = players_of(curves)
    return _curves(
        "Norm of each player's gradient",
        _of_each(curves, players, "gradient"),
        players,
        "How strongly each player is pushed. Near 0 it learns nothing; over 100 the training is about to diverge.",
        name="gradients",
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
    titles = [title if one == title else f"{title}, {one}" for one in names]
    label = " ".join(_spoken(one, line) for one, line in zip(titles, lines, strict=True))
    keys = [Key(text, line.color, "line") for text, line in zip(names, lines, strict=True)]
    keys += [] if level is None else [Key(level[0], "muted", "dashes")]
    height = None if level is None else level[1]
    svg = line_chart(name, label, lines, level=height, limits=limits)
    note = "" if limits else _scale_note(lines, height)
    return Chart(title, caption + note, tuple(keys), svg)


def players_of(curves: Sequence[Curve]) -> tuple[str, ...]:
    """The players with a loss, at most two: against a discriminator an encoder counts as part of the generator."""
    players = ("discriminator", "generator", "encoder")
    learned = [player for player in players if any(getattr(row, f"{player}_loss") is not None for row in curves)]
    return tuple(learned[:2]) or players[:2]


def _of_each(curves: Sequence[Curve], players: Sequence[str], what: str) -> list[Series]:
    colors: tuple[Color, ...] = ("accent", "ink")
    return [_one(curves, f"{player}_{what}", color) for player, color in zip(players, colors, strict=False)]


def _one(curves: Sequence[Curve], key: str, color: Color) -> Series:
    return Series([row.images for row in curves], [_or_gap(getattr(row, key)) for row in curves], color)


def _or_gap(value: float | None) -> float:
    return math.nan if value is None else value


def _spoken(name: str, line: Series) -> str:
    """A line as a sentence, for screen readers."""
    dots = [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
    if not dots:
        return f"{name}: not recorded."
    (first, start), (last, end) = dots[0], dots[-1]
    return f"{name}: {number(start)} at {count(int(first))} images, {number(end)} at {count(int(last))}."


def _scale_note(lines: Sequence[Series], level: float | None) -> str:
    return " The scale is logarithmic." if is_wide(lines, level) else ""
