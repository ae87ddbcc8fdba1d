"""Ingest: what each source gives, and the layout of the raw shards."""

import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.check import main as check_main
from stages.common.shards import class_names, read_tables, shards
from stages.ingest import ingest, summary
from stages.ingest import main as ingest_main
from stages.sources import RawImage, Source, open_source
from tests.refusals import refused
from tests.stages.source_files import (
    encoded,
    ingest_params,
    ingested,
    noise,
    normalized,
    run_stage_in,
    write_idx,
    write_tree,
)
from tests.stages.tiny_data import ROOT, write_params


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_digits_are_all_there_with_their_16_levels_stretched_to_255(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    table = ingested(tmp_path / "raw", source="digits", path="unused")
    assert table.num_rows == 1797
    assert table["label"].to_pylist() == load_digits().target.tolist()
    got = np.stack([pixels(image["bytes"]) for image in table["image"].to_pylist()])
    np.testing.assert_array_equal(got, np.rint(load_digits().images * 255 / 16))
    assert got.max() == 255


def test_raw_shards_have_the_hugging_face_image_layout_and_pandas_reads_them(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    frame = pd.read_parquet(tmp_path / "raw")
    assert list(frame) == ["image", "label", "key", "sha256", "split"]
    first = frame.iloc[0]
    content = (tmp_path / "tree/cat/000.png").read_bytes()
    assert first["image"] == {"bytes": content, "path": "000.png"}
    assert (first["label"], first["key"]) == (0, "cat/000.png")
    assert first["sha256"] == hashlib.sha256(content).hexdigest()
    metadata = pq.read_schema(shards(tmp_path / "raw")[0]).metadata
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"_type": "ClassLabel", "names": ["cat", "dog"]}
    assert set(features) == set(frame)
    assert json.loads(metadata[b"source"])["origin"] == str(tmp_path / "tree")


def test_bytes_are_kept_as_they_came_even_if_they_are_no_image(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"": 2})
    (tmp_path / "tree/page.jpg").write_bytes(b"<html>not found</html>")
    table = ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    kept = dict(zip(table["key"].to_pylist(), table["image"].to_pylist(), strict=True))
    assert kept["page.jpg"]["bytes"] == b"<html>not found</html>"


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_idx_files_give_their_pixels_labels_and_official_test_set(tmp_path: Path, packed: bool) -> None:
    train, test = noise(6, 5, 7), noise(4, 5, 7, seed=1)
    write_idx(tmp_path, train, np.array([0, 1, 2, 0, 1, 2]), packed=packed)
    write_idx(tmp_path, test, np.array([2, 1, 0, 2]), "t10k", packed=packed)
    table = ingested(tmp_path / "raw", source="idx", path=str(tmp_path))
    got = np.stack([pixels(image["bytes"]) for image in table["image"].to_pylist()])
    np.testing.assert_array_equal(got, np.concatenate([train, test]))
    assert table["label"].to_pylist() == [0, 1, 2, 0, 1, 2, 2, 1, 0, 2]
    assert table["split"].to_pylist() == ["train"] * 6 + ["test"] * 4
    assert table["key"].to_pylist()[5:7] == ["train-00005", "test-00000"]


def test_idx_train_files_alone_have_no_official_split(tmp_path: Path) -> None:
    write_idx(tmp_path, noise(3, 4, 4), np.array([0, 1, 1]))
    assert ingested(tmp_path / "raw", source="idx", path=str(tmp_path))["split"].to_pylist() == [None] * 3


def test_idx_test_images_without_labels_are_left_out_or_all_are_taken_without_labels(tmp_path: Path) -> None:
    write_idx(tmp_path, noise(6, 5, 7), np.array([0, 1, 2, 0, 1, 2]))
    write_idx(tmp_path, noise(4, 5, 7, seed=1), np.zeros(4, np.uint8), "t10k")
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    known = {"source": "idx", "path": str(tmp_path)}
    left = ingested(tmp_path / "raw", **known, unlabeled="leave_out")
    assert left["label"].to_pylist() == [0, 1, 2, 0, 1, 2]
    every = ingested(tmp_path / "all", **known, labels=False)
    assert (class_names(every.schema), every.num_rows) == (None, 10)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    assert ingested(tmp_path / "none", **known, labels=False).num_rows == 10
    with refused("labels-missing", "or set ingest.labels to false"):
        ingested(tmp_path / "refused", **known)


