"""Metrics that compare generated images with real ones, on features `[N, F]` or labels `[N]`; and what a metric is."""

import math
from dataclasses import dataclass
from typing import Any, Literal

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Metric:
    """A measure of how good generated images are."""

    title: str
    floor: str
    """The column of its floor, the value that real images reach."""
    direction: Literal["min", "max"]
    """Whether lower or higher is better."""
    meaning: str
    """Its meaning, a sentence for readers."""
    source: str
    """The paper."""
    format: Literal["number", "share", "count"] = "number"
    error: str | None = None
    """The column of its standard error."""
    needs: str | None = None
    """What it needs that not all data or models have: "pairs" (translations with their targets), "pairs of pictures" or
    "of sounds", "domains" (two without pairs), "source pictures" (of pairs or domains), "attributes" as the condition,
    or something of a medium, such as "modes"."""
    guard_only: str | None = None
    """A bad model that scores as well as real images, if there is one: then no model should be chosen by the metric."""
    varies: bool = False
    """Whether the random variation of its floor is known."""
    measure: str | None = None
    """For a metric of another package, "module:function": (holdout features `[N,F]`, generated features `[M,F]`) to a
    number."""

    @property
    def aim(self) -> str:
        """The direction for readers: "Lower is better"."""
        return f"{'Lower' if self.direction == 'min' else 'Higher'} is better"

    @property
    def interval(self) -> tuple[str, ...]:
        """The two columns between which its floor lies in nine of ten splits of real images; none if not known."""
        return (f"{self.floor}_low", f"{self.floor}_high") if self.varies else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All its columns except that of its value."""
        return (*([self.error] if self.error else []), self.floor, *self.interval)

    def better(self, value: float, other: float) -> bool:
        return value < other if self.direction == "min" else value > other

    def text(self, value: float | None) -> str:
        """A value as people read it: 0.401, 1.00, 96.1%, 25 modes; a dash for None."""
        return percent(value) if self.format == "share" else number(value, counted=self.format == "count")

    def with_error(self, value: float | None, error: float | None) -> str:
        """The same with its standard error, if it has one: 0.0412 ± 0.0031."""
        return self.text(value) + ("" if value is None or error is None else f" ± {number(error, 2, counted=False)}")

    def of_real(self, row: dict[str, Any]) -> str:
        """A row's floor as people read it, with its interval if it has one: 0.0638 (0.0220 to 0.139).

        The interval is of new splits; below all of these, the floor is its lower end.
        """
        floor, between = row[self.floor], [row.get(column) for column in self.interval]
        if not between or None in between:
            return self.text(floor)
        low, high = between
        return f"{self.text(floor)} ({self.text(min(low, floor))} to {self.text(high)})"


def number(value: float | None, digits: int = 3, *, counted: bool = True) -> str:
    """Digits that matter: 1,234 · 137 · 14.3 · 0.520 · 0.00031 · 2.1×10⁻⁶; nothing as a dash.

    Whole numbers are whole, unless they are not `counted` but measured: 14.0 · 1.00.
    """
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if 0 < size < 1e-4:
        mantissa, _, power = f"{size:.1e}".partition("e")
        text = f"{mantissa}×10{str(int(power)).translate(_SUPERSCRIPT)}"
    elif size >= 100 or (counted and float(size).is_integer()):
        text = f"{size:,.0f}"
    else:
        text = f"{size:#.{2 if 0 < size < 1e-3 else digits}g}".rstrip(".")
    return f"−{text}" if value < 0 else text


def percent(share: float | None) -> str:
    """A share in [0,1] as 92.4%."""
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.1f}%"
