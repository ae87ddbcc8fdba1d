"""The parts of the report: words for numbers, charts, the cost of the last checkpoint, the grids."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.metrics import number, percent
from stages.common.files import read_json, write_json
from stages.common.pictures import encode_png, grid, grid_scale
from stages.media.images import Images
from stages.reporting.charts import Series, is_wide, line_chart
from stages.reporting.inputs import Picture, read_inputs
from stages.reporting.measures import cost_of_the_last, headline
from stages.reporting.page import judged, params_as_yaml, plain, without_secrets
from stages.reporting.selection import Selection
from stages.reporting.sheets import cells, spaced
from stages.reporting.words import compact, duration, size, tick
from stages.selection.metrics import METRICS
from tests.stages.report_inputs import SELECTED, measures, write_inputs
from tests.stages.report_pages import change, text_of


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1234.4, "1,234"), (137.2, "137"), (99.97, "100"), (13.0049, "13.0"), (0.16, "0.160"), (-1.386, "−1.39"),
        (0.00031, "0.00031"), (2.1e-6, "2.1×10⁻⁶"), (0, "0"), (5, "5"), (None, "–"), (math.nan, "–"), (math.inf, "–"),
    ],
)  # fmt: skip
def test_a_number_shows_three_digits_that_matter(value: float | None, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(("value", "words"), [(1.0, "1.00"), (0, "0.00"), (25.0, "25.0"), (137.0, "137")])
def test_a_measured_figure_that_happens_to_be_whole_has_the_digits_of_others(value: float, words: str) -> None:
    assert METRICS["frechet_distance"].text(value) == words


def test_what_is_counted_is_whole() -> None:
    assert METRICS["modes_captured"].text(25.0) == "25"


def test_ticks_counts_shares_sizes_and_times_are_short() -> None:
    assert [tick(v) for v in (0.5, 0.25, 100, 1.0, 0.0003)] == ["0.5", "0.25", "100", "1", "0.0003"]
    assert [compact(v) for v in (0, 500, 50_000, 1_250_000)] == ["0", "500", "50k", "1.25M"]
    assert [percent(v) for v in (0.9246, 1.0, None)] == ["92.5%", "100.0%", "–"]
    assert [size(v) for v in (512, 12_345, 3_400_000)] == ["512 B", "12 kB", "3.4 MB"]
    assert [duration(v) for v in (3.21, 250, 7500)] == ["3.2 s", "4 min 10 s", "2 h 5 min"]


def test_what_the_gate_observed_is_told_in_its_unit() -> None:
    assert [judged(0.0123, "share"), judged(3, "exceptions"), judged(1, "exceptions")] == [
        "1.23%", "3 exceptions", "1 exception",
    ]  # fmt: skip
    assert [judged(0, "exceptions"), judged("-1 to 1", None), judged(1438, None)] == [
        "no exceptions",
        "-1 to 1",
        "1,438",
    ]
    assert plain({"a": [1, 2.5, None], "b": True}) == "a: 1, 2.50, –, b: yes"
    assert len(plain(list(range(1000)))) <= 160


def chart(**options: Any) -> str:
    return line_chart("name", "what it shows", [Series([0, 1000, 2000], [3.0, 1.0, 2.0])], **options)


def test_a_chart_has_only_the_colors_of_the_page_and_its_words_as_text() -> None:
    svg = chart(level=1.5, mark=(1000, 1.0))
    assert "seen in training</text>" in svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg)
    assert {"var(--ink)", "var(--muted)", "var(--accent)", "var(--line)"} <= set(re.findall(r"var\(--\w+\)", svg))
    assert 'role="img" aria-label="what it shows"' in svg
    assert "<style" not in svg, "a style inside would reach the whole page"


def test_a_chart_is_the_same_bytes_each_time() -> None:
    assert chart(level=2.0) == chart(level=2.0)


def test_a_label_cannot_break_out_of_its_attribute() -> None:
    assert '"><script>' not in line_chart("name", '"><script>', [Series([1.0], [1.0])])


def test_a_nan_is_a_gap_in_the_line() -> None:
    whole = line_chart("n", "l", [Series(range(6), [1.0, 2, 3, 4, 5, 6])])
    gap = line_chart("n", "l", [Series(range(6), [1.0, 2, math.nan, 4, 5, 6])])
    starts = [max(path.count("M ") for path in re.findall(r'<path d="([^"]*)"', svg)) for svg in (whole, gap)]
    assert starts == [1, 2]


def test_only_values_above_zero_that_span_much_get_a_logarithmic_axis() -> None:
    assert is_wide([Series([1, 2], [300.0, 9.0])])
    assert is_wide([Series([1, 2], [9.0, 10.0])], level=0.3)
    assert not is_wide([Series([1, 2], [10.0, 9.0])])
    assert not is_wide([Series([1, 2], [300.0, -0.001])])
    assert not is_wide([Series([1], [math.nan])])


def selection(metric: str, last: dict[str, Any]) -> Selection:
    facts = measures(SELECTED, True) | {"metric": metric, "rule": "r", "checkpoints": 4}
    facts |= {"floor_images": 9, "holdout_images": 9}
    return Selection.model_validate(facts | {"last": measures(SELECTED, True) | {"images": 200000} | last})


@pytest.mark.parametrize(
    ("metric", "last", "words"),
    [
        (
            "frechet_distance",
            {"frechet_distance": 14.715},
            "would have meant Frechet distance 14.7 in place of 9.81, 50% worse (real",
        ),
        ("frechet_distance", {"frechet_distance": 98.1}, "10.0 times as high"),
        ("frechet_distance", {"frechet_distance": 9.0}, "8% better"),
        ("frechet_distance", {"frechet_distance": 9.84}, "Frechet distance 9.84 in place of 9.81, as good (real"),
        ("frechet_distance", {"frechet_distance": 9.811}, "would have cost nothing: Frechet distance 9.81 for both"),
        ("frechet_distance", {}, "would have cost nothing"),
        ("frechet_distance", {"frechet_distance": None}, "cannot be compared"),
        (
            "conditional_accuracy",
            {"conditional_accuracy": 0.812},
            "conditional accuracy 81.2% in place of 91.2%, 10.0 points worse",
        ),
        ("kernel_distance", {"images": SELECTED}, "The last checkpoint is the selected one"),
    ],
)
def test_the_cost_of_choosing_the_last_checkpoint_is_told(metric: str, last: dict[str, Any], words: str) -> None:
    assert words in cost_of_the_last(selection(metric, last))


def test_a_cost_is_never_told_without_floor_and_sample_count() -> None:
    assert "(real images: 0.523, 2,000 samples each)" in cost_of_the_last(
        selection("frechet_distance", {"frechet_distance": 50.0})
    )


def test_the_figure_that_decided_comes_first_and_each_has_floor_and_samples() -> None:
    figures = headline(selection("conditional_accuracy", {}))
    assert [f.title for f in figures] == [
        "Conditional accuracy",
        *("Frechet distance", "Kernel distance", "Precision", "Recall", "Diversity", "Near copies"),
    ]
    floors = ["98.6%", "0.523 (0.401 to 0.777)", "−0.00021"]
    assert [(f.floor, f.samples) for f in figures[:3]] == [(floor, 2000) for floor in floors]


@given(st.integers(1, 500), st.integers(3, 40), st.data())
def test_frames_are_few_and_keep_both_ends_and_the_selected_one(length: int, limit: int, data: st.DataObject) -> None:
    keep = data.draw(st.none() | st.integers(0, length - 1))
    chosen = spaced(length, limit, keep)
    assert len(chosen) <= max(limit, 1)
    assert {0, length - 1} <= chosen <= set(range(length))
    assert keep is None or keep in chosen


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([(1, 8, 8), (3, 32, 32), (1, 28, 20), (3, 80, 48)]))
def test_columns_and_rows_are_read_back_from_a_grid(columns: int, rows: int, shape: tuple[int, int, int]) -> None:
    images = np.zeros((columns * rows, *shape), np.uint8)
    sheet = grid(images, columns, scale=grid_scale(*shape[1:]))
    assert cells(Picture(b"", sheet.shape[2], sheet.shape[1]), shape[1:]) == (columns, rows)


def test_a_picture_that_is_no_grid_of_these_images_has_no_columns() -> None:
    assert cells(Picture(encode_png(np.zeros((1, 30, 31), np.uint8)), 31, 30), (8, 8)) is None


def test_a_shape_is_told_width_first() -> None:
    shapes = [Images().describe(shape) for shape in ((1, 28, 20), (3, 8, 8), (4, 8, 8))]
    assert shapes == ["20×28 gray", "8×8 RGB", "8×8 4-channel"]


def test_the_params_read_back_as_they_were_and_without_secrets(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    path = tmp_path / "provenance/ingest.json"
    urls = [{"url": "https://me:hunter2@host/a.gz?X-Signature=abc", "sha256": "0" * 64}]
    write_json(path, read_json(path) | {"params": {"source": "idx", "urls": urls}})
    text = params_as_yaml(read_inputs(tmp_path).made)
    assert text.index("ingest:") < text.index("train:") < text.index("sample:")
    assert "hunter2" not in text
    assert "abc" not in text
    assert "https://(hidden)@host/a.gz?(hidden)" in text


def test_an_ordinary_address_is_left_as_it_is() -> None:
    assert without_secrets("see https://host/path/a.gz and file:///x") == "see https://host/path/a.gz and file:///x"


@pytest.mark.parametrize("evaluator", [{"holdout_accuracy": 0.5}, {"holdout_explained_variance": -0.2}])
def test_the_page_says_why_the_evaluator_is_doubted_and_why_a_floor_lies_above_its_range(
    tmp_path: Path, evaluator: dict[str, float]
) -> None:
    selection, others = write_inputs(tmp_path) / "metrics/selection.json", {"holdout_accuracy": None}
    assert "A floor above both numbers" not in text_of(tmp_path)
    doubted = read_json(selection)["verdict"] | {"doubt": "has memorized its training images"}
    change(selection, verdict=doubted, frechet_floor=8.17, frechet_floor_low=6.75, frechet_floor_high=7.91)
    change(tmp_path / "metrics/evaluator.json", **others | evaluator)
    text = text_of(tmp_path)
    assert re.search(r"[iI]t has memorized its training images, so (its figures|distances by it) are unreliable", text)
    assert "evaluator.images" not in text
    assert "A floor above both numbers: the held-out images differ from the training images by more than" in text
