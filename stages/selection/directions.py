"""The two directions of a model between domains: the means of their figures, and a sentence for each.

A checkpoint holds both directions, so it is chosen by the means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.selection.measure import Measured
from stages.selection.metrics import METRICS, metrics_in
from stages.selection.rule import Row

_SHOWN = ("frechet_distance", "conditional_accuracy", "cycle_error")


@dataclass(frozen=True)
class Direction:
    """One direction, an entry of `directions` in selection.json."""

    source: str
    """The domain whose held-out images are translated; for a coupled model, the domain of the partners."""
    to: str
    """The target domain, with whose real images translations are compared."""
    row: Row
    baseline: Row | None

    def to_json(self) -> dict[str, Any]:
        facts = {"source": self.source, "to": self.to, "sentence": self.sentence, "exchanged": self.exchanged}
        return {**facts, "figures": self.row, "baseline": self.baseline}

    @property
    def exchanged(self) -> bool:
        """Whether light and dark are exchanged."""
        return (self.row.get("luminance_correlation") or 0) < 0

    @property
    def sentence(self) -> str:
        """The most telling figures, each beside the baseline and the floor; a warning comes first."""
        correlation = self.row.get("luminance_correlation")
        warning = f"light and dark are exchanged (correlation {correlation:.2f}); " if self.exchanged else ""
        shown = {name: metric for name, metric in metrics_in(self.row).items() if name in _SHOWN}
        figures = [
            f"{metric.title} {metric.text(self.row[name])} ({self._beside(name)})" for name, metric in shown.items()
        ]
        way = self.to if self.baseline is None else f"{self.source} to {self.to}"
        return f"{way}: {warning}{', '.join(figures)}."

    def _beside(self, name: str) -> str:
        """The baseline, which is no translation at all, if there is one, and the floor."""
        metric = METRICS[name]
        same = [] if self.baseline is None else [f"untranslated: {metric.text(self.baseline.get(name))}"]
        return ", ".join([*same, f"real images: {metric.text(self.row.get(metric.floor))}"])


def mean_of(each: Sequence[Measured]) -> Measured:
    """The mean of each figure that all have, of a list at each index; None if one of the values is unknown."""
    names = [name for name in each[0].figures if all(name in one.figures for one in each)]
    figures = {name: _mean([one.figures[name] for one in each]) for name in names}
    return Measured(figures, {name: why for one in each for name, why in one.absent.items()})


def _mean(values: Sequence[Any]) -> Any:
    if isinstance(values[0], list):
        return [_mean(place) for place in zip(*values, strict=True)]
    return None if None in values else float(f"{sum(values) / len(values):.6g}")
