"""Images that use a part of their type's range: black and white by name, or found in the data; else the gate warns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.common.levels import floats, to_uint8
from stages.common.split import Split
from stages.images.decode import UndecodableError, decode
from stages.images.deep import Levels
from stages.images.tensors import tensors
from stages.media.medium import Words
from stages.normalize import summary
from stages.validate import report_lines
from tests.refusals import refused
from tests.stages.source_files import encoded, ingested, noise, normalize_params, normalized
from tests.stages.summary_tables import CLASSES, LIMITS, gated, manifest_of, valid_stats

DEEP = np.linspace(0, 4095, 64).astype(np.uint16).reshape(8, 8)


def decode_levels(content: bytes, channels: int = 1, **levels: float) -> Any:
    picture = decode(content, channels, 10**6, "#ff0000", levels=Levels(**levels)).picture
    return floats(tensors([picture], channels)[0])


@pytest.mark.parametrize(
    ("kind", "dtype"), [("PNG", np.uint16), ("TIFF", np.uint16), ("TIFF", np.float32), ("TIFF", np.int32)]
)
def test_a_named_white_gives_images_of_any_type_the_whole_range(kind: str, dtype: Any) -> None:
    got = decode_levels(encoded(Image.fromarray(DEEP.astype(dtype)), kind), white=4095)[0]
    np.testing.assert_allclose(got, DEEP / 4095 * 2 - 1, atol=1e-6)


def test_what_lies_beyond_black_and_white_is_clipped() -> None:
    values = np.array([[-500.0, 0.0, 100.0, 200.0, 5000.0]], np.float32)
    assert decode_levels(encoded(Image.fromarray(values), "TIFF"), black=0, white=200)[0].tolist() == [
        [-1, -1, 0, 1, 1]
    ]


def test_8_bits_may_have_another_white_too_in_gray_and_in_color_and_under_transparency() -> None:
    shades = np.arange(16, dtype=np.uint8).reshape(4, 4)
    for image in (Image.fromarray(shades), Image.fromarray(np.stack([shades] * 3, -1))):
        for channels in (1, 3):
            got = to_uint8(decode_levels(encoded(image), channels, white=15))
            np.testing.assert_array_equal(got, np.stack([shades * 17] * channels))
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0] = (15, 0, 0, 255)
    got = to_uint8(decode_levels(encoded(Image.fromarray(clear)), 3, white=15))
    assert got.reshape(3, 4).T.tolist() == [[255, 0, 0]] * 4  # the background is a color of its own, red


def test_a_white_that_a_type_cannot_reach_is_meant_for_other_files() -> None:
    content = encoded(Image.fromarray(noise(1, 8, 8)[0]))
    np.testing.assert_array_equal(decode_levels(content, white=4095, black=300), decode_levels(content))


@pytest.mark.tried(
    "a TIFF of fractions up to 4095",
    "its values (mode F) lie outside 0 to 1: where white is, is unknown; set normalize.white (and black) to a number, "
    "or to auto",
)
def test_values_of_which_nobody_knows_the_white_say_where_to_name_it(read: Callable[[str], None]) -> None:
    with pytest.raises(UndecodableError) as broken:
        decode_levels(encoded(Image.fromarray(DEEP.astype(np.float32)), "TIFF"))
    read(str(broken.value))
    with pytest.raises(UndecodableError, match="NaN or infinite"):
        decode_levels(encoded(Image.fromarray(np.array([[np.nan, 1]], np.float32)), "TIFF"), white=9)


def stacked(folder: Path, pictures: Any, kind: str = "tif") -> Path:
    (folder / "tree").mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"tree/{kind}{number:03d}.{kind}")
    ingested(folder / "raw", path=str(folder / "tree"), shard_images=7)
    return folder


def deep_noise(count: int, highest: float, dtype: Any, lowest: float = 0) -> Any:
    values = np.random.default_rng(1).uniform(lowest, highest, (count, 8, 8))
    values[0, 0, :2] = lowest, highest
    return values.astype(dtype)


@pytest.mark.tried(
    "pictures of 10, 12 or 14 bits, with `normalize.white: auto`",
    "values of the images: white ...; what lies beyond is clipped, and other types of file keep their own",
)
@pytest.mark.parametrize(
    ("highest", "dtype", "white"),
    [
        (1000, np.uint16, 1023),
        (4000, np.uint16, 4095),
        (16000, np.uint16, 16383),
        (65000, np.uint16, 65535),
        (0.25, np.float32, 0.25),
        (3000.5, np.float32, 3000.5),
        (16, np.uint8, 16),
        (250, np.uint8, 255),
    ],
)
def test_auto_finds_the_bits_that_hold_all_values_or_the_highest_fraction(
    tmp_path: Path, read: Callable[[str], None], highest: float, dtype: Any, white: float
) -> None:
    pictures = deep_noise(20, highest, dtype)
    manifest = normalized(stacked(tmp_path, pictures), white="auto", max_broken=0)
    assert manifest["levels"] == {"black": None, "white": pytest.approx(white)}
    read("\n".join(line for line in summary(manifest) if f"white {white:g}" in line))
    images = np.concatenate([Split(tmp_path / "normalized" / side).images() for side in ("train", "holdout")])
    assert images.max() == pytest.approx(2 * highest / white - 1, abs=0.01)
    assert images.min() == pytest.approx(-1, abs=0.01)


def test_auto_finds_black_too_and_images_of_8_bits_beside_deep_ones_keep_their_own(tmp_path: Path) -> None:
    stacked(tmp_path, deep_noise(10, 4000, np.uint16, lowest=1000))
    stacked(tmp_path, noise(10, 8, 8), "png")
    manifest = normalized(tmp_path, white="auto", black="auto", split="random")
    assert manifest["levels"] == {"black": 1000, "white": 4095}
    splits = [Split(tmp_path / "normalized" / side) for side in ("train", "holdout")]
    found = {key: image for split in splits for key, image in zip(split.keys, split.images(), strict=True)}
    np.testing.assert_array_equal(to_uint8(found["png000.png"])[0], noise(10, 8, 8)[0])


@pytest.mark.tried(
    "TIFFs of 16 bits beside TIFFs of fractions, with `normalize.white: auto`",
    "the images hold 16 bits or more and fractions, which have no white in common: set normalize.white to a number",
)
def test_whole_numbers_beside_fractions_have_no_white_in_common(tmp_path: Path, read: Callable[[str], None]) -> None:
    (tmp_path / "tree").mkdir()
    for name, dtype in (("a", np.uint16), ("b", np.float32)):
        Image.fromarray(DEEP.astype(dtype)).save(tmp_path / f"tree/{name}.tif")
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    with refused("range-ambiguous") as refusal:
        normalized(tmp_path, white="auto")
    read(str(refusal.value))


@pytest.mark.tried(
    "points, with `normalize.white: auto`",
    "points have a scale of their own: set normalize.black and white to null",
)
def test_points_have_a_scale_of_their_own(tmp_path: Path, read: Callable[[str], None]) -> None:
    ingested(tmp_path / "raw", source="ring", path=str(tmp_path), options={"points": 20})
    with refused("medium-rescaled") as refusal:
        normalized(tmp_path, height=1, width=2, white="auto")
    read(str(refusal.value))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"white": 10, "black": 10}, "white = 10 is not above black = 10"),
        ({"white": 0}, "white = 0 is not above black = 0"),
        ({"white": "Auto"}, "'Auto' is none of a number, auto and null"),
    ],
)
def test_a_white_that_cannot_be_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        normalize_params(**changes)


@pytest.mark.tried(
    "pictures of 12 bits in 16, all nearly black",
    "warning: expected 'From their darkest value to their brightest, the images reach over 50% of [-1, 1]', but found "
    "6.25% (limit 50%): where their type holds more than they use, set normalize.white to auto (and black, "
    "if 0 is not black)",
)
def test_the_gate_warns_of_images_that_all_lie_in_a_corner_and_says_what_to_set(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    stats = valid_stats()
    stats["max"], stats["mean"], stats["std"] = -1 + 2 * 4095 / 65535, -0.95, 0.01
    stats.loc[0, "max"] = 1.0  # one that is not, among sixty
    outcome = gated(tmp_path / "b", stats, manifest_of(stats, CLASSES), LIMITS)
    read(report_lines(outcome, Words())[0])
    page = (tmp_path / "b/reports/validation.html").read_text()
    assert "set normalize.white to auto" in page


def test_the_gate_of_normalized_12_bits_warns_and_after_auto_does_not(tmp_path: Path) -> None:
    stacked(tmp_path, deep_noise(60, 4000, np.uint16))
    for white, reach in ((None, 0.061), ("auto", 0.96)):
        normalized(tmp_path, white=white)
        stats = pd.read_parquet(tmp_path / "normalized/stats.parquet")
        found = (stats["max"].quantile(0.95) - stats["min"].quantile(0.05)) / 2
        assert found == pytest.approx(reach, abs=0.03)
