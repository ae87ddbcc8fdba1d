"""Points of which the truth is known, as PNG: 2-D as dots over the modes, 1-D as densities; the same bytes each time.

Imported where it is needed: matplotlib takes a second, and a training on pictures does without.
"""

import io
from collections.abc import Callable

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from mintage.metrics.modes import mode_figures
from mintage.mixture import Mixture, optimal_discriminator
from stages.common.points import mixture_of
from stages.common.truth import Truth

Judge = Callable[[Tensor], Tensor | None]
"""D(x) `[N]` for images `[N,1,1,D]`; None where a discriminator gives no probability."""
_GENERATED, _REAL, _JUDGED = "#0a7355", "#1c2421", "#2a62c9"
_SIDE = 4.6  # inches, of 100 pixels
_CURVE = 401  # places at which a curve is computed
_PLACES_A_BAR = 8
_SEEN = 1e-3  # density under which D* follows single points


def points_plot(points: Tensor, truth: Truth, judge: Judge | None = None) -> bytes:
    """Generated points `[N,D]` in the truth's units, with what is to be seen of them in the title."""
    figure = _figure(1)
    axes = figure.subplots()
    if points.shape[1] == 1:
        _densities(axes, points, truth, judge)
    else:
        _scatter(axes, points, truth, _GENERATED)
    axes.set_title(_told(points, truth), fontsize=10)
    return _png(figure)


def beside_plot(real: Tensor, generated: Tensor, truth: Truth) -> bytes:
    """Held-out points and generated ones, as many of each, side by side on the same axes."""
    figure = _figure(2)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, points, name, colour in (
        (left, real, "real, held out", _REAL),
        (right, generated, "generated", _GENERATED),
    ):
        if points.shape[1] == 1:
            _histogram(axes, points, truth, colour)
        else:
            _scatter(axes, points, truth, colour)
        axes.set_title(f"{name}: {_told(points, truth)}", fontsize=10)
    return _png(figure)


def walks_plot(walks: Tensor, truth: Truth) -> bytes:
    """Walks `[W,S,D]`: in the plane as paths, on the line as the place at each step."""
    figure = _figure(1)
    axes = figure.subplots()
    if walks.shape[2] == 1:
        axes.plot(walks[:, :, 0].T, marker="o", markersize=3, linewidth=1)
        axes.set_xlabel("step")
        axes.set_ylabel("x")
        middle, reach = truth.centres[0][0], 3 * truth.std
        axes.axhspan(middle - reach, middle + reach, color=_REAL, alpha=0.08, label="3 std of the data")
        axes.legend(loc="upper left", fontsize=8, frameon=False)
    else:
        _scatter(axes, walks[:0].flatten(0, 1), truth, _GENERATED)
        for walk in walks:
            axes.plot(walk[:, 0], walk[:, 1], marker="o", markersize=3, linewidth=1)
    return _png(figure)


def _scatter(axes: Axes, points: Tensor, truth: Truth, colour: str) -> None:
    """Dots, over a circle at each centre that shows where it is, not how wide."""
    centres = np.array(truth.centres)
    axes.scatter(centres[:, 0], centres[:, 1], s=90, facecolors="none", edgecolors=_REAL, linewidths=0.7, alpha=0.6)
    axes.scatter(points[:, 0], points[:, 1], s=2, color=colour, alpha=0.35, linewidths=0)
    axes.set_xlim(-truth.scale, truth.scale)
    axes.set_ylim(-truth.scale, truth.scale)
    axes.set_aspect("equal")


def _densities(axes: Axes, points: Tensor, truth: Truth, judge: Judge | None) -> None:
    """Figure 1 of Goodfellow et al. 2014: both densities, the best D against them, and D as it is."""
    x = _line(truth)
    real, generated = mixture_of(truth).density(x), _smoothed(points).density(x)
    axes.plot(x[:, 0], real, color=_REAL, linestyle=":", label="p data")
    axes.plot(x[:, 0], generated, color=_GENERATED, label="p generated")
    best = optimal_discriminator(real, generated).where(real + generated > _SEEN, torch.nan)
    axes.plot(x[:, 0], best, color=_JUDGED, linestyle="--", label="D*(x)", alpha=0.6)
    judged = None if judge is None else judge((x / truth.scale).float().view(-1, *truth.shape))
    if judged is not None:
        axes.plot(x[:, 0], judged, color=_JUDGED, label="D(x)")
    axes.axhline(0.5, color=_REAL, linewidth=0.5, alpha=0.4)
    axes.set_ylim(0, 1.3 * max(1.0, float(real.max()), float(generated.max())))
    axes.set_xlabel("x")
    axes.legend(loc="upper left", fontsize=8, frameon=False, ncols=2)


def _histogram(axes: Axes, points: Tensor, truth: Truth, colour: str) -> None:
    x = _line(truth)
    edges = x[::_PLACES_A_BAR, 0].tolist()
    axes.hist(points[:, 0].clamp(edges[0], edges[-1]), bins=edges, density=True, color=colour, alpha=0.5)
    axes.plot(x[:, 0], mixture_of(truth).density(x), color=_REAL, linestyle=":")
    axes.set_xlabel("x")


def _line(truth: Truth) -> Tensor:
    """Places `[N,1]` from five standard deviations left of the centres to as many right of them."""
    low, high = min(truth.centres)[0] - 5 * truth.std, max(truth.centres)[0] + 5 * truth.std
    return torch.linspace(low, high, _CURVE, dtype=torch.float64)[:, None]


def _smoothed(points: Tensor) -> Mixture:
    """The density of points `[N,1]`: a Gaussian at each, as wide as Silverman's rule says."""
    width = 1.06 * points.double().std().item() * len(points) ** -0.2
    return Mixture(points, max(width, 1e-3))


def _told(points: Tensor, truth: Truth) -> str:
    found, modes = mode_figures(points, mixture_of(truth)), len(truth.centres)
    good = f"{100 * found.high_quality:.1f}% within 3 std"
    return good if modes == 1 else f"{found.captured} of {modes} modes, {good}"


def _figure(panels: int) -> Figure:
    matplotlib.rcdefaults()  # not as the user's own settings say
    figure = Figure(figsize=(panels * _SIDE, _SIDE), dpi=100, layout="compressed")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
