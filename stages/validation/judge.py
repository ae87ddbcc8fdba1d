"""Runs each check by Great Expectations; the only module that imports it (3 CPU seconds, 80 MB)."""

import logging
import math
import os
import warnings
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mintage.metrics import number
from stages.common.later import put_off
from stages.common.sections import Severity
from stages.validation.checks import EXAMPLES, EXCEPTIONS, NAMED_BY, ONE_ROW, SHARE, Check, Tables


@dataclass(frozen=True)
class Verdict:
    """The result of a check; a row of `reports/validation.json`."""

    name: str
    expectation: str
    column: str | None
    success: bool
    severity: Severity
    observed: Any
    limit: Any
    unit: str | None
    """As in `Check`."""
    examples: list[str]
    paired: bool
    advice: str = ""
    """As in `Check`."""

    @property
    def stops(self) -> bool:
        """Whether it stops the pipeline."""
        return not self.success and self.severity == "critical"

    @property
    def warns(self) -> bool:
        return not self.success and self.severity == "warning"

    def format(self, value: Any) -> str:
        """The observed value or the limit as a person reads it: 3.2%, 14 exceptions, -1 to 1."""
        if isinstance(value, str):
            return value
        if self.unit == SHARE:
            return f"{100 * value:.3g}%"
        if self.unit == EXCEPTIONS:
            return f"{value:,} exception{'' if value == 1 else 's'}" if value else "no exceptions"
        return number(value)


def judge(checks: list[Check], tables: Tables) -> list[Verdict]:
    """A verdict for each check, in order."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the library, of no use to users
        with put_off("altair", "scipy.stats"):  # unused charts and tests, a third of the import
            from great_expectations import get_context
            from great_expectations.data_context.types.base import ProgressBarsConfig

        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        context = get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("tables")
        results: dict[int, dict[str, Any]] = {}
        for name in dict.fromkeys(check.table for check in checks):
            asset = source.add_dataframe_asset(name)
            batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": tables[name]})
            results |= _results(batch, {i: check for i, check in enumerate(checks) if check.table == name})
    return [_verdict(check, results[index], tables[check.table]) for index, check in enumerate(checks)]


def version() -> str:
    import great_expectations

    return str(great_expectations.__version__)


def _results(batch: Any, checks: dict[int, Check]) -> dict[int, dict[str, Any]]:
    """Great Expectations' results of the checks on one table, by their index in the whole list."""
    from great_expectations import ExpectationSuite, expectations

    asked = [
        getattr(expectations, c.expectation)(**c.arguments, severity=c.severity, meta={"index": i})
        for i, c in checks.items()
    ]
    # Rows, and not a list of indices, which takes 20 s for a million failures.
    wanted = {"result_format": "BASIC", "include_unexpected_rows": True, "partial_unexpected_count": EXAMPLES}
    found = batch.validate(ExpectationSuite("asked", expectations=asked), result_format=wanted)
    return {result.expectation_config.meta["index"]: _judged(result) for result in found.results}


def _judged(result: Any) -> dict[str, Any]:
    """A result as a dict; a check that could not be evaluated is an error in the suite, never a pass."""
    config = result.expectation_config
    if not result.result:
        raise RuntimeError(f"{config.type} was not evaluated: {result.exception_info}")
    return {
        "type": config.type,
        "severity": config.severity.value,
        "success": bool(result.success),
        **result.result,
    }


def _verdict(check: Check, result: dict[str, Any], table: pd.DataFrame) -> Verdict:
    examples = check.examples
    if examples is None:
        named = check.table in NAMED_BY and "unexpected_rows" in result
        examples = result["unexpected_rows"][NAMED_BY[check.table]].tolist() if named else []
    return Verdict(
        check.name,
        result["type"],
        check.column,
        result["success"],
        result["severity"],
        _observed(check, result, table),
        check.limit,
        check.unit,
        examples[:EXAMPLES],
        check.paired,
        check.advice,
    )


def _observed(check: Check, result: dict[str, Any], table: pd.DataFrame) -> Any:
    """The share or the number of failures; else the checked value, or the range of checked values."""
    if "observed_value" in result:
        return result["observed_value"]
    if "column" in check.arguments and (check.unit is None or check.table in ONE_ROW):
        # of what fails all digits that matter, or -1.00001 would be a -1 that is allowed
        return span(table[check.arguments["column"]], digits=3 if result["success"] else 6)
    offenders: int = result["unexpected_count"]
    asked = result["element_count"] - result.get("missing_count", 0)
    if check.unit == SHARE:
        return offenders / asked if asked else 0.0
    return offenders


def span(column: "pd.Series[Any]", digits: int) -> Any:
    """The values of a column: a single one, or lowest to highest, to these digits where they are not whole."""
    low, high = column.min(), column.max()
    if pd.isna(low):
        return "nothing"
    return low.item() if low == high and math.isfinite(low) else f"{_text(low, digits)} to {_text(high, digits)}"


def _text(value: float, digits: int) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.{digits}g}"
