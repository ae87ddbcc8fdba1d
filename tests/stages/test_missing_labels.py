"""Images without a label, and classes with one image: refused, or left out, with what helps."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.common.shards import class_names
from stages.ingest import ingest
from stages.sources import RawImage, Source, open_source
from stages.sources.unlabeled import only_labeled
from tests.refusals import refused
from tests.stages.source_files import encoded, ingest_params, ingested, labeled, noise, normalized, write_tree


def hugging_face(folder: Path, kind: str) -> Path:
    """20 labeled images to train on, and 8 of a test set whose labels nobody tells."""
    folder.mkdir(exist_ok=True)
    values: dict[str, tuple[list[Any], Any]] = {
        "class label": ([0, 1], -1),
        "numbers": ([0, 1], -1),
        "null": ([3, 7], None),
        "numbers of pandas": ([3.0, 7.0], float("nan")),
        "names": (["cat", "dog"], ""),
    }
    known, none = values[kind]
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for split, count in (("train", 20), ("test", 8)):
        pictures = [{"bytes": encoded(Image.fromarray(p)), "path": ""} for p in noise(count, 8, 8, seed=count)]
        labels = [none if split == "test" else known[number % 2] for number in range(count)]
        kind_of = {str: pa.string(), float: pa.float64()}.get(type(known[0]), pa.int64())
        table = pa.table({"image": pictures, "label": pa.array(labels, kind_of)})
        table = table.replace_schema_metadata(about if kind == "class label" else None)
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.mark.tried(
    "a test split of Hugging Face whose labels are -1, null or empty",
    "8 of 28 images have no label (null, NaN, N/A, empty or -1, 8 of 8 in test), such as 'test-...: "
    "label them, or set ingest.unlabeled to leave_out",
)
@pytest.mark.tried(
    "the same, with `ingest.unlabeled: leave_out`",
    "left out: 8 of 28 images have no label (null, NaN, N/A, empty or -1, 8 of 8 in test)",
)
@pytest.mark.parametrize("kind", ["class label", "numbers", "null", "numbers of pandas", "names"])
def test_a_test_split_without_labels_is_refused_or_left_out_with_its_counts(
    tmp_path: Path, read: Callable[[str], None], kind: str
) -> None:
    path = hugging_face(tmp_path / "h", kind)
    with refused("labels-missing-some") as refusal:
        ingested(tmp_path / "raw", source="parquet", path=str(path))
    read(str(refusal.value))
    params = ingest_params(source="parquet", path=str(path), unlabeled="leave_out")
    source = open_source(params)
    counts = ingest(source, params, tmp_path / "raw", tmp_path / "resume")
    assert counts == {("train", 0): 10, ("train", 1): 10}
    read("\n".join(source.notes))
    assert normalized(tmp_path)["split"]["kind"] == "random"


@pytest.mark.tried(
    "folders of classes to train on, and a test folder of images alone, as competitions give them",
    "3 of 11 images have no label (null, NaN, N/A, empty or -1, 3 of 3 in test), such as 'test/000.png': label them, "
    "or set ingest.unlabeled to leave_out",
)
@pytest.mark.tried(
    "the same folders, with `ingest.unlabeled: leave_out`",
    "left out: 3 of 11 images have no label (null, NaN, N/A, empty or -1,",
)
def test_a_test_folder_without_classes_is_refused_or_left_out_with_its_counts(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    tree = write_tree(tmp_path / "tree", {"train/a": 4, "train/b": 4, "test": 3})
    with refused("labels-missing-some") as refusal:
        ingested(tmp_path / "raw", path=str(tree))
    read(str(refusal.value))
    params = ingest_params(path=str(tree), unlabeled="leave_out")
    source = open_source(params)
    assert ingest(source, params, tmp_path / "raw", tmp_path / "resume") == {("train", 0): 4, ("train", 1): 4}
    read("\n".join(source.notes))
    assert normalized(tmp_path)["split"]["kind"] == "random"


@pytest.mark.tried(
    "an npz whose labels are fractions out of pandas, with NaN where there is none",
    "2 of 6 images have no label (null, NaN, N/A, empty or -1), such as 'images-000001': label them, or set "
    "ingest.unlabeled to leave_out",
)
@pytest.mark.parametrize(
    "labels",
    [
        np.array([10.0, np.nan, 9.0, 10.0, np.nan, 9.0]),
        np.array(["10", "-1", "9", "10", "-1", "9"]),
        np.array([b"10", b"nan", b"9", b"10", b"", b"9"]),
    ],
    ids=["fractions", "text", "bytes"],
)
def test_arrays_and_parquet_mark_images_without_a_label_whatever_their_type(
    tmp_path: Path, read: Callable[[str], None], labels: Any
) -> None:
    np.savez(tmp_path / "a.npz", images=noise(6, 8, 8), labels=labels)
    pictures = [{"bytes": encoded(Image.fromarray(p)), "path": ""} for p in noise(6, 8, 8)]
    column = labels.astype(str).tolist() if labels.dtype.kind == "S" else labels.tolist()
    pq.write_table(pa.table({"image": pictures, "label": column}), tmp_path / "t.parquet")
    for source, name in (("arrays", "a.npz"), ("parquet", "t.parquet")):
        asked = {"source": source, "path": str(tmp_path / name)}
        with refused("labels-missing-some") as refusal:
            ingested(tmp_path / "raw", **asked)
        if source == "arrays":
            read(str(refusal.value))
        table = ingested(tmp_path / "raw", **asked, unlabeled="leave_out")
        assert class_names(table.schema) == ["9", "10"]
        assert table["label"].to_pylist() == [1, 0, 1, 0]


def test_truths_are_two_classes_and_fractions_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=np.array([True, False, True, True]))
    arrays = {"source": "arrays", "path": str(tmp_path / "a.npz")}
    assert ingested(tmp_path / "raw", **arrays)["label"].to_pylist() == [1, 0, 1, 1]
    for values in ([0.5, 1, 2, 3], [np.inf, 1, 2, 3], [b"\xff", b"a", b"b", b"c"]):
        np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=np.array(values))
        with refused("labels-invalid"):
            ingested(tmp_path / "raw", **arrays)


def test_arrays_and_tables_mark_images_without_a_label_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=noise(6, 8, 8), labels=np.array([0, 1, -1, 2, -1, 0]))
    arrays = {"source": "arrays", "path": str(tmp_path / "a.npz")}
    with refused("labels-missing-some", "2 of 6 images have no label ", "such as 'images-000002'"):
        ingested(tmp_path / "raw", **arrays)
    table = ingested(tmp_path / "raw", **arrays, unlabeled="leave_out")
    assert (class_names(table.schema), table["label"].to_pylist()) == (["0", "1", "2"], [0, 1, 2, 0])
    content = "file,kind\n000,a\n001,b\n002,\n003,a\n"
    table = labeled(tmp_path, "l.csv", content, unlabeled="leave_out")
    assert (class_names(table.schema), table["label"].to_pylist()) == (["a", "b"], [0, 1, 0])
    with refused("table-row-missing", "no label for the image '004.png': ", "set ingest.unlabeled to leave_out"):
        labeled(tmp_path, "l.csv", content)


def test_minus_1_beside_1_alone_is_a_class(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=np.array([-1, 1, -1, 1]))
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"))
    assert (class_names(table.schema), table["label"].to_pylist()) == (["-1", "1"], [0, 1, 0, 1])


@pytest.mark.tried(
    "names of classes, and no image with a label",
    "3 of 3 images have no label (null, NaN, N/A, empty or -1), such as '0': set ingest.labels to false to train "
    "without classes, or to a file of labels",
)
def test_where_no_image_has_a_label_the_sentence_names_a_way_that_works(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    images = [
        RawImage(str(n), f"{n}.png", encoded(Image.fromarray(p)), None, None) for n, p in enumerate(noise(3, 8, 8))
    ]
    source = Source("own", "CC0", "here", ["cat", "dog"], iter(images))
    with refused("labels-missing") as refusal:
        list(only_labeled(source, "leave_out").images)
    read(str(refusal.value))
    (tmp_path / "h").mkdir()
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    table = pa.table({"image": [{"bytes": image.content, "path": ""} for image in images], "label": [-1] * 3})
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pq.write_table(table.replace_schema_metadata(about), tmp_path / "h/a.parquet")
    got = ingested(tmp_path / "raw", source="parquet", path=str(tmp_path / "h"), labels=False)
    assert class_names(got.schema) is None


@pytest.mark.tried(
    "one image a class",
    "each of the 12 classes has one image, and a class needs one in either split; add images to them, or train "
    "without classes: set ingest.labels to false, and train.family to one such as infogan",
)
def test_one_image_a_class_is_told_what_helps_and_it_does(tmp_path: Path, read: Callable[[str], None]) -> None:
    tree = write_tree(tmp_path / "tree", {f"c{number:03d}": 1 for number in range(12)})
    ingested(tmp_path / "raw", path=str(tree))
    for split in ("auto", "random"):
        with refused("split-empty") as error:
            normalized(tmp_path, split=split)
        assert "set normalize.split" not in str(error.value)
        read(str(error.value))
    ingested(tmp_path / "raw", path=str(tree), labels=False)
    manifest = normalized(tmp_path)
    assert (manifest["counts"]["train"], manifest["counts"]["holdout"], manifest["classes"]) == (10, 2, None)


def test_whole_numbers_with_and_without_a_sign_are_the_same_classes(tmp_path: Path) -> None:
    unsigned, signed = (np.array([0, 1, 10, 1], kind) for kind in (np.uint64, np.int64))
    images = {"train_images": noise(4, 8, 8), "test_images": noise(4, 8, 8, seed=1)}
    np.savez(tmp_path / "a.npz", train_labels=unsigned, test_labels=signed, allow_pickle=False, **images)
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"))
    assert (class_names(table.schema), table["label"].to_pylist()) == (["0", "1", "10"], [0, 1, 2, 1] * 2)
