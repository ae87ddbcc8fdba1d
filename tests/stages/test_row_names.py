"""The names beside the rows of a grid of pictures, and the report that takes them off again."""

from pathlib import Path

import numpy as np
import pytest

from mintage.model_config import ModelConfig
from stages.common.levels import Levels
from stages.common.pictures import encode_png, grid, grid_scale, with_names
from stages.reporting.inputs import read_inputs
from stages.reporting.sheets import bare_samples, class_pictures, samples_sheet
from stages.sample import row_names
from tests.stages.report_inputs import NAMES, write_inputs


def sheet(side: int = 8, rows: int = 10, channels: int = 1) -> Levels:
    images = np.random.default_rng(0).integers(0, 256, (10 * rows, channels, side, side), dtype=np.uint8)
    return grid(images, 10, grid_scale(side, side))


def margin(names: list[str], rows: Levels) -> Levels:
    named = with_names(rows, names)
    assert np.array_equal(named[:, :, -rows.shape[2] :], rows), "the pictures stay as they are"
    return named[:, :, : -rows.shape[2]]


@pytest.mark.parametrize("side", [8, 28, 32, 64, 200])
def test_ten_pictures_side_by_side_are_at_least_600_pixels_wide_and_small_ones_at_most_1100(side: int) -> None:
    width = sheet(side).shape[2]
    assert width >= 600
    assert width <= 1100 or side > 96


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (28, 1), (64, 3)])
def test_each_row_has_its_own_name_in_black_on_white(side: int, channels: int) -> None:
    names = ["left", "right", "Äpfel", "жук", "αβγ", "x", "y", "z", "1", "2"]
    drawn = margin(names, sheet(side, channels=channels))
    assert drawn.shape[0] == channels
    rows = np.array_split(drawn[0], 10)
    assert all(row.min() < 64 for row in rows)
    assert all((row[[0, -1]] == 255).all() for row in rows), "within its row"
    assert len({row.tobytes() for row in rows}) == 10


def test_a_name_that_cannot_be_written_is_the_number_of_its_row_and_a_long_one_is_cut() -> None:
    rows = sheet(rows=2)
    assert np.array_equal(margin(["猫", " "], rows), margin(["row 0", "row 1"], rows))
    long, longer = ("a name that goes on and on" + " and on" * more for more in (1, 9))
    assert np.array_equal(margin([long, "a"], rows), margin([longer, "a"], rows))
    assert margin([long, "a"], rows).shape[2] < rows.shape[2] / 3


def test_rows_are_named_by_the_classes_asked_for_or_by_the_categories_of_a_code() -> None:
    classes = ModelConfig("mlp", 8, (1, 8, 8), ("cat", "dog", "owl"), 5, "normal", generator_conditioning="concat")
    assert row_names(classes, None) == ["cat", "dog", "owl"]
    assert row_names(classes, [2, 0]) == ["owl", "cat"]
    assert row_names(ModelConfig("mlp", 8, (1, 8, 8), None, 5, "normal", code_categories=2), None) == [
        "category 0",
        "category 1",
    ]
    assert row_names(ModelConfig("mlp", 8, (1, 8, 8), None, 5, "normal"), None) == []


def test_the_report_takes_the_names_off_since_it_writes_them_itself(tmp_path: Path) -> None:
    root = write_inputs(tmp_path)
    before = read_inputs(root)
    rows = sheet()
    (root / "plots/samples.png").write_bytes(encode_png(rows))
    bare = read_inputs(root)
    (root / "plots/samples.png").write_bytes(encode_png(with_names(rows, NAMES)))
    named = read_inputs(root)
    assert named.samples.width > bare.samples.width == before.samples.width
    assert bare_samples(named) == bare_samples(bare)
    assert samples_sheet(named).names == NAMES
    assert class_pictures(named) == class_pictures(bare)