def test_idx_gzip_is_told_by_its_first_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    write_idx(tmp_path, noise(3, 4, 4), np.array([0, 1, 1]), packed=True)
    for file in list(tmp_path.glob("*.gz")):
        file.rename(file.with_suffix(""))
    assert ingested(tmp_path / "raw", source="idx", path=str(tmp_path)).num_rows == 3


def test_idx_classes_are_named_by_their_labels_or_by_the_lines_of_classes_txt(tmp_path: Path) -> None:
    write_idx(tmp_path, noise(3, 4, 4), np.array([1, 26, 1]))  # as in EMNIST letters, which starts at 1
    table = ingested(tmp_path / "raw", source="idx", path=str(tmp_path))
    assert class_names(table.schema) == ["1", "26"]
    assert table["label"].to_pylist() == [0, 1, 0]
    (tmp_path / "classes.txt").write_text("\n".join(f"letter {number}" for number in range(27)) + "\n")
    table = ingested(tmp_path / "raw", source="idx", path=str(tmp_path))
    assert table["label"].to_pylist() == [1, 26, 1]
    assert class_names(table.schema)[26] == "letter 26"  # type: ignore[index]


def test_a_folder_of_folders_has_the_sorted_folder_names_as_classes_and_is_walked_to_any_depth(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"dog": 1, "cat/2020/may": 2, "cat": 1})
    table = ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    assert class_names(table.schema) == ["cat", "dog"]
    assert table["key"].to_pylist() == ["cat/000.png", "cat/2020/may/000.png", "cat/2020/may/001.png", "dog/000.png"]
    assert table["label"].to_pylist() == [0, 0, 0, 1]


def test_a_folder_of_images_has_no_labels(tmp_path: Path) -> None:
    table = ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"": 3})))
    assert class_names(table.schema) is None
    assert table["label"].to_pylist() == [None] * 3


def test_a_wrapping_folder_is_passed_through(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"archive/cat": 1, "archive/dog": 1})
    assert class_names(ingested(tmp_path / "raw", path=str(tmp_path / "tree")).schema) == ["cat", "dog"]


def test_a_single_class_is_not_taken_for_a_wrapping_folder(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"cat": 2})
    assert class_names(ingested(tmp_path / "raw", path=str(tmp_path / "tree")).schema) == ["cat"]


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_folders_named_train_and_test_are_an_official_split_and_not_classes(tmp_path: Path, held_out: str) -> None:
    write_tree(tmp_path / "tree", {"train/cat": 2, "train/dog": 1, f"{held_out}/cat": 1})
    table = ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    assert class_names(table.schema) == ["cat", "dog"]
    splits = dict(zip(table["key"].to_pylist(), table["split"].to_pylist(), strict=True))
    assert splits == {key: key.split("/")[0].replace("val", "test") for key in splits}
    assert len(splits) == 4


def test_a_table_that_params_name_is_no_file_that_is_skipped(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"": 2})
    (tree / "who.csv").write_text("file,person\n000.png,a\n001.png,b\n")
    for file in ("who.csv", str(tree / "who.csv")):
        assert open_source(ingest_params(path=str(tree), groups={"file": file, "column": "person"})).notes == []
    assert "such as" in open_source(ingest_params(path=str(tree))).notes[0]


def test_hidden_and_other_files_are_left_out_and_the_others_are_counted(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"cat": 2, "dog": 1})
    for name in ("notes.md", "cat/notes.txt", "cat/.hidden.png", ".DS_Store"):
        (tree / name).write_text("x")
    (tree / "__MACOSX").mkdir()
    os.mkfifo(tree / "dog/pipe.png")  # opening it would wait for ever
    params = ingest_params(path=str(tree))
    source = open_source(params)
    counts = ingest(source, params, tmp_path / "raw")
    assert counts.total() == 3
    *_, skipped, empty = summary(source, counts)
    assert "skipped 2 files whose extension is not that of an image, such as" in skipped
    assert f"skipped 1 file without an image in it, such as {tree}/dog/pipe.png" in empty


