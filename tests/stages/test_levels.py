"""How normalized images are stored: levels of 8 bits where they are all there is, float32 where there is more."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.common.levels import compact, floats, to_uint8
from stages.common.shards import ShardReader, shards, tensor_table
from stages.common.split import Split
from tests.refusals import refused
from tests.stages.source_files import encoded, ingested, noise, normalized

LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)


def test_each_level_is_its_value_and_comes_back() -> None:
    values = floats(LEVELS)
    assert values.dtype == np.float32
    assert (values.min(), values.max()) == (-1.0, 1.0)
    np.testing.assert_array_equal(to_uint8(values), LEVELS)


def test_values_are_stored_as_levels_only_where_that_loses_no_bit() -> None:
    values = floats(LEVELS)
    np.testing.assert_array_equal(compact(values), LEVELS)
    values[0, 0, 3, 3] = np.nextafter(values[0, 0, 3, 3], np.float32(2))
    assert compact(values) is values


def write_pictures(folder: Path, deep: set[int]) -> dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"]:
    """Twelve pictures of noise, some of 16 bits; what their values must be."""
    folder.mkdir(parents=True)
    expected = {}
    for number, picture in enumerate(noise(12, 8, 8)):
        whole = picture.astype(np.uint16) * 257
        if number in deep:
            whole[picture < 255] += 5
        image = Image.fromarray(whole if number in deep else picture)
        name = f"{number:02d}.png"
        (folder / name).write_bytes(encoded(image))
        expected[name] = (whole / 65535 * 2 - 1)[None]
    return expected


@pytest.mark.parametrize("deep", [set(), {4}, set(range(12))], ids=["none", "one", "all"])
def test_pictures_of_16_bits_keep_them_beside_others_of_8(tmp_path: Path, deep: set[int]) -> None:
    expected = write_pictures(tmp_path / "pictures", deep)
    ingested(tmp_path / "raw", path=str(tmp_path / "pictures"))
    normalized(tmp_path)
    seen = 0
    for side in ("train", "holdout"):
        split = Split(tmp_path / "normalized" / side)
        for key, image in zip(split.keys, split.images(), strict=True):
            np.testing.assert_allclose(image, expected[key.rpartition("/")[2]], atol=1e-7)
            seen += 1
        sizes = {pq.read_schema(path).field("image").type.byte_width for path in shards(tmp_path / "normalized" / side)}
        assert sizes == {4 * 64 if deep else 64}, "a batch with a deep picture is float32, four times as large"
    assert seen == 12


def test_an_image_is_the_same_image_whether_its_file_has_8_bits_or_16(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    picture = noise(1, 8, 8)[0]
    (tmp_path / "pictures/8.png").write_bytes(encoded(Image.fromarray(picture)))
    (tmp_path / "pictures/16.png").write_bytes(encoded(Image.fromarray(picture.astype(np.uint16) * 257)))
    deep = noise(2, 8, 8)[1].astype(np.uint16) // 2 * 257 + 3
    (tmp_path / "pictures/deep.png").write_bytes(encoded(Image.fromarray(deep)))
    ingested(tmp_path / "raw", path=str(tmp_path / "pictures"))
    normalized(tmp_path, holdout=0.3)
    sums = pq.read_table(tmp_path / "normalized/stats.parquet")["pixel_sha256"].to_pylist()
    assert len(set(sums)) == 2


def test_a_shard_is_read_in_four_lines_without_this_package(tmp_path: Path) -> None:
    path = tmp_path / "part-00000.parquet"
    pq.write_table(tensor_table(LEVELS.repeat(3, 0), [None] * 3, ["a", "b", "c"], None), path)
    table = pq.read_table(path)
    shape = json.loads(table.schema.metadata[b"mintage"])["shape"]
    levels = np.stack([np.frombuffer(image.as_py(), np.uint8).reshape(shape) for image in table["image"]])
    np.testing.assert_array_equal(levels / np.float32(127.5) - np.float32(1), Split(tmp_path).images())


def test_shards_of_an_earlier_version_are_refused_with_what_to_do(tmp_path: Path) -> None:
    table = tensor_table(LEVELS, [None], ["a"], None).replace_schema_metadata({"mintage": '{"classes": null}'})
    pq.write_table(table, tmp_path / "part-00000.parquet")
    with refused("output-of-earlier-version", "by an earlier version of the pipeline: run `dvc repro normalize`"):
        ShardReader(tmp_path)
