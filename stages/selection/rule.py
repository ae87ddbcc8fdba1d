"""The rule by which one checkpoint is chosen, over a table of figures: knows no models."""

from typing import Any

from stages.common.errors import UserError
from stages.common.params import OF_TRUTH, Guard, Select

Row = dict[str, Any]
"""A checkpoint's figures by metric; `images` is how many it has seen."""


def choose(rows: list[Row], params: Select) -> int:
    """The index of the best row by `params.metric` among those that pass every guard; of equals, the earlier.

    Raises UserError where a metric of the rule was not measured, or no row passes the guards.
    """
    for key, metric in [("metric", params.metric), *(("guards", guard.metric) for guard in params.guards)]:
        if metric not in rows[0]:
            why = "the model is unconditional, so nothing was asked for that could be right or wrong"
            why = "the modes of this data are not known" if metric in OF_TRUTH else why
            raise UserError(f"select.{key} names '{metric}', which was not measured ({why}): name another metric")
    passing = [index for index, row in enumerate(rows) if all(passes(row, guard) for guard in params.guards)]
    if not passing:
        best = "; ".join(f"{_limits(guard)} (best reached: {_best(rows, guard)})" for guard in params.guards)
        raise UserError(f"no checkpoint passes select.guards: {best}: train longer, or loosen a guard")
    sign = 1 if params.direction == "min" else -1
    return min(passing, key=lambda index: (sign * rows[index][params.metric], index))


def passes(row: Row, guard: Guard) -> bool:
    value = row[guard.metric]
    too_low = guard.at_least is not None and value < guard.at_least
    too_high = guard.at_most is not None and value > guard.at_most
    return not (too_low or too_high)


def sentence(params: Select) -> str:
    """The rule in words."""
    best = "lowest" if params.direction == "min" else "highest"
    guards = " and ".join(_limits(guard) for guard in params.guards)
    return f"{best} {_words(params.metric)}" + (f" among those with {guards}" if guards else "")


def _limits(guard: Guard) -> str:
    limits = [("at least", guard.at_least), ("at most", guard.at_most)]
    return f"{_words(guard.metric)} " + " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)


def _best(rows: list[Row], guard: Guard) -> str:
    """What came nearest to the guard's limit; both ends where it has two."""
    values = [row[guard.metric] for row in rows]
    reached = [f"{max(values):g}"] if guard.at_least is not None else []
    reached += [f"{min(values):g}"] if guard.at_most is not None else []
    return " and ".join(reached)


def _words(metric: str) -> str:
    return metric.replace("_", " ").replace("frechet", "Frechet")
