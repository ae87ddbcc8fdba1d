"""Figures that compare generated images with real ones, on features `[N, F]` or labels `[N]`; and what one is."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Metric:
    """One way to say how good generated images are."""

    title: str
    floor: str
    """The column of what real images reach."""
    direction: Literal["min", "max"]
    """Whether lower or higher is better."""
    meaning: str
    """A sentence for who reads the figure."""
    source: str
    """The paper."""
    format: Literal["number", "share", "count"] = "number"
    error: str | None = None
    """The column of its standard error."""
    needs: str | None = None
    """What not all data or models have: "pairs" (translations with a target beside each), "pairs of pictures" or "of
    sounds", "domains" (two without), "source pictures" (of either), "attributes" that were asked for, or what a medium
    offers, such as "modes"."""
    guard_only: str | None = None
    """Which bad model scores as well as real images, where one does: then nothing is to be chosen by the metric."""
    varies: bool = False
    """Whether it is known how far its floor varies by chance."""
    measure: str | None = None
    """Of a metric that another package brings: "module:function" of (features of held-out images `[N,F]`, of generated
    ones `[M,F]`) to a number."""

    @property
    def interval(self) -> tuple[str, ...]:
        """The columns between which its floor lies in nine of ten splits of the real images; none where not known."""
        return (f"{self.floor}_low", f"{self.floor}_high") if self.varies else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of its columns but that of its value."""
        return (*([self.error] if self.error else []), self.floor, *self.interval)

    def better(self, value: float, other: float) -> bool:
        return value < other if self.direction == "min" else value > other

    def text(self, value: float | None) -> str:
        """A value as people read it: 0.4013, 96.1%, 25; a dash where there is none."""
        if value is None:
            return "—"
        return {"number": f"{value:.4g}", "share": f"{100 * value:.1f}%", "count": f"{value:,.0f}"}[self.format]

    def of_real(self, row: dict[str, Any]) -> str:
        """A row's floor as people read it, with its interval where it has one: 0.0638 (0.022 to 0.139)."""
        floor, between = self.text(row[self.floor]), [row.get(column) for column in self.interval]
        return f"{floor} ({' to '.join(map(self.text, between))})" if between and None not in between else floor
