"""Line charts as inline SVG: drawn by matplotlib, colored by the page's CSS variables, with text as text.

The same input gives the same bytes. A chart is drawn small (324 units wide) and shown at about that many pixels, so its
text is as large as the page's own at any screen width.
"""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from stages.reporting.words import compact, tick

Color = Literal["accent", "ink", "muted", "line"]
# Matplotlib needs real colors: these stand for `var(--name)` until the SVG is written.
_STAND_INS: dict[Color, str] = {"accent": "#0000a1", "ink": "#0000a2", "muted": "#0000a3", "line": "#0000a4"}
_SIZE = (4.5, 2.9)  # inches of 72 units
_MANY = 60  # points; with more, dots would hide the line
_LOG_FROM = 20.0  # largest over smallest value


@dataclass(frozen=True)
class Series:
    """A line: `y` over `x`, of equal length; a NaN is a gap. `error` is half the height of a band around it."""

    x: Sequence[float]
    y: Sequence[float]
    color: Color = "ink"
    dots: bool = False
    error: Sequence[float] | None = None
    names: Sequence[str] = ()
    """Names of the points, written beside them."""


@dataclass(frozen=True)
class Across:
    """The labels of the x axis: counts, shares in percent, or a word at each whole number from 0."""

    title: str = "seen in training"
    shares: bool = False
    words: Sequence[str] = ()


_IMAGES_SEEN = Across()


def line_chart(
    name: str,
    label: str,
    series: Sequence[Series],
    *,
    level: float | None = None,
    mark: tuple[float, float] | None = None,
    limits: tuple[float, float] | None = None,
    shares: bool = False,
    across: Across = _IMAGES_SEEN,
) -> Markup:
    """Lines over images seen, or over another axis `across`, as an `<svg>`.

    `name` is unique on the page, `label` is for screen readers, `level` is a dashed horizontal line, `mark` a large
    point (x, y), `limits` the range of the y axis, `shares` shows it in percent. Without limits the y axis is
    logarithmic if the values and the level are wide (`is_wide`).
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # without the user's own settings
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "chart", "font.size": 11.5})
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axes: Axes = figure.subplots()
        if limits is not None:
            axes.set_ylim(*limits)
        elif is_wide(series, level):
            axes.set_yscale("log")
        for line in series:
            _draw(axes, line)
        if level is not None:
            axes.axhline(level, color=_STAND_INS["muted"], linewidth=1.2, dashes=(4, 3), zorder=1)
        if mark is not None:
            _mark(axes, *mark)
        _dress(axes, across)
        if shares:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    return Markup(_for_the_page(buffer.getvalue(), name, label))


def is_wide(series: Sequence[Series], level: float | None = None) -> bool:
    """Whether the range of values (all above 0) is so wide that only a logarithmic axis shows them."""
    values = [y for line in series for y in line.y if math.isfinite(y)] + ([] if level is None else [level])
    return bool(values) and min(values) > 0 and max(values) / min(values) > _LOG_FROM


def _draw(axes: Axes, line: Series) -> None:
    color = _STAND_INS[line.color]
    dots = (line.dots and len(line.x) <= _MANY) or len(line.x) == 1
    axes.plot(line.x, line.y, color=color, linewidth=1.6, marker="o" if dots else None, markersize=4)
    if line.error is not None:
        low = [y - e for y, e in zip(line.y, line.error, strict=True)]
        high = [y + e for y, e in zip(line.y, line.error, strict=True)]
        axes.fill_between(line.x, low, high, color=color, alpha=0.18, linewidth=0)
    for x, y, name in zip(line.x, line.y, line.names, strict=False):
        axes.annotate(name, (x, y), (5, 5), textcoords="offset points", color=_STAND_INS["muted"], fontsize=9.5)


def _mark(axes: Axes, x: float, y: float) -> None:
    axes.axvline(x, color=_STAND_INS["accent"], linewidth=1, alpha=0.45, zorder=1)
    axes.plot([x], [y], "o", color=_STAND_INS["accent"], markersize=7, zorder=5)


def _dress(axes: Axes, across: Across) -> None:
    """Style axes for reading: light horizontal lines, few ticks, words in the page's colors."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_STAND_INS["line"])
    axes.grid(axis="y", color=_STAND_INS["line"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=_STAND_INS["muted"])
    axes.set_xlabel(across.title, color=_STAND_INS["muted"])
    if across.words:
        axes.set_xticks(range(len(across.words)), across.words)
    elif across.shares:
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}%"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def _for_the_page(svg: str, name: str, label: str) -> str:
    """Remove what only a separate file needs, make ids unique on the page, and set the page's colors and font."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r' width="[^"]*" height="[^"]*"', "", svg, count=1)
    for color, stand_in in _STAND_INS.items():
        svg = svg.replace(stand_in, f"var(--{color})")
    return svg.replace("<svg", f'<svg class="chart" role="img" aria-label="{escape(label)}"', 1)
