"""Points as PNG: 2-D as dots over the modes, 1-D as densities; the same bytes each time.

It is imported only when needed: matplotlib takes a second, and a training on pictures does not use it.
"""

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from mintage.metrics.modes import mode_figures
from mintage.mixture import Mixture, optimal_discriminator
from mintage.players import Generator
from mintage.sampling import samples
from stages.common.split import Numbers, Split
from stages.media.drawings import Drawings, Judge
from stages.media.medium import Medium
from stages.media.points import Points

COUNT = 2500
"""Points in a plot, as many as PacGAN measures."""
_GENERATED, _REAL, _JUDGED = "#0a7355", "#1c2421", "#2a62c9"
_SIDE = 4.6  # inches, of 100 pixels
_CURVE = 401  # points of a curve
_PLACES_A_BAR = 8
_SEEN = 1e-3  # density below which D* depends on single points


class PointPlots(Drawings):
    """Plots whose titles have the figures to look at."""

    def __init__(self, medium: Medium) -> None:
        assert isinstance(medium, Points)
        self._points = medium

    def draw_samples(
        self,
        generator: Generator,
        seed: int,
        asked: Sequence[int] | Tensor | None = None,
        judge: Judge | None = None,
        *,
        names: Sequence[str] = (),
    ) -> bytes:
        """Points of the classes in turn, if the model has classes; on a line also D(x), if `judge` gives it."""
        assert not isinstance(asked, Tensor), "points have classes at most"
        made = self._generated(generator, seed, COUNT, asked)
        figure = _figure(1)
        axes = figure.subplots()
        if self._points.dimensions == 1:
            _densities(axes, made, self._points, judge)
        else:
            _scatter(axes, made, self._points, _GENERATED)
        axes.set_title(_title(made, self._points), fontsize=10)
        return _png(figure)

    def draw_beside(self, generator: Generator, holdout: Split, order: Numbers, seed: int) -> bytes:
        """Equally many of both on the same axes."""
        real = self._points.coordinates(torch.from_numpy(holdout.take(order[:COUNT])))
        figure = _figure(2)
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, points, name, color in (
            (left, real, "real, held out", _REAL),
            (right, self._generated(generator, seed, len(real)), "generated", _GENERATED),
        ):
            if self._points.dimensions == 1:
                _histogram(axes, points, self._points, color)
            else:
                _scatter(axes, points, self._points, color)
            axes.set_title(f"{name}: {_title(points, self._points)}", fontsize=10)
        return _png(figure)

    def draw_rows(self, rows: Tensor) -> bytes:
        """Walks: in the plane as paths, on the line as the place at each step."""
        truth, walks = self._points, torch.stack([self._points.coordinates(row) for row in rows])
        figure = _figure(1)
        axes = figure.subplots()
        if truth.dimensions == 1:
            axes.plot(walks[:, :, 0].T, marker="o", markersize=3, linewidth=1)
            axes.set_xlabel("step")
            axes.set_ylabel("x")
            middle, reach = truth.centers[0][0], 3 * truth.std
            axes.axhspan(middle - reach, middle + reach, color=_REAL, alpha=0.08, label="3 std of the data")
            axes.legend(loc="upper left", fontsize=8, frameon=False)
        else:
            _scatter(axes, walks[:0].flatten(0, 1), truth, _GENERATED)
            for walk in walks:
                axes.plot(walk[:, 0], walk[:, 1], marker="o", markersize=3, linewidth=1)
        return _png(figure)

    def _generated(self, generator: Generator, seed: int, count: int, classes: Sequence[int] | None = None) -> Tensor:
        """Points `[count,D]` in their own units; of the classes in turn, if the model has classes."""
        asked = (classes or range(generator.config.class_count)) if generator.config.conditional else None
        return self._points.coordinates(torch.cat([images for images, _ in samples(generator, count, seed, asked)]))


def _scatter(axes: Axes, points: Tensor, truth: Points, color: str) -> None:
    """Dots over a circle at each center, which shows its place, not its width."""
    centers = np.array(truth.centers)
    axes.scatter(centers[:, 0], centers[:, 1], s=90, facecolors="none", edgecolors=_REAL, linewidths=0.7, alpha=0.6)
    axes.scatter(points[:, 0], points[:, 1], s=2, color=color, alpha=0.35, linewidths=0)
    axes.set_xlim(-truth.scale, truth.scale)
    axes.set_ylim(-truth.scale, truth.scale)
    axes.set_aspect("equal")


def _densities(axes: Axes, points: Tensor, truth: Points, judge: Judge | None) -> None:
    """Figure 1 of Goodfellow et al. 2014: both densities, the optimal D, and the actual D."""
    x = _line(truth)
    real, generated = truth.mixture().density(x), _smoothed(points).density(x)
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


def _histogram(axes: Axes, points: Tensor, truth: Points, color: str) -> None:
    x = _line(truth)
    edges = x[::_PLACES_A_BAR, 0].tolist()
    axes.hist(points[:, 0].clamp(edges[0], edges[-1]), bins=edges, density=True, color=color, alpha=0.5)
    axes.plot(x[:, 0], truth.mixture().density(x), color=_REAL, linestyle=":")
    axes.set_xlabel("x")


def _line(truth: Points) -> Tensor:
    """Places `[N,1]` from five standard deviations left of all centers to five right of them."""
    low, high = min(truth.centers)[0] - 5 * truth.std, max(truth.centers)[0] + 5 * truth.std
    return torch.linspace(low, high, _CURVE, dtype=torch.float64)[:, None]


def _smoothed(points: Tensor) -> Mixture:
    """The density of points `[N,1]`: a Gaussian at each, with the width of Silverman's rule."""
    width = 1.06 * points.double().std().item() * len(points) ** -0.2
    return Mixture(points, max(width, 1e-3))


def _title(points: Tensor, truth: Points) -> str:
    found, modes = mode_figures(points, truth.mixture()), len(truth.centers)
    good = f"{100 * found.high_quality:.1f}% within 3 std"
    return good if modes == 1 else f"{found.captured} of {modes} modes, {good}"


def _figure(panels: int) -> Figure:
    matplotlib.rcdefaults()  # without the user's own settings
    figure = Figure(figsize=(panels * _SIDE, _SIDE), dpi=100, layout="compressed")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
