"""The gate: a valid summary table passes, each corruption fails its own expectation and no pipeline goes on."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.common.params import load_params
from stages.media.images import Images
from stages.validate import read_manifest, read_stats, stop_on_failure, validate
from tests.refusals import refused
from tests.stages.summary_tables import (
    CLASSES,
    IMAGES,
    LIMITS,
    Manifest,
    failures,
    gated,
    judged,
    manifest_of,
    valid_stats,
    written,
)

ROOT = Path(__file__).parents[2]
Corruption = Callable[[pd.DataFrame, Manifest], pd.DataFrame | None]


def put(column: str, value: Any, rows: int = 1) -> Corruption:
    """Write `value` into a column of the first rows."""

    def corrupt(stats: pd.DataFrame, _: Manifest) -> None:
        stats.loc[: rows - 1, column] = value

    return corrupt


def the_manifest_counts_another(stats: pd.DataFrame, manifest: Manifest) -> None:
    manifest["counts"]["train"] += 1


def a_class_count_is_off(stats: pd.DataFrame, manifest: Manifest) -> None:
    manifest["class_counts"]["holdout"]["dog"] += 1


def a_class_is_not_held_out(stats: pd.DataFrame, manifest: Manifest) -> None:
    stats.loc[(stats["label"] == 2) & (stats["split"] == "holdout"), "split"] = "train"
    manifest |= manifest_of(stats, CLASSES)


def a_class_is_rare(stats: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    kept = stats[(stats["label"] != 1) | (stats["split"] == "holdout") | (stats["key"] < "image-005")]
    manifest |= manifest_of(kept, CLASSES)
    return kept


def a_class_has_no_images(stats: pd.DataFrame, manifest: Manifest) -> None:
    manifest |= manifest_of(stats, [*CLASSES, "yak"])


def few_images(stats: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    kept = stats[(stats["split"] == "holdout") | (stats["key"] < "image-012")]
    manifest |= manifest_of(kept, CLASSES)
    return kept


BETWEEN, IN_SET = "expect_column_values_to_be_between", "expect_column_values_to_be_in_set"
UNIQUE = "expect_column_values_to_be_unique"
SAME_COUNT = "expect_column_pair_values_to_be_equal(images)"
CORRUPTIONS: dict[str, tuple[Corruption, dict[str, list[str]]]] = {
    # what is done to the data: the expectations that must fail, and the examples each must give
    "below -1": (put("min", -1.1), {f"{BETWEEN}(min)": ["image-000"]}),
    "above 1": (put("max", 1.0001, rows=2), {f"{BETWEEN}(max)": ["image-000", "image-001"]}),
    "infinite": (put("max", np.inf), {f"{BETWEEN}(max)": ["image-000"]}),
    "not finite": (put("finite", False), {f"{IN_SET}(finite)": ["image-000"]}),
    "a range of NaN that calls itself finite": (put("min", np.nan), {f"{IN_SET}(finite)": ["image-000"]}),
    "another channel": (put("channels", 1), {f"{BETWEEN}(channels)": ["image-000"]}),
    "another height": (put("height", 16), {f"{BETWEEN}(height)": ["image-000"]}),
    "another width": (put("width", 8), {f"{BETWEEN}(width)": ["image-000"]}),
    "the same key twice": (put("key", "image-007"), {f"{UNIQUE}(key)": ["image-007", "image-007"]}),
    "an unknown split": (
        put("split", "test"),
        {
            f"{IN_SET}(split)": ["image-000"],
            f"{BETWEEN}(train)": [],
            SAME_COUNT: ["cat (train)"],
        },
    ),
    "no label": (
        put("label", None),
        {"expect_column_values_to_not_be_null(label)": ["image-000"], SAME_COUNT: ["cat (train)"]},
    ),
    "an unknown label": (put("label", 3), {f"{IN_SET}(label)": ["image-000"], SAME_COUNT: ["cat (train)"]}),
    "a negative label": (put("label", -1), {f"{IN_SET}(label)": ["image-000"], SAME_COUNT: ["cat (train)"]}),
    "duplicates": (
        put("pixel_sha256", f"{9:064x}", rows=3),
        {f"{UNIQUE}(pixel_sha256)": ["image-000", "image-001", "image-002", "image-009"]},
    ),
    "flat images": (
        put("std", 0.0, rows=4),
        {f"{BETWEEN}(std)": ["image-000", "image-001", "image-002", "image-003"]},
    ),
    "another number of images": (
        the_manifest_counts_another,
        {"expect_table_row_count_to_equal(None)": [], f"{BETWEEN}(train)": []},
    ),
    "another number of a class": (a_class_count_is_off, {SAME_COUNT: ["dog (holdout)"]}),
    "a class without holdout": (a_class_is_not_held_out, {f"{BETWEEN}(images)": ["owl (holdout)"]}),
    "a rare class": (a_class_is_rare, {f"{BETWEEN}(imbalance)": ["dog"]}),
    "a class without images": (
        a_class_has_no_images,
        {f"{BETWEEN}(images)": ["yak (train)", "yak (holdout)"], f"{BETWEEN}(imbalance)": ["yak"]},
    ),
    "too few images": (few_images, {f"{BETWEEN}(train)": []}),
}


def test_a_valid_table_meets_every_expectation(tmp_path: Path) -> None:
    stats = valid_stats()
    verdicts = judged(tmp_path, stats, manifest_of(stats, CLASSES))
    assert failures(verdicts) == {}
    assert len(verdicts) == 26
    report = json.loads((tmp_path / "reports/validation.json").read_text())
    assert report["success"] is True
    assert report["rows"] == IMAGES
    assert report["great_expectations"] == "1.24.1"
    assert all(expectation["examples"] == [] for expectation in report["expectations"])


def test_images_without_classes_meet_every_expectation(tmp_path: Path) -> None:
    stats = valid_stats(classes=0)
    assert failures(judged(tmp_path, stats, manifest_of(stats, None))) == {}


@pytest.mark.parametrize("what", CORRUPTIONS)
def test_a_corrupted_table_fails_its_own_expectations_with_the_images_as_examples(tmp_path: Path, what: str) -> None:
    corrupt, expected = CORRUPTIONS[what]
    stats = valid_stats()
    manifest = manifest_of(stats, CLASSES)
    changed = corrupt(stats, manifest)
    failed = failures(judged(tmp_path, stats if changed is None else changed, manifest))
    assert {name: verdict.examples for name, verdict in failed.items()} == expected


def test_labels_of_images_without_classes_are_refused(tmp_path: Path) -> None:
    stats = valid_stats(classes=0)
    manifest = manifest_of(stats, None)
    stats.loc[4, "label"] = 1
    failed = failures(judged(tmp_path, stats, manifest))
    assert {name: v.examples for name, v in failed.items()} == {"expect_column_values_to_be_null(label)": ["image-004"]}


def test_a_table_without_images_fails_and_does_not_crash(tmp_path: Path) -> None:
    stats = valid_stats().head(0)
    failed = failures(judged(tmp_path, stats, manifest_of(stats, CLASSES)))
    assert f"{BETWEEN}(train)" in failed
    assert f"{BETWEEN}(holdout)" in failed


def test_every_image_with_every_fault_gives_ten_examples_each_and_valid_json(tmp_path: Path) -> None:
    stats = valid_stats()
    manifest = manifest_of(stats, CLASSES)
    for column, value in {"min": -np.inf, "max": np.inf, "std": 0.0, "mean": np.nan, "finite": False}.items():
        stats[column] = value
    stats["key"], stats["pixel_sha256"] = "same", "same"
    failed = failures(judged(tmp_path, stats, manifest))
    assert len(failed) == 7
    assert all(len(verdict.examples) == 10 for verdict in failed.values())
    json.loads((tmp_path / "reports/validation.json").read_text(), parse_constant=pytest.fail)


# Each example is two runs of Great Expectations, so few of them, on a small table.
@settings(max_examples=4)
@example(percent=0)
@example(percent=100)
@given(percent=st.integers(1, 99))
def test_a_share_of_flat_images_passes_at_its_limit_and_fails_one_image_above(
    tmp_path_factory: pytest.TempPathFactory, percent: int
) -> None:
    limits = LIMITS.model_copy(update={"max_constant": percent / 100})
    for flat in range(percent, min(percent + 2, 101)):
        stats = valid_stats(images=100, classes=0)
        stats["std"] = np.where(np.arange(100) < flat, 0.0, 0.5)
        folder = tmp_path_factory.mktemp("share")
        failed = failures(judged(folder, stats, manifest_of(stats, None), limits))
        assert list(failed) == ([f"{BETWEEN}(std)"] if flat > percent else [])


def test_a_failure_is_one_sentence_with_the_expectation_the_finding_examples_and_the_page(tmp_path: Path) -> None:
    stats = valid_stats()
    manifest = manifest_of(stats, CLASSES)
    stats.loc[:4, "std"] = 0.0
    stats.loc[3, "label"] = None
    stats.loc[3, "key"] = "two\nlines"
    outcome = gated(tmp_path, stats, manifest)
    with refused("gate-failed") as refusal:
        stop_on_failure(outcome, Path("reports/validation.html"))
    sentence = str(refusal.value)
    assert "\n" not in sentence
    assert "fails 3 of 26 expectations" in sentence
    assert "'Every image has a label', but found 1 exception (e.g. 'two\\nlines')" in sentence
    assert "5% of the images are one flat color', but found 8.33% (limit 5%, e.g. image-000, image-001" in sentence
    assert "reports/validation.html" in sentence


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    stats = valid_stats()
    for folder in ("one", "two"):
        judged(tmp_path / folder, stats, manifest_of(stats, CLASSES))
    for name in ("validation.json", "validation.html"):
        assert (tmp_path / "one/reports" / name).read_bytes() == (tmp_path / "two/reports" / name).read_bytes()


@pytest.mark.parametrize("column", ["key", "split", "label", "min", "finite", "height", "pixel_sha256"])
def test_a_table_that_lacks_a_column_is_refused_by_name(tmp_path: Path, column: str) -> None:
    stats = valid_stats()
    path = tmp_path / "data/normalized/stats.parquet"
    written(tmp_path, stats, manifest_of(stats, CLASSES))
    stats.drop(columns=column).to_parquet(path, index=False)
    with refused("output-damaged", f"stats.parquet has no usable column '{column}'"):
        read_stats(path, Images())


def test_a_table_with_a_column_of_another_type_or_with_empty_cells_is_refused_by_name(tmp_path: Path) -> None:
    stats = valid_stats()
    path = tmp_path / "data/normalized/stats.parquet"
    written(tmp_path, stats.assign(std="high"), manifest_of(stats, CLASSES))
    with refused("output-damaged", "no usable column 'std'"):
        read_stats(path, Images())
    stats.loc[0, "pixel_sha256"] = None
    written(tmp_path, stats, {})
    with refused("output-damaged", "empty cells in column 'pixel_sha256'"):
        read_stats(path, Images())


def test_a_missing_or_damaged_table_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "stats.parquet"
    with refused("output-missing", "stats.parquet is missing"):
        read_stats(path, Images())
    path.write_bytes(b"PAR1 and nothing more")
    with refused("output-damaged", "stats.parquet cannot be read as Parquet"):
        read_stats(path, Images())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("counts", {"train": 3}),
        ("shape", [1, 8]),
        ("shape", [0, 8, 8]),
        ("classes", []),
        ("class_counts", {"train": 1}),
    ],
)
def test_a_damaged_manifest_is_refused_by_its_key(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "data/normalized/manifest.json"
    written(tmp_path, valid_stats(), {**manifest_of(valid_stats(), CLASSES), "classes": None, key: value})
    with refused("output-damaged", f"manifest.json is damaged ({key}"):
        read_manifest(path)


OFFLINE = """
import runpy, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print("NETWORK", event, arguments, file=sys.stderr)
sys.addaudithook(refuse)
runpy.run_module("stages.validate", run_name="__main__", alter_sys=True)
"""


def run_stage(folder: Path) -> "subprocess.CompletedProcess[str]":
    """The stage as DVC starts it, in `folder`, in a home of its own, telling of every connection."""
    shutil.copy(ROOT / "params.yaml", folder)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)}
    environment.pop("GX_ANALYTICS_ENABLED", None)
    command = [sys.executable, "-c", OFFLINE]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_stage_passes_good_data_in_silence_and_without_the_network(tmp_path: Path) -> None:
    stats = valid_stats(images=600)
    written(tmp_path, stats, manifest_of(stats, CLASSES))
    done = run_stage(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "not checked: drift: nothing was published from here yet\n"
        "600 images meet all 26 expectations: reports/validation.html\n"
    )
    assert list((tmp_path / "home").iterdir()) == []
    provenance = json.loads((tmp_path / "provenance/validate.json").read_text())
    assert provenance["images"] == 600
    assert provenance["packages"]["great-expectations"] == "1.24.1"


def test_the_stage_stops_on_bad_data_with_exit_code_2_and_leaves_both_reports_to_look_at(tmp_path: Path) -> None:
    stats = valid_stats(images=600)
    manifest = manifest_of(stats, CLASSES)
    stats.loc[17, "max"] = 3.0
    written(tmp_path, stats, manifest)
    done = run_stage(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the data fails 1 of 26 expectations: 'The largest value of every image")
    assert "image-017" in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads((tmp_path / "reports/validation.json").read_text())["success"] is False
    assert "image-017" in (tmp_path / "reports/validation.html").read_text()
    assert not (tmp_path / "provenance/validate.json").exists()


def test_real_digits_meet_the_limits_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages import ingest, normalize

    params = load_params(ROOT / "params.yaml")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    ingest.main()
    normalize.main()
    made = tmp_path / "data/normalized"
    outcome = validate(made, params.validate_, tmp_path / "reports", tmp_path)
    assert outcome.images == 1797
    assert failures(outcome.verdicts) == {}
