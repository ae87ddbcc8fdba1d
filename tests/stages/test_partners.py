"""Pairs: two in one picture, by name, or one made from the other, always at the same place of both."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from stages.common.levels import FloatImages, floats
from stages.common.shards import ShardReader, shards
from stages.common.split import Split
from stages.images.partners import made
from tests.stages.source_files import encoded, ingested, noise, normalize_params, normalized

SIDES = ("train", "holdout")


def pairs(folder: Path) -> dict[str, tuple[FloatImages, FloatImages]]:
    """(image, partner) by key."""
    found: dict[str, tuple[FloatImages, FloatImages]] = {}
    for side in SIDES:
        reader = ShardReader(folder / "normalized" / side)
        assert reader.partner_shape
        for block in reader.blocks:
            both = zip(reader.images(block), reader.images(block, "partner"), strict=True)
            found |= dict(zip(reader.keys(block), both, strict=True))
    return found


def side_by_side(folder: Path, count: int = 8, width: int = 16) -> dict[str, Any]:
    """Pictures of 8 x `width`, as arrays by key, ingested."""
    (folder / "tree").mkdir()
    pictures = {f"{number}.png": image for number, image in enumerate(noise(count, 8, width))}
    for key, picture in pictures.items():
        (folder / "tree" / key).write_bytes(encoded(Image.fromarray(picture)))
    ingested(folder / "raw", path=str(folder / "tree"))
    return pictures


@pytest.mark.parametrize("kind", ["left_right", "right_left"])
def test_two_side_by_side_are_taken_apart(tmp_path: Path, kind: str) -> None:
    pictures = side_by_side(tmp_path)
    manifest = normalized(tmp_path, partner=kind)
    assert manifest["partner"] == kind
    for key, both in pairs(tmp_path).items():
        halves = pictures[key][:, :8] / 127.5 - 1, pictures[key][:, 8:] / 127.5 - 1
        for got, expected in zip(both, halves if kind == "left_right" else halves[::-1], strict=True):
            np.testing.assert_allclose(got[0], expected, atol=1e-6)


def test_a_large_jpeg_of_two_is_parted_in_its_middle(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(4):
        halves = [Image.new("L", (450, 600), level) for level in (10 + number, 200)]
        both = Image.new("L", (900, 600))
        for at, half in enumerate(halves):
            both.paste(half, (450 * at, 0))
        (tmp_path / f"tree/{number}.jpg").write_bytes(encoded(both, "JPEG"))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    normalized(tmp_path, partner="left_right", max_broken=0.0)
    for key, (image, partner) in pairs(tmp_path).items():
        assert image[0, :, :7] == pytest.approx((10 + int(key[0])) / 127.5 - 1, abs=0.03)
        assert partner[0, :, 1:] == pytest.approx(200 / 127.5 - 1, abs=0.03)


def test_two_side_by_side_of_an_odd_width_are_broken_by_name(tmp_path: Path) -> None:
    side_by_side(tmp_path, count=9)
    (tmp_path / "tree/odd.png").write_bytes(encoded(Image.new("L", (15, 8))))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    manifest = normalized(tmp_path, partner="left_right", max_broken=0.1)
    assert manifest["broken"] == [
        {"key": "odd.png", "reason": "it is 15 pixels wide, and two side by side have an even width"}
    ]


def with_partners(folder: Path, partners: Sequence[bytes | None]) -> None:
    """Raw shards of gray noise of 8 x 24, each with one of these as its partner."""
    (folder / "tree").mkdir(exist_ok=True)
    for number, image in enumerate(noise(len(partners), 8, 24)):
        (folder / f"tree/{number}.png").write_bytes(encoded(Image.fromarray(image)))
    table = ingested(folder / "raw", path=str(folder / "tree"))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = [None if content is None else {"bytes": content, "path": "b.png"} for content in partners]
    pq.write_table(table.append_column("partner", pa.array(column, kind)), shards(folder / "raw")[0])


@pytest.mark.parametrize("position", ["center", "random"])
def test_partners_by_name_are_cut_at_the_same_place(tmp_path: Path, position: str) -> None:
    negatives = [encoded(Image.fromarray(255 - image)) for image in noise(8, 8, 24)]
    with_partners(tmp_path, negatives)
    manifest = normalized(tmp_path, fit="crop", crop_position=position)
    assert manifest["partner"] == "its own"
    found = pairs(tmp_path)
    assert len(found) == 8
    for image, partner in found.values():
        np.testing.assert_allclose(image, -partner, atol=1e-6)


def test_a_partner_that_is_missing_or_damaged_breaks_the_pair_by_name(tmp_path: Path) -> None:
    good = encoded(Image.new("L", (8, 8)))
    with_partners(tmp_path, [*[good] * 6, None, b"<html>"])
    manifest = normalized(tmp_path, max_broken=0.5)
    assert [image["key"] for image in manifest["broken"]] == ["6.png", "7.png"]
    assert manifest["broken"][0]["reason"] == "it has no partner"
    assert manifest["broken"][1]["reason"] == "its partner: its content is no image of a known format"


def test_without_pairs_there_is_no_column_for_them(tmp_path: Path) -> None:
    side_by_side(tmp_path)
    assert normalized(tmp_path)["partner"] is None
    assert "partner" not in pq.read_schema(shards(tmp_path / "normalized/train")[0]).names
    assert ShardReader(tmp_path / "normalized/train").partner_shape is None
    assert "partner_sha256" not in pd.read_parquet(tmp_path / "normalized/stats.parquet").columns


def test_the_fingerprint_follows_the_partners(tmp_path: Path) -> None:
    side_by_side(tmp_path)
    kinds = (None, "edges", "lower_resolution", "masked")
    fingerprints = {normalized(tmp_path, partner=kind)["fingerprint"] for kind in kinds}
    fingerprints.add(normalized(tmp_path, partner="masked", crop_seed=1)["fingerprint"])
    assert len(fingerprints) == 5
    assert pd.read_parquet(tmp_path / "normalized/stats.parquet")["partner_sha256"].str.len().eq(64).all()


def partner_of(picture: "np.ndarray[Any, Any]", kind: Any, place: float = 0.0, **damage: Any) -> FloatImages:
    """The partner of one image `[C,H,W]`, drawn by where it is in the draw."""
    params = normalize_params(partner=kind, channels=3, damage=damage)
    return floats(made(params, picture[None].astype(np.float32), [int(place * 2**64)])).squeeze(0)


def test_edges_are_black_lines_on_white_where_black_meets_white() -> None:
    picture = np.full((1, 8, 8), -1.0)
    picture[:, :, 4:] = 1.0
    got = partner_of(picture, "edges")
    assert (got[0, :, 3:5] == -1).all()
    assert (got[0, :, :3] == 1).all()
    assert (got[0, :, 5:] == 1).all()
    assert (partner_of(np.full((3, 5, 7), 0.3), "edges") == 1).all()


def test_gray_is_the_luminance_in_one_channel() -> None:
    picture = np.random.default_rng(0).uniform(-1, 1, (3, 5, 7))
    got = partner_of(picture, "gray")
    expected = 0.299 * picture[0] + 0.587 * picture[1] + 0.114 * picture[2]
    np.testing.assert_allclose(got, expected[None], atol=1e-6)


def test_gray_of_a_gray_image_is_refused() -> None:
    with pytest.raises(ValidationError, match="partner 'gray' of a gray image is the image itself: set channels to 3"):
        normalize_params(partner="gray", channels=1)


@pytest.mark.parametrize(
    ("shape", "factor", "small"), [((1, 32, 32), 4, (8, 8)), ((3, 10, 31), 2, (5, 16)), ((3, 1, 2), 4, (1, 1))]
)
def test_a_lower_resolution_is_a_smaller_picture_of_the_means(
    shape: tuple[int, int, int], factor: int, small: tuple[int, int]
) -> None:
    checks = np.indices(shape).sum(0) % 2 * 2.0 - 1
    got = partner_of(checks, "lower_resolution", factor=factor)
    assert got.shape == (shape[0], *small)
    assert np.abs(got).max() < 0.4
    flat = partner_of(np.full(shape, 0.2), "lower_resolution", factor=factor)
    np.testing.assert_allclose(flat, 0.2, atol=1 / 255)


def test_a_masked_image_has_a_hole_of_half_its_sides_at_a_place_of_its_own_and_its_mask() -> None:
    picture = np.ones((3, 8, 10), np.float32)
    places = set()
    for place in np.linspace(0, 0.999, 50):
        masked = partner_of(picture, "masked", place)
        hole = np.abs(masked[:-1]) < 1 / 127
        assert hole.sum() == 3 * 4 * 5
        assert ((masked[-1] == 1) == hole[0]).all()
        assert set(np.unique(masked[-1])) == {-1, 1}
        rows, columns = np.flatnonzero(hole[0].any(1)), np.flatnonzero(hole[0].any(0))
        assert (len(rows), len(columns)) == (4, 5)
        places.add((rows[0], columns[0]))
    assert (0, 0) in places
    assert (4, 5) in places
    assert len(places) == 30


def test_noise_is_gaussian_of_the_deviation_that_was_asked_for_and_salt_a_share_of_the_pixels() -> None:
    picture = np.full((3, 64, 64), 0.0)
    noise = partner_of(picture, "noisy", 0.4, deviation=0.2)
    assert noise.std() == pytest.approx(0.2, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    salted = partner_of(picture, "salt", 0.4, salt=0.2)
    for level in (-1, 1):
        assert (salted == level).all(0).mean() == pytest.approx(0.1, abs=0.015)
    assert ((salted == 0).all(0) | (np.abs(salted) == 1).all(0)).all()


@pytest.mark.parametrize("kind", ["noisy", "salt", "masked"])
def test_damage_is_the_same_for_an_image_and_a_seed_and_another_for_another(kind: str) -> None:
    picture = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16))
    assert np.array_equal(partner_of(picture, kind, 0.3), partner_of(picture, kind, 0.3))
    assert not np.array_equal(partner_of(picture, kind, 0.3), partner_of(picture, kind, 0.7))


def test_jpeg_is_worse_at_a_lower_quality() -> None:
    slopes = np.linspace(-1, 1, 32)[None, :] * np.cos(np.arange(32) / 3)[:, None]
    picture = np.stack([slopes, -slopes, slopes**2])
    best, worst = (np.abs(partner_of(picture, "jpeg", quality=quality) - picture).mean() for quality in (95, 5))
    assert 0 < best < 0.1 < worst
    assert partner_of(np.full((1, 9, 11), 0.5), "jpeg", quality=50).shape == (1, 9, 11)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("edges", (1, 8, 8)), ("gray", (1, 8, 8)), ("lower_resolution", (3, 4, 4)), ("masked", (4, 8, 8)),
     ("noisy", (3, 8, 8)), ("salt", (3, 8, 8)), ("jpeg", (3, 8, 8))],
)  # fmt: skip
def test_sources_are_stored_in_a_shape_of_their_own(tmp_path: Path, kind: str, shape: tuple[int, int, int]) -> None:
    side_by_side(tmp_path)
    manifest = normalized(tmp_path, partner=kind, channels=3, damage={"factor": 2})
    assert tuple(manifest["partner_shape"]) == shape
    found = pairs(tmp_path)
    params = normalize_params(partner=kind, channels=3, damage={"factor": 2})
    for image, partner in found.values():
        assert (image.shape, partner.shape) == ((3, 8, 8), shape)
        if kind not in ("noisy", "salt", "masked"):
            np.testing.assert_allclose(partner, floats(made(params, image[None], [0]))[0], atol=1e-6)
    split = Split(tmp_path / "normalized/train")
    assert split.partners is not None
    assert split.partners.take(np.array([1, 0])).shape == (2, *shape)
    assert split.signature.source_shape == shape


def test_shards_of_an_earlier_version_have_partners_of_the_images_shape(tmp_path: Path) -> None:
    side_by_side(tmp_path)
    normalized(tmp_path, partner="noisy", channels=3)
    before = pairs(tmp_path)
    for path in [path for side in SIDES for path in shards(tmp_path / "normalized" / side)]:
        table = pq.read_table(path)
        facts = {name: value for name, value in json.loads(table.schema.metadata[b"mintage"]).items()
                if name != "partner_shape"}  # fmt: skip
        pq.write_table(table.replace_schema_metadata({"mintage": json.dumps(facts)}), path)
    after = pairs(tmp_path)
    assert all(np.array_equal(before[key][1], after[key][1]) for key in before)
    assert Split(tmp_path / "normalized/train").signature.source_shape == (3, 8, 8)
