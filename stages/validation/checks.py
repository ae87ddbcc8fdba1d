"""One expectation as data, and the forms that most of them have."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from stages.common.sections import Severity

EXAMPLES = 10
SHARE, EXCEPTIONS = "share", "exceptions"
Tables = dict[str, pd.DataFrame]
NAMED_BY = {
    "images": "key",
    "parts": "part",
    "classes": "class",
    "domains": "part",
    "attributes": "attribute",
}  # the column that names a row of a table
ONE_ROW = {"totals", "drift"}  # tables with one row; others have a row for each image, class, ...


@dataclass(frozen=True)
class Check:
    """An expectation: what must hold, for which table, and which class of Great Expectations checks it."""

    name: str
    """What must hold, as a sentence."""
    table: str
    """A key of `Tables`."""
    expectation: str
    """A class in `great_expectations.expectations`."""
    arguments: dict[str, Any]
    limit: Any
    """The limit as it is shown."""
    unit: str | None = None
    """`SHARE`, `EXCEPTIONS` (rows that break the rule), or None for a plain value."""
    severity: Severity = "critical"
    """Critical: the pipeline stops if it fails. Warning: it is only shown."""
    examples: list[str] | None = None
    """Examples of failures; None: those that Great Expectations finds."""
    paired: bool = False
    """Whether examples are pairs: an image, and the image that it repeats."""
    advice: str = ""
    """What to do if it fails, beside fixing the data."""

    @property
    def column(self) -> str | None:
        found: str | None = self.arguments.get("column") or self.arguments.get("column_A")
        return found


def between(
    name: str,
    table: str,
    column: str,
    low: float | None,
    high: float | None = None,
    *,
    unit: str | None = None,
    severity: Severity = "critical",
) -> Check:
    """The column has only values from `low` to `high`, inclusive; None is no limit."""
    ends = [end for end in (low, high) if end is not None]
    limit = ends[0] if len(set(ends)) == 1 else f"{low} to {high}"
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Check(name, table, "ExpectColumnValuesToBeBetween", arguments, limit, unit, severity)


def within(name: str, table: str, column: str, allowed: list[Any]) -> Check:
    """The column has only the allowed values."""
    arguments = {"column": column, "value_set": allowed}
    return Check(name, table, "ExpectColumnValuesToBeInSet", arguments, 0, EXCEPTIONS)


def mostly(
    name: str, table: str, expectation: str, arguments: dict[str, Any], *, share: float, severity: Severity
) -> Check:
    """All but a `share` of the rows meet the expectation; `name` describes the others."""
    passing = {**arguments, "mostly": round(1 - share, 12)}  # rounded: 1 - 0.07 is the 0.93 that 93 of 100 give
    return Check(f"At most {100 * share:g}% of the {name}", table, expectation, passing, share, SHARE, severity)
