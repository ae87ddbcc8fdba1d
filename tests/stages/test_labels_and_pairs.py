"""Labels from a file, partners by name, metadata left out."""

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from stages.common.levels import to_uint8
from stages.common.pictures import open_picture
from stages.common.shards import class_names
from stages.common.split import Split
from stages.images.decode import decode
from stages.images.fit import fitted
from stages.images.tensors import tensors
from stages.images.work import geometry_of
from stages.ingest import ingest, summary
from stages.sources import open_source
from stages.sources.metadata import stripped
from tests.refusals import refused
from tests.stages.source_files import (
    encoded,
    ingest_params,
    ingested,
    noise,
    normalize_params,
    normalized,
    write_tree,
    zip_beside,
)

LABELS = {
    "l.csv": "file,kind,note\ncat/000.png,small,x\ncat/001.png,big,y\ndog/000,big,z\n",
    "l.json": '{"cat/000.png": "small", "cat/001.png": "big", "dog/000": "big"}',
    "l.jsonl": '{"file_name": "cat/000.png", "label": "small"}\n\n{"file_name": "cat/001.png", "label": "big"}\n'
    '{"file_name": "dog/000", "label": "big"}\n',
    "semicolons.csv": "file;kind;note\ncat/000.png;small;x, y\ncat/001.png;big;y\ndog/000;big;z\n",
    "tabs.csv": "file\tkind\ncat/000.png\tsmall\ncat/001.png\tbig\ndog/000\tbig\n",
    "tabs.tsv": "file\tkind, small or big\ncat/000.png\tsmall\ncat/001.png\tbig\ndog/000\tbig\n",
    "commas at the end.csv": "file,kind,\ncat/000.png,small,\ncat/001.png,big,\ndog/000,big,\n",
    "bom.csv": "\ufefffile,kind\r\ncat/000.png,small\r\n\r\ncat/001.png,big\r\ndog/000.png,big\r\n",
}


@pytest.mark.parametrize("named", ["a\nb", "a\x1b[31m", "a\0b", "\ud800"])
@pytest.mark.parametrize("what", ["labels", "groups", "attributes"])
def test_a_name_that_no_line_can_show_is_refused_in_a_table_too(tmp_path: Path, named: str, what: str) -> None:
    tree = write_tree(tmp_path / "tree", {"": 4})
    lines = (json.dumps({"file": f"{n:03d}", "kind": (named, "c")[n % 2]}) for n in range(4))
    (tree / "l.jsonl").write_text("\n".join(lines))
    settings: dict[str, Any] = {
        "labels": "l.jsonl",
        "groups": {"file": "l.jsonl", "column": "kind"},
        "attributes": {"file": "l.jsonl", "columns": ["kind"]},
    }
    with refused("name-unprintable"):
        ingested(tmp_path / "raw", path=str(tree), **{what: settings[what]})


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_file_of_labels_takes_the_place_of_folder_names(tmp_path: Path, name: str, packed: bool) -> None:
    tree = write_tree(tmp_path / "tree", {"cat": 2, "dog": 1})
    (tree / name).write_text(LABELS[name], newline="")
    if packed:
        (tree / name).rename(tmp_path / name)
    path = zip_beside(tree) if packed else tree
    table = ingested(tmp_path / "raw", source="archive" if packed else "folder", path=str(path), labels=name)
    assert class_names(table.schema) == ["big", "small"]
    assert table["label"].to_pylist() == [1, 0, 0]


def test_labels_elsewhere_and_keys_without_an_image_are_told(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"": 2})
    (tmp_path / "l.csv").write_text("id,class\n000,10\n001,9\n002,1\n")
    params = ingest_params(path=str(tree), labels=str(tmp_path / "l.csv"))
    source = open_source(params)
    counts = ingest(source, params, tmp_path / "raw", tmp_path / "resume")
    assert source.classes == ["1", "9", "10"]  # by their value
    assert counts == {(None, 2): 1, (None, 1): 1}
    assert "l.csv has 1 key without an image" in summary(source, counts)[-1]


