"""Figures drawn by a seed: somebody, a map of another pose, and the same one in that."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from stages.sources.figures import GROUND, PARTS, clothes_of, draw_figure
from tests.stages.source_files import Array, ingested

OPTIONS = {"figures": 6, "each": 3, "side": 32}


def pixels(content: bytes) -> Array:
    return np.asarray(Image.open(io.BytesIO(content)))


def covered(picture: Array) -> Array:
    found: Array = (picture != GROUND).any(2)
    return found


def test_a_map_covers_what_the_figure_covers_in_that_pose_and_in_no_other(tmp_path: Path) -> None:
    rows = ingested(tmp_path / "raw", source="figures", path=".", options=OPTIONS).to_pylist()
    assert len(rows) == 18
    differ = 0
    for row in rows:
        truth, source, on_map = (pixels(one) for one in (row["image"]["bytes"], row["partner"]["bytes"], *row["maps"]))
        assert np.array_equal(covered(truth), covered(on_map))
        differ += not np.array_equal(covered(source), covered(on_map))
    assert differ == len(rows)


def test_somebody_wears_the_same_in_every_pose_and_others_wear_something_else() -> None:
    one, other = (clothes_of((0, figure)) for figure in (1, 2))
    assert not set(one.values()) & set(other.values())
    for pose in ((0, 1, 1), (0, 1, 2)):
        shown = {tuple(color) for color in pixels(draw_figure(64, pose, (0, 1))).reshape(-1, 3).tolist()}
        assert one["shirt"] in shown
        assert one["boots"] in shown
    assert {kind for _, kind, _ in PARTS.values()} == set(one)


def test_pairs_of_a_figure_are_of_one_group_and_another_seed_draws_others(tmp_path: Path) -> None:
    first, again, other = (
        ingested(tmp_path / f"raw{number}", source="figures", path=".", options=OPTIONS | {"seed": seed})
        for number, seed in enumerate((0, 0, 1))
    )
    assert first["group"].to_pylist() == [str(figure) for figure in range(6) for _ in range(3)]
    assert first["image"].equals(again["image"])
    assert not set(first["sha256"].to_pylist()) & set(other["sha256"].to_pylist())
