"""The gate: Great Expectations on the summary table; data that fails it is not trained on.

Reads:  data/normalized/stats.parquet, data/normalized/manifest.json
Writes: reports/validation.json, reports/validation.html (both also when the data fails, to look at)
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from stages.common.errors import UserError, run_stage
from stages.common.files import read_json, replacing, write_json, write_text
from stages.common.params import Validate, load_section
from stages.common.provenance import recorded
from stages.validation.judge import Verdict, judge, version
from stages.validation.page import page
from stages.validation.suite import EXCEPTIONS, Manifest, checks, tables

STATS = Path("data/normalized/stats.parquet")
MANIFEST = Path("data/normalized/manifest.json")
REPORT = Path("reports/validation.json")
PAGE = Path("reports/validation.html")
_AGAIN = "run `dvc repro --force --single-item normalize`"
SHOWN = 3  # examples in an error message; the reports have more


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
    "height": pa.types.is_integer,
    "width": pa.types.is_integer,
    "pixel_sha256": _is_text,
}
_MAY_BE_NULL = {"label", "min", "max", "mean", "std"}  # no class; no finite pixel


def main() -> None:
    limits = load_section(Validate)
    with recorded("validate", limits) as facts:
        verdicts, images = validate(STATS, MANIFEST, limits, REPORT, PAGE)
        stop_on_failure(verdicts, PAGE)
        facts["images"], facts["expectations"] = images, len(verdicts)
    print(f"{images:,} images meet all {len(verdicts)} expectations: {PAGE}")


def validate(stats: Path, manifest: Path, limits: Validate, report: Path, html: Path) -> tuple[list[Verdict], int]:
    """Judge the summary table; write both reports; return the verdicts and the number of images."""
    known, images = read_manifest(manifest), read_stats(stats)
    found = tables(images, known)
    verdicts = judge(checks(found, known, limits), found)
    with replacing(report) as json_file, replacing(html) as html_file:
        write_json(json_file, as_json(verdicts, len(images)))
        write_text(html_file, page(verdicts, found, known))
    return verdicts, len(images)


def as_json(verdicts: list[Verdict], rows: int) -> dict[str, Any]:
    return {
        "success": all(verdict.success for verdict in verdicts),
        "expectations": [asdict(verdict) for verdict in verdicts],
        "rows": rows,
        "great_expectations": version(),
    }


def stop_on_failure(verdicts: list[Verdict], html: Path) -> None:
    """Raise a UserError that names each failed expectation, what was found, and examples."""
    failed = [verdict for verdict in verdicts if not verdict.success]
    if failed:
        told = "; ".join(_sentence(verdict) for verdict in failed)
        raise UserError(
            f"the data fails {len(failed)} of {len(verdicts)} expectations: {told}; look at {html}, "
            "then mend the data or the limits in params.yaml (validate)"
        )


def _sentence(verdict: Verdict) -> str:
    names = [name if name.isprintable() else repr(name) for name in verdict.examples[:SHOWN]]
    examples = f", e.g. {', '.join(names)}" if names else ""
    limit = "" if verdict.unit == EXCEPTIONS else f", limit {verdict.shown(verdict.limit)}"
    return f"'{verdict.name}' (found {verdict.shown(verdict.observed)}{limit}{examples})"


def read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path} is damaged ({where}: {first['msg']}): {_AGAIN}") from None


def read_stats(path: Path) -> pd.DataFrame:
    """The summary table, only the columns that are judged."""
    try:
        table = pq.read_table(path, columns=[name for name in pq.read_schema(path).names if name in _NEEDED])
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the stage that makes it (`dvc repro`)") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet ({error}): {_AGAIN}") from None
    for name, is_right in _NEEDED.items():
        if name not in table.column_names or not is_right(table.schema.field(name).type):
            raise UserError(f"{path} has no usable column {name!r}: {_AGAIN}")
        if name not in _MAY_BE_NULL and table[name].null_count:
            raise UserError(f"{path} has empty cells in column {name!r}: {_AGAIN}")
    stats: pd.DataFrame = table.to_pandas()
    stats["finite"] &= stats["min"].notna() & stats["max"].notna()  # a range of NaN, whatever the column says
    return stats


if __name__ == "__main__":
    run_stage(main)