def test_images_beside_folders_are_no_trouble_where_folders_are_no_classes(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"": 1, "more": 1})
    (tree / "l.json").write_text(json.dumps({"000.png": 1, "more/000.png": 0}))
    table = ingested(tmp_path / "raw", path=str(tree), labels="l.json")
    assert dict(zip(table["key"].to_pylist(), table["label"].to_pylist(), strict=True)) == {
        "000.png": 1,
        "more/000.png": 0,
    }


def paired(tmp_path: Path, packed: bool) -> Path:
    tree = write_tree(tmp_path / "tree", {"photos/train": 3, "photos/test": 2, "maps/train": 3, "maps/test": 2})
    (tree / "maps/train/002.png").rename(tree / "maps/train/002.gif")
    write_tree(tree, {"maps/train/unused": 4})
    return zip_beside(tree) if packed else tree


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_partners_are_the_files_of_the_same_name_in_the_second_folder(tmp_path: Path, packed: bool) -> None:
    path = paired(tmp_path, packed)
    params = {"source": "archive" if packed else "folder", "path": str(path)}
    pairs = {"by": "name", "folders": ["photos", "maps/"]}
    table = ingested(tmp_path / "raw", pairs=pairs, **params)
    assert table["key"].to_pylist() == [*(f"test/00{n}.png" for n in range(2)), *(f"train/00{n}.png" for n in range(3))]
    assert table["split"].to_pylist() == ["test"] * 2 + ["train"] * 3
    assert class_names(table.schema) is None
    for row in table.to_pylist():
        assert row["image"]["bytes"] == (tmp_path / "tree/photos" / row["key"]).read_bytes()
        (partner,) = (tmp_path / "tree/maps").glob(f"{row['key'].removesuffix('.png')}.*")
        assert row["partner"] == {"bytes": partner.read_bytes(), "path": row["image"]["path"]}
    assert "left out 4 images of the second folder" in "\n".join(
        open_source(ingest_params(pairs=pairs, **params)).notes
    )


def test_maps_are_the_files_of_the_same_name_in_the_folders_that_follow(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"photos": 3, "before": 3, "poses": 3, "depths": 3})
    table = ingested(
        tmp_path / "raw", path=str(tree), pairs={"by": "name", "folders": ["photos", "before", "poses", "depths"]}
    )
    for row in table.to_pylist():
        assert row["partner"]["bytes"] == (tree / "before" / row["key"]).read_bytes()
        assert row["maps"] == [(tree / kind / row["key"]).read_bytes() for kind in ("poses", "depths")]
    (tree / "depths/001.png").unlink()
    with refused("partner-missing"):
        ingested(tmp_path / "raw", path=str(tree), pairs={"by": "name", "folders": ["photos", "before", "depths"]})


def test_gray_pictures_have_no_maps_since_these_would_be_taken_for_masks(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"photos": 4, "before": 4, "poses": 4})
    pairs = {"by": "name", "folders": ["photos", "before", "poses"]}
    ingested(tmp_path / "raw", path=str(tree), pairs=pairs)
    with refused("maps-need-color"):
        normalized(tmp_path, channels=1)
    assert normalized(tmp_path, channels=3)["partner_shape"] == [6, 8, 8]
    split = Split(tmp_path / "normalized/train")
    assert split.partners is not None
    for key, six in zip(split.keys, split.partners.images(), strict=True):
        for kind, picture in zip(("before", "poses"), np.split(six, 2), strict=True):
            content = (tree / kind / key).read_bytes()
            expected = fitted(decode(content, 3, 10**6).picture, geometry_of(normalize_params(channels=3)))
            assert np.array_equal(to_uint8(picture), tensors([expected], 3)[0])


def test_shards_have_no_column_of_partners_where_there_are_none(tmp_path: Path) -> None:
    assert "partner" not in ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"": 2}))).column_names


@pytest.mark.parametrize(
    ("source", "code"),
    [("digits", "pairs-not-supported"), ("glyphs", "pairs-not-supported"), ("idx", "source-missing")],
)
def test_pairs_of_what_has_no_names_are_refused(source: str, code: str, tmp_path: Path) -> None:
    pairs = {"by": "name", "folders": ["a", "b"]}
    with refused(code):
        open_source(ingest_params(source=source, path=str(tmp_path), pairs=pairs))


