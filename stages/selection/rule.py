"""The rule that chooses one checkpoint, from a table of figures alone, without models."""

from dataclasses import dataclass
from statistics import median
from typing import Any

from stages.common.errors import UserError
from stages.common.params import Guard, Select
from stages.selection.metrics import METRICS

Row = dict[str, Any]
"""A checkpoint's figures by metric; `images` is how many it has seen."""
_NEIGHBORS = 3


@dataclass(frozen=True)
class Choice:
    """The outcome, as indices of rows."""

    ranking: list[int]
    """The rows that pass every guard, best first."""

    @property
    def chosen(self) -> int:
        return self.ranking[0]

    @property
    def runner_up(self) -> int | None:
        return self.ranking[1] if len(self.ranking) > 1 else None


def choose(rows: list[Row], params: Select, absent: dict[str, str] | None = None) -> Choice:
    """Rank the rows that pass every guard by `params.metric`; of equals, the earlier row comes first.

    On a smoothed curve, a row's figure is the median of three neighbors, itself among them; of equal medians, the row
    that is better by itself comes first. Raises UserError if a metric of the rule was not measured for any row
    (`absent` has the reasons), or if no row passes the guards.
    """
    for key, metric in [("metric", params.metric), *(("guards", guard.metric) for guard in params.guards)]:
        if all(row.get(metric) is None for row in rows):
            why = (absent or {}).get(metric, "it cannot be computed here")
            raise UserError(
                "metric-not-measured",
                f"select.{key} names '{metric}', which was not measured ({why}): name another metric",
            )
    passing = [index for index, row in enumerate(rows) if all(passes(row, guard) for guard in params.guards)]
    measured = [index for index, row in enumerate(rows) if row.get(params.metric) is not None]
    if not set(passing) & set(measured):
        best = "; ".join(f"{_limits(guard)} (best reached: {_best(rows, guard)})" for guard in params.guards)
        raise UserError(
            "guards-passed-by-none", f"no checkpoint passes select.guards: {best}: train longer, or loosen a guard"
        )
    raw = {index: _sign(params) * rows[index][params.metric] for index in measured}
    curve = _smoothed(raw) if params.curve == "smoothed" else raw
    return Choice(sorted(set(passing) & set(measured), key=lambda index: (curve[index], raw[index], index)))


def passes(row: Row, guard: Guard) -> bool:
    """Whether a row has the guard's metric, within its limits."""
    value = row.get(guard.metric)
    if value is None:
        return False
    too_low = guard.at_least is not None and value < guard.at_least
    too_high = guard.at_most is not None and value > guard.at_most
    return not (too_low or too_high)


def cost_of_last(rows: list[Row], choice: Choice, params: Select) -> float | None:
    """By how much the last row is worse than the chosen one, in the metric's unit; None if it was not measured."""
    last = rows[-1].get(params.metric)
    if last is None:
        return None
    return float(f"{max(0.0, _sign(params) * (last - rows[choice.chosen][params.metric])):.6g}")


def sentence(params: Select) -> str:
    """The rule in words."""
    best = "lowest" if METRICS[params.metric].direction == "min" else "highest"
    smoothed = " (smoothed over three checkpoints)" if params.curve == "smoothed" else ""
    guards = " and ".join(_limits(guard) for guard in params.guards)
    return f"{best} {METRICS[params.metric].title}{smoothed}" + (f" among those with {guards}" if guards else "")


def why(rows: list[Row], choice: Choice, params: Select) -> str:
    """A sentence on why this row was chosen, with the next best."""
    metric = METRICS[params.metric]
    chosen = rows[choice.chosen]
    text = f"At {chosen['images']:,} images the {metric.title} is {metric.text(chosen[params.metric])}"
    text += f" (real images: {metric.text(chosen[metric.floor])}), the {sentence(params)}"
    if choice.runner_up is None:
        others = "it is the only checkpoint that passes" if params.guards else "it is the only checkpoint"
        return f"{text}; {others}."
    second = rows[choice.runner_up]
    return f"{text}; the next best is {metric.text(second[params.metric])} at {second['images']:,} images."


def _smoothed(figures: dict[int, float]) -> dict[int, float]:
    """The median of each row and its two neighbors; the first and the last row take that of the row beside them."""
    indices = list(figures)
    half = _NEIGHBORS // 2
    smoothed = {}
    for place, index in enumerate(indices):
        first = max(0, min(place - half, len(indices) - _NEIGHBORS))
        smoothed[index] = median(figures[other] for other in indices[first : first + _NEIGHBORS])
    return smoothed


def _sign(params: Select) -> int:
    return 1 if METRICS[params.metric].direction == "min" else -1


def _limits(guard: Guard) -> str:
    limits = [("at least", guard.at_least), ("at most", guard.at_most)]
    limits_text = " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)
    return f"{METRICS[guard.metric].title} {limits_text}"


def _best(rows: list[Row], guard: Guard) -> str:
    """The value nearest to the guard's limit; of two limits, a value for each."""
    values = [row[guard.metric] for row in rows if row.get(guard.metric) is not None]
    reached = [f"{max(values):g}"] if guard.at_least is not None else []
    reached += [f"{min(values):g}"] if guard.at_most is not None else []
    return " and ".join(reached)
