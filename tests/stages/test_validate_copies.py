"""The gate on copies, outliers and broken images: what stops, what warns, what is shown, and what is left out."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.params import Validate
from stages.media.medium import Words
from stages.sources.ring import MEDIUM as RING
from stages.validate import Outcome, report_lines, stop_on_failure
from stages.validation.judge import Verdict
from tests.refusals import refused
from tests.stages.photographs import brighter, encoded_again, photographs
from tests.stages.summary_tables import (
    CLASSES,
    LIMITS,
    SEVERITY,
    gated,
    judged,
    looking_like,
    manifest_of,
    noise,
    pictured,
    valid_stats,
)

LEAKED = "expect_column_values_to_be_null(leaked_from)"
SAME = "expect_column_values_to_be_unique(pixel_sha256)"
NEAR = "expect_column_values_to_be_null(near_duplicate)"
BETWEEN = "expect_column_values_to_be_between"


def found(outcome: Outcome) -> dict[str, Verdict]:
    return {f"{v.expectation}({v.column})": v for v in outcome.verdicts}


@pytest.mark.parametrize("how", ["the same pixels", "encoded again", "brighter"])
def test_held_out_copies_of_training_images_stop_the_pipeline_and_are_shown_beside_them(
    tmp_path: Path, how: str
) -> None:
    real = photographs()
    leaked = {
        "the same pixels": real[:2],
        "encoded again": encoded_again(real[:2], quality=90),
        "brighter": brighter(real[:2], 1.05),
    }[how]
    outcome = pictured(tmp_path, np.concatenate([real[:118], leaked]), holdout=60)
    verdict = found(outcome)[LEAKED]
    assert verdict.stops
    assert verdict.observed == pytest.approx(2 / 60)
    assert verdict.examples == ["image-118", "image-000", "image-119", "image-001"]
    with refused("gate-failed", "in the train split too', but found ", " e.g. image-118, as image-000"):
        stop_on_failure(outcome, tmp_path / "reports/validation.html")
    assert json.loads((tmp_path / "reports/validation.json").read_text())["success"] is False
    html = (tmp_path / "reports/validation.html").read_text()
    assert html.count("data:image/png;base64,") == html.count("<img ") >= 4
    assert html.count("<small>held out</small>") >= 2


@pytest.mark.tried(
    "12 of 86 images that nearly repeat another",
    "warning: expected 'At most 5% of the images nearly repeat another: encoded again, or brighter', but found 14% "
    "(limit 5%, e.g. image-000, as image-060)",
)
def test_near_duplicates_within_a_split_warn_and_the_pipeline_goes_on(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    real = photographs()
    outcome = pictured(tmp_path, np.concatenate([real[:60], brighter(real[:6], 0.9), real[60:80]]), holdout=20)
    verdict = found(outcome)[NEAR]
    assert verdict.warns
    assert verdict.observed == pytest.approx(12 / 86)
    assert verdict.examples[:4] == ["image-000", "image-060", "image-001", "image-061"]
    assert outcome.failed == []
    stop_on_failure(outcome, Path("never.html"))
    lines = report_lines(outcome, Words())
    read(lines[0])
    assert lines[-1].startswith("86 images meet 21 of 22 expectations")
    assert json.loads((tmp_path / "reports/validation.json").read_text())["success"] is True


def test_different_photographs_are_no_copies(tmp_path: Path) -> None:
    verdicts = found(pictured(tmp_path, photographs(), holdout=24))
    assert (verdicts[NEAR].observed, verdicts[LEAKED].observed) == (0, 0)


def test_severity_is_as_params_say(tmp_path: Path) -> None:
    images = np.concatenate([photographs()[:60], photographs()[:2]])
    only_told = SEVERITY.model_copy(update={"leakage": "warning"})
    outcome = pictured(tmp_path, images, 10, LIMITS.model_copy(update={"severity": only_told}))
    assert found(outcome)[LEAKED].warns
    assert LEAKED not in {f"{v.expectation}({v.column})" for v in outcome.failed}


def change(stats: pd.DataFrame, column: str, value: float, rows: int) -> pd.DataFrame:
    stats.loc[: rows - 1, column] = value
    return stats


@pytest.mark.parametrize(
    ("column", "value", "judged_column"),
    [("mean", -0.9, "mean"), ("mean", 0.9, "mean"), ("source_height", 3, "source_pixels")],
)
def test_images_unlike_the_rest_are_outliers_above_the_share_that_is_allowed(
    tmp_path: Path, column: str, value: float, judged_column: str
) -> None:
    for rows, warns in ((3, False), (4, True)):  # of 60, 5% may be
        stats = change(valid_stats(), column, value, rows)
        verdict = found(gated(tmp_path, stats, manifest_of(stats, CLASSES)))[f"{BETWEEN}({judged_column})"]
        assert (verdict.warns, verdict.stops) == (warns, False)
        assert verdict.examples == [f"image-{n:03d}" for n in range(rows)]


def test_sizes_within_some_octaves_are_no_outliers_even_where_nearly_all_have_one(tmp_path: Path) -> None:
    stats = change(change(valid_stats(), "source_height", 33, 20), "source_width", 800, 40)
    verdict = found(gated(tmp_path, stats, manifest_of(stats, CLASSES)))[f"{BETWEEN}(source_pixels)"]
    assert (verdict.observed, verdict.examples) == (0, [])


def test_broken_images_are_counted_against_all_that_were_read(tmp_path: Path) -> None:
    stats = valid_stats()
    manifest = manifest_of(stats, CLASSES)
    manifest["counts"]["broken"] = 1
    verdict = next(v for v in judged(tmp_path, stats, manifest) if v.column == "broken")
    assert (verdict.warns, verdict.observed, verdict.limit) == (True, pytest.approx(1 / 61), 0.01)
    assert verdict.format(verdict.observed) == "1.64%"


def test_points_have_no_copies_nor_looks_and_tiny_images_no_looks_and_the_reason_is_told(tmp_path: Path) -> None:
    images = noise(40)
    points = looking_like(valid_stats(40, classes=0), images).assign(height=1, width=2, channels=1)
    points.loc[points["split"] == "holdout", "pixel_sha256"] = points["pixel_sha256"][0]
    manifest = manifest_of(points, None) | {"shape": [1, 1, 2], "medium": RING.to_json()}
    outcome = gated(tmp_path / "points", points, manifest, images=images[:, :1, :1, :2].copy())
    assert outcome.failed == outcome.warned == []
    assert {LEAKED, NEAR, SAME} & set(found(outcome)) == set(), "many points on a line are equal by chance"
    assert [one["name"] for one in outcome.not_checked[:2]] == ["Copies", "Near-duplicates and outliers"]
    manifest["medium"] = {"name": "images"}
    tiny = gated(tmp_path / "tiny", points, manifest, images=images[:, :1, :1, :2].copy())
    assert set(found(tiny)) & {LEAKED, NEAR, SAME} == {LEAKED, SAME}, "equal ones alone"
    assert LEAKED in {f"{one.expectation}({one.column})" for one in tiny.failed}
    reason = "2 x 1 pixels are too few to tell images apart by their looks (at least 8 x 8 are needed)"
    assert {"name": "Near-duplicates", "reason": reason} in tiny.not_checked
    assert reason in (tmp_path / "tiny/reports/validation.html").read_text()


def test_pictures_are_read_of_those_that_are_shown_or_may_be_copies_and_of_no_others(tmp_path: Path) -> None:
    stats = valid_stats()
    manifest = manifest_of(stats, CLASSES)
    assert gated(tmp_path, stats, manifest).failed == []
    for shard in (tmp_path / "data/normalized").glob("*/*.parquet"):
        shard.write_bytes(b"PAR1 and nothing more")
    from stages.validate import validate

    assert validate(tmp_path / "data/normalized", LIMITS, tmp_path / "reports", tmp_path).failed == []
    suspicious: Validate = LIMITS.model_copy(update={"max_outliers": 0.0, "outlier_fence": 0.001})
    stats.loc[3, "mean"] = 0.9
    stats.to_parquet(tmp_path / "data/normalized/stats.parquet", index=False)
    with refused("output-damaged", "train/part-00000.parquet cannot be read as Parquet"):
        validate(tmp_path / "data/normalized", suspicious, tmp_path / "reports", tmp_path)