SECRET = "52.0907 N, 5.1214 E, serial 8841"


def picture(kind: str, mode: str) -> bytes:
    """With EXIF (its orientation 6, a quarter turn), a comment, XMP and text where the format has them."""
    image = Image.fromarray(noise(1, 24, 16, 3)[0]).convert(mode)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, SECRET
    options: dict[str, Any] = {"exif": exif}
    if kind == "JPEG":
        made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        profile = made[:24] + bytes(12) + made[36:]  # without the second in which it was made
        options |= {"comment": SECRET, "xmp": SECRET.encode(), "icc_profile": profile, "progressive": True}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("where", SECRET)
        info.add_itxt("where", SECRET, zip=True)
        options["pnginfo"] = info
    if kind == "WEBP":
        options |= {"xmp": SECRET.encode(), "lossless": True}
    if kind in ("GIF", "BMP", "PPM"):
        options = {"comment": SECRET} if kind == "GIF" else {}
    return encoded(image, kind, **options) + SECRET.encode()  # and after the end, as moving photographs have it


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("JPEG", mode) for mode in ("RGB", "L", "CMYK")),
        *(("PNG", mode) for mode in ("RGB", "P", "RGBA")),
        *(("TIFF", mode) for mode in ("RGB", "CMYK", "F")),
        *(("WEBP", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("PPM", "L")),
    ],
)
def test_metadata_is_left_out_and_every_pixel_stays_the_same_way_up(kind: str, mode: str) -> None:
    from PIL import ImageOps

    before = picture(kind, mode)
    after = stripped(before)
    assert SECRET.encode() not in after
    assert not Image.open(io.BytesIO(after)).getexif().get(0x010E)
    old, new = (ImageOps.exif_transpose(open_picture(content, 10**6)) for content in (before, after))
    assert new.size == old.size
    shown = "RGBA" if mode == "P" else old.mode
    np.testing.assert_array_equal(np.asarray(new.convert(shown)), np.asarray(old.convert(shown)))
    assert bool(new.info.get("icc_profile")) == bool(old.info.get("icc_profile"))


def test_a_picture_with_several_scans_and_restarts_keeps_them() -> None:
    image = Image.fromarray(noise(1, 200, 300, 3)[0])
    for options in ({"progressive": True}, {"restart_marker_rows": 1}, {"quality": 100, "subsampling": 0}):
        content = encoded(image, "JPEG", comment="x", **options)
        assert len(stripped(content)) < len(content)
        np.testing.assert_array_equal(
            np.asarray(Image.open(io.BytesIO(stripped(content)))), np.asarray(Image.open(io.BytesIO(content)))
        )


@pytest.mark.parametrize(
    "content",
    [b"", b"no image", picture("JPEG", "RGB")[:700], picture("PNG", "RGB")[:60]],
    ids=["empty", "text", "JPEG", "PNG"],
)
def test_what_is_no_picture_may_hold_anything_and_is_emptied(content: bytes) -> None:
    assert stripped(content) == b""


def test_ingest_strips_where_params_say_so_and_else_keeps_every_byte(tmp_path: Path) -> None:
    content = picture("JPEG", "RGB")
    (tmp_path / "tree").mkdir()
    for name in "ab":
        (tmp_path / f"tree/{name}.jpg").write_bytes(content)
    kept = ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    assert kept["image"].to_pylist()[0]["bytes"] == content
    left = ingested(tmp_path / "raw", path=str(tmp_path / "tree"), strip_metadata=True)
    assert left["image"].to_pylist()[0]["bytes"] == stripped(content)


def test_pictures_made_at_another_time_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = picture("JPEG", "RGB")
    create = ImageCms.createProfile

    def later(space: Any) -> Any:
        time.sleep(1.1)  # a profile carries the second in which it is made
        return create(space)

    monkeypatch.setattr(ImageCms, "createProfile", later)
    assert picture("JPEG", "RGB") == before