def test_extensions_count_in_capitals_too_and_links_to_images_and_folders_are_followed(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"cat": 1})
    (tree / "cat/000.png").rename(tree / "cat/A.JPG")
    elsewhere = write_tree(tmp_path / "elsewhere", {"": 2})
    (tree / "cat/linked.png").symlink_to(elsewhere / "000.png")
    (tree / "dog").symlink_to(elsewhere)
    table = ingested(tmp_path / "raw", path=str(tree))
    assert table["key"].to_pylist() == ["cat/A.JPG", "cat/linked.png", "dog/000.png", "dog/001.png"]


@pytest.mark.parametrize(
    ("extension", "kind"),
    [("jfif", "JPEG"), ("JPE", "JPEG"), ("mpo", "MPO"), ("jpeg", "JPEG"), ("apng", "PNG"), ("pgm", "PPM")],
)
def test_images_are_known_by_every_usual_extension_and_decoded(tmp_path: Path, extension: str, kind: str) -> None:
    (tmp_path / "tree/cat").mkdir(parents=True)
    for number, picture in enumerate(noise(4, 8, 8)):
        (tmp_path / f"tree/cat/{number}.{extension}").write_bytes(encoded(Image.fromarray(picture), kind))
    params = ingest_params(path=str(tmp_path / "tree"))
    source = open_source(params)
    counts = ingest(source, params, tmp_path / "raw", tmp_path / "resume")
    assert "1 class: cat 4" in "\n".join(summary(source, counts))
    manifest = normalized(tmp_path)
    assert sum(manifest["counts"][side] for side in ("train", "holdout")) == 4


def test_a_shard_is_closed_at_its_images_or_at_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = str(write_tree(tmp_path / "tree", {"": 7}))
    ingested(tmp_path / "raw", path=tree, shard_images=3)
    assert [table.num_rows for table in read_tables(tmp_path / "raw")] == [3, 3, 1]
    size = (tmp_path / "tree/000.png").stat().st_size
    monkeypatch.setattr("stages.common.raw_shards.SHARD_BYTES", 2 * size - size // 2)
    ingested(tmp_path / "raw", path=tree, shard_images=1000)
    assert [table.num_rows for table in read_tables(tmp_path / "raw")] == [2, 2, 2, 1]


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    tree = str(write_tree(tmp_path / "tree", {"cat": 3, "dog": 3}))
    ingested(tmp_path / "one", path=tree)
    ingested(tmp_path / "two", path=tree)
    assert shards(tmp_path / "one")[0].read_bytes() == shards(tmp_path / "two")[0].read_bytes()


def test_a_source_that_names_two_images_alike_is_refused(tmp_path: Path) -> None:
    image = RawImage("twin", "twin.png", encoded(Image.new("L", (8, 8))), None, None)
    source = Source("s", "l", "o", None, iter([image, image]))
    with refused("key-twice", "two images have the key 'twin'"):
        ingest(source, ingest_params(path="x"), tmp_path / "raw")


def test_the_stage_prints_what_it_read_and_records_its_provenance(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})
    run = run_stage_in(tmp_path, "ingest", {"ingest.source": "folder", "ingest.path": "tree"})
    assert run.returncode == 0, run.stderr
    assert "ingested 5 images from folder (tree)" in run.stdout
    assert "2 classes: cat 3, dog 2" in run.stdout
    record = json.loads((tmp_path / "provenance/ingest.json").read_text())
    assert (record["stage"], record["images"], record["params"]["path"]) == ("ingest", 5, "tree")


def test_check_notes_what_ingest_will_skip_and_says_nothing_of_images_that_were_replaced_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    small = {"validate.min_images": 2, "validate.min_class_images": 1}
    write_params(tmp_path, {"ingest.source": "folder", "ingest.path": "tree"} | small)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    write_tree(tmp_path / "tree", {"": 3})
    ingest_main()
    shutil.rmtree("tree")
    write_tree(tmp_path / "tree", {"cat": 2, "dog": 2})
    Path("tree/cat/a.heic").touch()
    check_main()
    said = capsys.readouterr().err
    assert "note: skipped 1 file whose extension is not that of an image, such as tree/cat/a.heic (1 .heic:" in said
    assert "as ingest brought it last" not in said
