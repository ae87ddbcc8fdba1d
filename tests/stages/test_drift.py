"""Drift: what is kept of the data of a release, and what the gate says of the next data beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages import upload
from stages.common.files import read_json, write_json
from stages.media.images import Images
from stages.media.medium import Medium, Words
from stages.media.sounds import Sounds
from stages.sources.sentences import MEDIUM as LINES
from stages.validate import Outcome, report_lines
from stages.validation.drift import Description, Drift, describe, stability_index
from stages.validation.manifest import Manifest
from stages.validation.suite import drift_suite
from tests.stages.release_trees import make_tree
from tests.stages.summary_tables import CLASSES, LIMITS, SEVERITY, gated, manifest_of, valid_stats

RELEASE = {"release": "0123456789abcdef0123", "url": "s3://bucket/releases/0123456789abcdef0123"}


def varied(images: int = 600, seed: int = 0, **changes: Any) -> pd.DataFrame:
    """A table whose images differ in brightness and contrast."""
    random = np.random.default_rng(seed)
    made = {"mean": random.normal(0, 0.2, images), "std": random.uniform(0.3, 0.6, images)}
    return valid_stats(images).assign(**made | changes)


def run(folder: Path, stats: pd.DataFrame, fingerprint: str = "new", **limits: Any) -> Outcome:
    manifest = manifest_of(stats, CLASSES) | {"fingerprint": fingerprint}
    return gated(folder, stats, manifest, LIMITS.model_copy(update={"max_imbalance": 100.0, **limits}))


def released(folder: Path, stats: pd.DataFrame) -> Path:
    """A workspace from which a release of these data was published to a bucket out of reach."""
    run(folder, stats, "old")
    write_json(folder / "published.json", RELEASE | {"data": read_json(folder / "reports/validation.json")["data"]})
    return folder


def drifted(outcome: Outcome) -> set[str | None]:
    return {verdict.column for verdict in outcome.warned}


def test_the_index_is_the_sum_of_the_formula_less_what_chance_makes() -> None:
    before, now = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    exact = 2 * 0.3 * np.log(0.5 / 0.2)
    assert stability_index(before, now, 10**9, 10**9) == pytest.approx(exact, abs=1e-6)
    assert stability_index(before, now, 100, 50) == pytest.approx(exact - 2 * (1 / 100 + 1 / 50), abs=1e-6)
    assert stability_index(before, before, 100, 100) == 0
    assert np.isfinite(stability_index(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 100, 100))


def test_small_samples_of_the_same_images_have_not_drifted() -> None:
    random = np.random.default_rng(0)
    indices = []
    for _ in range(200):
        before, now = (random.multinomial(240, [0.1] * 10) / 240 for _ in range(2))
        indices.append(stability_index(before, now, 240, 240))
    assert np.mean(indices) < 0.03  # without the correction it would be 0.075
    assert max(indices) < 0.2


def test_a_release_without_its_like_before_is_no_failure_and_is_said(tmp_path: Path) -> None:
    outcome = run(tmp_path, varied())
    assert outcome.not_checked == [{"name": "Drift", "reason": "nothing was published from here yet"}]
    assert "not checked: drift: nothing was published from here yet" in report_lines(outcome, Words())
    assert "nothing was published from here yet" in (tmp_path / "reports/validation.html").read_text()


def test_other_images_of_the_same_kind_have_not_drifted_from_the_release_before(tmp_path: Path) -> None:
    outcome = run(released(tmp_path, varied(seed=1)), varied(seed=2))
    assert drifted(outcome) == set()
    compared = [verdict for verdict in outcome.verdicts if "as in release 0123456789abcdef0123" in verdict.name]
    assert [verdict.column for verdict in compared] == ["brightness", "contrast", "source_size", "classes"]
    assert outcome.not_checked == []


def test_data_of_other_classes_altogether_are_not_compared_with_the_release_before(tmp_path: Path) -> None:
    folder = released(tmp_path, varied())
    receipt = read_json(folder / "published.json")
    receipt["data"]["classes"] = {"shirt": 300, "boot": 300}
    write_json(folder / "published.json", receipt)
    outcome = run(folder, varied(mean=0.9))
    assert drifted(outcome) == set()
    assert "of other classes altogether" in outcome.not_checked[0]["reason"]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"source": "glyphs"}, "is of another source (glyphs)"),
        ({"medium": "sounds"}, "is of another kind of data (sounds)"),
        ({"shape": [1, 16, 16]}, "is of another size (1 x 16 x 16)"),
        ({"fit": "pad"}, "is of images that were fitted otherwise (normalize.fit: pad)"),
    ],
)
def test_data_of_another_source_kind_or_size_are_not_compared_with_the_release_before(
    tmp_path: Path, facts: dict[str, Any], reason: str
) -> None:
    folder = released(tmp_path, varied())
    receipt = read_json(folder / "published.json")
    assert receipt["data"]["medium"] == "images"
    receipt["data"] |= facts
    write_json(folder / "published.json", receipt)
    outcome = run(folder, varied(mean=0.9))
    assert drifted(outcome) == set()
    assert outcome.not_checked == [{"name": "Drift", "reason": f"release {RELEASE['release']} {reason}"}]


@pytest.mark.parametrize(
    ("medium", "asked"),
    [
        (Images(), ["Images are as bright", "Images have as much contrast", "Sources are as large"]),
        (Sounds(), ["The means of sounds are as high", "The deviations within sounds are as large"]),
        (LINES, ["Sources are as large"]),
    ],
)
def test_what_is_compared_with_a_release_is_said_in_the_medium_s_words(medium: Medium, asked: list[str]) -> None:
    drift = Drift("c0ffee", indices={"brightness": 0.0, "contrast": 0.0, "source_size": 0.0})
    names = [check.name for check in drift_suite(drift, medium, 0.2, "warning")]
    assert [name.partition(" as in release")[0] for name in names][: len(asked)] == asked


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"mean": np.random.default_rng(5).normal(-0.2, 0.2, 600)}, "brightness"),
        ({"std": np.random.default_rng(5).uniform(0.2, 0.5, 600)}, "contrast"),
        ({"source_width": 100}, "source_size"),
        ({"source_width": 201}, "source_size"),
        ({"label": pd.array(np.minimum(np.arange(600) % 9, 2), "Int64")}, "classes"),
    ],
)
def test_data_unlike_those_of_the_release_before_are_warned_of(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    outcome = run(released(tmp_path, varied(seed=1)), varied(seed=2, **changes))
    assert drifted(outcome) == {what}
    assert outcome.failed == []
    (verdict,) = outcome.warned
    assert verdict.observed > verdict.limit == 0.2
    assert "as in release 0123456789abcdef0123" in (tmp_path / "reports/validation.html").read_text()


def test_a_class_that_came_or_went_is_drift(tmp_path: Path) -> None:
    before = varied(seed=1)
    folder = released(tmp_path, before)
    after = varied(seed=2)
    manifest = manifest_of(after, ["cat", "dog", "yak"]) | {"fingerprint": "new"}
    assert drifted(gated(folder, after, manifest)) == {"classes"}


def test_drift_stops_where_params_call_it_critical(tmp_path: Path) -> None:
    folder = released(tmp_path, varied(seed=1))
    outcome = run(folder, varied(seed=2, std=0.1), severity=SEVERITY.model_copy(update={"drift": "critical"}))
    assert [verdict.column for verdict in outcome.failed] == ["contrast"]
    assert read_json(folder / "reports/validation.json")["success"] is False


def test_what_training_depends_on_does_not_change_because_something_was_published(tmp_path: Path) -> None:
    run(tmp_path / "alone", varied(seed=2, std=0.1))
    outcome = run(released(tmp_path / "after", varied(seed=1)), varied(seed=2, std=0.1))
    assert drifted(outcome) == {"contrast"}
    alone, after = ((tmp_path / name / "reports/validation.json").read_bytes() for name in ("alone", "after"))
    assert alone == after
    assert read_json(tmp_path / "after/reports/drift.json")["release"] == RELEASE["release"]


def test_the_data_of_the_release_itself_are_not_compared(tmp_path: Path) -> None:
    outcome = run(released(tmp_path, varied(seed=1)), varied(seed=1), fingerprint="old")
    assert outcome.not_checked == [{"name": "Drift", "reason": f"the data are those of release {RELEASE['release']}"}]


@pytest.mark.parametrize(
    "data", [None, 3, {}, {"images": -1}, {"images": 1, "fingerprint": None, "spreads": {"brightness": 1}}]
)
def test_a_release_that_keeps_no_description_is_said_to_keep_none(tmp_path: Path, data: Any) -> None:
    write_json(tmp_path / "published.json", RELEASE | {"data": data})
    outcome = run(tmp_path, varied())
    assert outcome.failed == outcome.warned == []
    assert outcome.not_checked[0]["reason"] == "release 0123456789abcdef0123 keeps no description of its data"


def test_bins_that_do_not_fit_each_other_are_left_out(tmp_path: Path) -> None:
    folder = released(tmp_path, varied(seed=1))
    receipt = read_json(folder / "published.json")
    receipt["data"]["spreads"]["brightness"]["edges"].pop()
    del receipt["data"]["spreads"]["contrast"]
    write_json(folder / "published.json", receipt)
    columns = {verdict.column for verdict in run(folder, varied(seed=2)).verdicts}
    assert {"source_size", "classes"} <= columns
    assert {"brightness", "contrast"} & columns == set()


def test_what_is_kept_is_small_and_exact_and_reads_back() -> None:
    stats = varied(5000)
    stats["source_pixels"] = stats.pop("source_height") * stats.pop("source_width")
    kept = describe(stats, Manifest.model_validate(manifest_of(stats, CLASSES)))
    brightness = kept.spreads["brightness"]
    assert brightness.shares == [0.1] * 10
    assert brightness.edges == pytest.approx(np.quantile(stats["mean"], np.arange(1, 10) / 10))
    assert kept.spreads["source_size"].shares == [0, 1, 0]  # all of one size, and room on both sides
    assert kept.classes == {"cat": 1667, "dog": 1667, "owl": 1666}
    assert Description.model_validate_json(kept.model_dump_json()) == kept
    assert len(kept.model_dump_json()) < 2000


def test_the_receipt_of_a_real_upload_is_what_the_next_gate_compares_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree(tmp_path / "tree")
    monkeypatch.chdir(tree)
    run(tree, varied(seed=1), "old")
    upload.main()
    receipt = json.loads((tree / "published.json").read_text())
    release = tree / "published/releases" / receipt["release"]
    assert read_json(release / "reports/validation.json")["data"] == receipt["data"]
    assert drifted(run(tree, varied(seed=2, std=0.1))) == {"contrast"}
