"""The gate: Great Expectations on the summary table; data that fails it is not trained on.

Reads data/normalized/stats.parquet and manifest.json; of data/normalized/{train,holdout} the images that may be
near-duplicates and those that are shown; published.json, where there is one, to compare with its data.
Writes reports/validation.json, reports/drift.json, reports/validation.html (also when the data fails, to look at),
provenance/validate.json.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from stages.common.errors import UserError, run_stage
from stages.common.files import missing_output, read_json, replacing, write_json, write_text
from stages.common.foresight import known_of, require_fit
from stages.common.params import Validate, load_section
from stages.common.provenance import recorded
from stages.common.sections import first_problem
from stages.common.stage import parser_of
from stages.media.medium import Medium, Words
from stages.validation.checks import EXCEPTIONS
from stages.validation.drift import Description, against_release, describe
from stages.validation.judge import Verdict, judge, version
from stages.validation.manifest import Manifest
from stages.validation.page import page
from stages.validation.suite import drift_suite, not_checked, suite
from stages.validation.tables import tables
from stages.validation.thumbnails import thumbnails
from stages.validation.twins import find_twins

NORMALIZED = Path("data/normalized")
REPORTS = Path("reports")
STATS, MANIFEST = "stats.parquet", "manifest.json"
PAGE = REPORTS / "validation.html"
SHOWN = 3  # examples in an error message; the reports have more
_AGAIN = "run `dvc repro --force --single-item normalize`"


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


_NEEDED = {
    "key": _is_text,
    "split": _is_text,
    "label": pa.types.is_integer,
    "min": pa.types.is_floating,
    "max": pa.types.is_floating,
    "mean": pa.types.is_floating,
    "std": pa.types.is_floating,
    "finite": pa.types.is_boolean,
    "channels": pa.types.is_integer,
    "pixel_sha256": _is_text,
    "difference_hash": pa.types.is_uint64,
}
_MORE = ("attributes", "domain")
_MAY_BE_NULL = {"label", "min", "max", "mean", "std"}  # without a class; without a finite pixel


@dataclass(frozen=True)
class Outcome:
    """The result of the gate."""

    images: int
    verdicts: list[Verdict]
    """Verdicts on the data alone, then on the drift."""
    not_checked: list[dict[str, str]]

    @property
    def failed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.stops]

    @property
    def warned(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.warns]


def main() -> None:
    limits = load_section(Validate)
    with recorded("validate", limits) as facts:
        outcome = validate(NORMALIZED, limits, REPORTS, Path())
        stop_on_failure(outcome, PAGE)
        known = known_of(read_json(NORMALIZED / MANIFEST))
        require_fit(known)  # before any network is trained
        facts["images"], facts["expectations"] = outcome.images, len(outcome.verdicts)
        facts["warnings"] = [verdict.name for verdict in outcome.warned]
    print("\n".join(report_lines(outcome, known.medium.words)))


def validate(normalized: Path, limits: Validate, reports: Path, root: Path) -> Outcome:
    """Check the normalized images, compare them with the release whose receipt is in `root`, and write the reports."""
    known = read_manifest(normalized / MANIFEST)
    stats = read_stats(normalized / STATS, known.medium)
    twins = find_twins(stats, normalized, limits, by_looks=known.no_looks is None)
    found = tables(stats, known, twins)
    here = describe(stats, known)
    drift = against_release(stats, here, root)
    checks = suite(found, known, twins, limits)
    found["drift"] = drift.table
    verdicts = judge([*checks, *drift_suite(drift, known.medium, limits.max_drift, limits.severity.drift)], found)
    outcome = Outcome(len(stats), verdicts, not_checked(known, twins, drift))
    pictures = thumbnails(verdicts, stats, normalized, known.medium) if known.medium.has_looks else {}
    with (
        replacing(reports / "validation.json") as judged,
        replacing(reports / "drift.json") as compared,
        replacing(reports / "validation.html") as shown,
    ):
        write_json(judged, as_json(outcome, len(checks), here))
        write_json(compared, asdict(drift) | {"expectations": [asdict(verdict) for verdict in verdicts[len(checks) :]]})
        write_text(shown, page(verdicts, outcome.not_checked, pictures, found, known))
    return outcome


def as_json(outcome: Outcome, of_the_data: int, here: Description) -> dict[str, Any]:
    """The JSON on which training depends: equal for the same data and limits, whatever was published before."""
    return {
        "success": not outcome.failed,
        "expectations": [asdict(verdict) for verdict in outcome.verdicts[:of_the_data]],
        "rows": outcome.images,
        "data": here.model_dump(),
        "great_expectations": version(),
    }


def stop_on_failure(outcome: Outcome, html: Path) -> None:
    """Raise a UserError with each failed critical expectation, what was found, and examples."""
    if outcome.failed:
        failed, sentences = len(outcome.failed), "; ".join(_sentence(verdict) for verdict in outcome.failed)
        raise UserError(
            "gate-failed",
            f"the data fails {failed} of {len(outcome.verdicts)} expectations: {sentences}; look at {html}, "
            "then mend the data or the limits in params.yaml (validate)",
        )


def report_lines(outcome: Outcome, words: Words) -> list[str]:
    """The lines of a passed gate: warnings, checks that were not made and why, and the verdict."""
    met = len(outcome.verdicts) - len(outcome.warned)
    met_all = "all" if not outcome.warned else f"{met} of"
    return [
        *(f"warning: expected {_sentence(verdict)}" for verdict in outcome.warned),
        *(f"not checked: {one['name'].lower()}: {one['reason']}" for one in outcome.not_checked),
        f"{outcome.images:,} {words.many} meet {met_all} {len(outcome.verdicts)} expectations: {PAGE}",
    ]


def _sentence(verdict: Verdict) -> str:
    names = [name if name.isprintable() else repr(name) for name in verdict.examples[:SHOWN]]
    examples = f"e.g. {', '.join(names)}" if names else ""
    if verdict.paired and names:
        examples = f"e.g. {names[0]}, as {names[1]}"
    limit = "" if verdict.unit == EXCEPTIONS else f"limit {verdict.format(verdict.limit)}"
    advice = f": {verdict.advice}" if verdict.advice else ""
    more = ", ".join(filter(None, (limit, examples)))
    return f"'{verdict.name}', but found {verdict.format(verdict.observed)}{f' ({more})' if more else ''}{advice}"


def read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(read_json(path))
    except ValidationError as error:
        raise UserError("output-damaged", f"{path} is damaged ({first_problem(error)}): {_AGAIN}") from None


def read_stats(path: Path, medium: Medium) -> pd.DataFrame:
    """The summary table, with only the columns that are checked."""
    sources = [f"source_{side}" for side in medium.sides]
    own = [one.column for one in medium.expectations]
    needed = _NEEDED | dict.fromkeys(own, pa.types.is_floating)
    needed |= dict.fromkeys((*medium.sides, *sources), pa.types.is_integer)
    may_be_null = _MAY_BE_NULL | (set() if medium.has_looks else {"difference_hash"})
    try:
        names = pq.read_schema(path).names
        table = pq.read_table(path, columns=[name for name in names if name in needed or name in _MORE])
    except FileNotFoundError:
        raise missing_output(path) from None
    except (pa.ArrowException, OSError) as error:
        raise UserError("output-damaged", f"{path} cannot be read as Parquet ({error}): {_AGAIN}") from None
    for name, is_right in needed.items():
        if name not in table.column_names or not is_right(table.schema.field(name).type):
            raise UserError("output-damaged", f"{path} has no usable column {name!r}: {_AGAIN}")
        if name not in may_be_null and table[name].null_count:
            raise UserError("output-damaged", f"{path} has empty cells in column {name!r}: {_AGAIN}")
    stats: pd.DataFrame = table.to_pandas()
    stats["finite"] &= stats["min"].notna() & stats["max"].notna()  # a range of NaN, whatever the column says
    stats["source_pixels"] = stats[sources].prod(axis=1)
    stats = stats.drop(columns=sources)
    return stats


if __name__ == "__main__":
    parser_of("stages.validate", __doc__).parse_args()
    run_stage(main)
