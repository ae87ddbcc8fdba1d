"""What each source gives of data that is right."""

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.common.shards import class_names
from stages.sources import open_source
from tests.refusals import refused
from tests.stages.hostile_inputs import write_tar, write_zip
from tests.stages.source_files import encoded, ingest_params, ingested, noise, write_tree

Pixels = np.ndarray[Any, Any]


def pixels(table: pa.Table) -> list[Pixels]:
    return [np.asarray(Image.open(io.BytesIO(image["bytes"]))) for image in table["image"].to_pylist()]


def by_key(table: pa.Table, column: str) -> dict[str, Any]:
    return dict(zip(table["key"].to_pylist(), table[column].to_pylist(), strict=True))


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_an_archive_gives_what_the_folder_in_it_gives(tmp_path: Path, kind: str) -> None:
    tree = write_tree(tmp_path / "tree", {"photos/train/cat": 3, "photos/train/dog/old": 2, "photos/test/cat": 1})
    (tree / "photos/README.txt").write_text("x")
    (tree / "__MACOSX").mkdir()
    (tree / "__MACOSX/a.png").write_bytes(b"x")
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            for member in sorted(tree.rglob("*")):
                file.write(member, member.relative_to(tree))
    else:
        with tarfile.open(path, f"w:{kind.partition('.')[2]}") as tar:  # type: ignore[call-overload]
            tar.add(tree, ".")
    unpacked = ingested(tmp_path / "one", path=str(tree))
    packed = ingested(tmp_path / "two", source="archive", path=str(path))
    assert class_names(packed.schema) == class_names(unpacked.schema) == ["cat", "dog"]
    for column in ("image", "label", "split", "sha256"):
        assert by_key(packed, column) == by_key(unpacked, column)


def test_an_archive_is_known_by_its_content_and_found_in_the_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/README.md").write_text("put your images here")
    members = {f"{n}.png": encoded(Image.fromarray(p)) for n, p in enumerate(noise(3, 8, 8))}
    write_zip(tmp_path / "source/photos.tar", members)
    assert ingested(tmp_path / "raw", source="archive", path=str(tmp_path / "source")).num_rows == 3


def test_nothing_of_an_archive_is_written_but_shards(tmp_path: Path) -> None:
    members = {f"{n}.png": encoded(Image.fromarray(p)) for n, p in enumerate(noise(3, 8, 8))}
    write_tar(tmp_path / "a.tar", members)
    ingested(tmp_path / "raw", source="archive", path=str(tmp_path / "a.tar"))
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a.tar", "part-00000.parquet"}


def images(count: int, seed: int = 0) -> list[dict[str, Any]]:
    return [
        {"bytes": encoded(Image.fromarray(picture)), "path": f"{number}.png"}
        for number, picture in enumerate(noise(count, 8, 8, seed=seed))
    ]


def test_parquet_in_the_hugging_face_layout_brings_class_names_and_splits(tmp_path: Path) -> None:
    import datasets  # what hubs' files are written by

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    folder = tmp_path / "hub/data"
    folder.mkdir(parents=True)
    for name, seed in (("train-00000-of-00002", 0), ("train-00001-of-00002", 1), ("test-00000-of-00001", 2)):
        rows = datasets.Dataset.from_dict({"image": images(4, seed), "label": [0, 1, 1, 0]}, features)
        rows.to_parquet(folder / f"{name}.parquet", batch_size=3)
    table = ingested(tmp_path / "raw", source="parquet", path=str(tmp_path / "hub"))
    assert class_names(table.schema) == ["cat", "dog"]
    assert table["label"].to_pylist() == [0, 1, 1, 0] * 3
    assert table["split"].to_pylist() == ["test"] * 4 + ["train"] * 8
    assert [image["bytes"] for image in table["image"].to_pylist()[:4]] == [i["bytes"] for i in images(4, 2)]
    assert table["key"].to_pylist()[0] == "data/test-00000-of-00001.parquet-000000"


def test_plain_columns_of_parquet_are_named_in_params(tmp_path: Path) -> None:
    columns = {
        "png": [image["bytes"] for image in images(4)],
        "kind": pa.array(["b", "a", "b", "a"]).dictionary_encode(),
        "id": ["w", "x", "y", "z"],
        "part": ["train", "train", "train", "validation"],
        "mask": [image["bytes"] for image in images(4, seed=1)],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    options = {"image": "png", "label": "kind", "key": "id", "split": "part", "partner": "mask"}
    table = ingested(tmp_path / "raw", source="parquet", path=str(tmp_path / "a.parquet"), options=options)
    assert class_names(table.schema) == ["a", "b"]
    assert by_key(table, "label") == {"w": 1, "x": 0, "y": 1, "z": 0}
    assert table["split"].to_pylist() == ["train"] * 3 + ["test"]
    assert [partner["bytes"] for partner in table["partner"].to_pylist()] == columns["mask"]
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["partner"] == {"_type": "Image"}


def test_the_pipeline_s_own_shards_are_parquet_that_it_reads(tmp_path: Path) -> None:
    first = ingested(tmp_path / "one", path=str(write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})))
    again = ingested(tmp_path / "two", source="parquet", path=str(tmp_path / "one"), options={"key": "key"})
    for column in ("image", "label", "key", "sha256"):
        assert again[column].to_pylist() == first[column].to_pylist()
    assert class_names(again.schema) == ["cat", "dog"]


def of_classes(labels: list[Any], names: list[str] | None = None, seed: int = 0) -> pa.Table:
    about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    table = pa.table({"image": images(len(labels), seed), "label": labels})
    return table.replace_schema_metadata({"huggingface": json.dumps(about)} if names else None)


@pytest.mark.parametrize(
    ("second", "code", "part"),
    [
        (of_classes([0, 1], ["dog", "cat"], seed=1), "split-classes-differ", "'dog, cat', and in a.parquet 'cat, dog'"),
        (of_classes(["cat", "dog"], seed=1).append_column("label", pa.array([0, 1])), "table-column-twice", "'label'"),
    ],
    ids=["other names for the same numbers", "two columns of one name"],
)
def test_parquet_files_that_say_two_things_of_a_class_are_refused(
    tmp_path: Path, second: pa.Table, code: str, part: str
) -> None:
    pq.write_table(of_classes([0, 1], ["cat", "dog"]), tmp_path / "a.parquet")
    pq.write_table(second, tmp_path / "b.parquet")
    with refused(code, "b.parquet", part):
        ingested(tmp_path / "raw", source="parquet", path=str(tmp_path))


def test_numbers_of_classes_in_one_parquet_file_and_names_in_another_are_refused(tmp_path: Path) -> None:
    pq.write_table(of_classes([0, 1]), tmp_path / "a.parquet")
    pq.write_table(of_classes(["cat", "dog"], seed=1), tmp_path / "b.parquet")
    with refused("labels-invalid", "column 'label' holds numbers in some and names in others"):
        ingested(tmp_path / "raw", source="parquet", path=str(tmp_path))


def test_a_group_s_number_is_one_group_whether_its_column_has_empty_cells_or_not(tmp_path: Path) -> None:
    for name, groups, seed in (("a", [1, 2], 0), ("b", [1.0, float("nan")], 1)):
        pq.write_table(
            of_classes([0, 1], seed=seed).append_column("person", pa.array(groups)), tmp_path / f"{name}.parquet"
        )
    options = {"group": "person"}
    table = ingested(tmp_path / "raw", source="parquet", path=str(tmp_path), options=options)
    assert table["group"].to_pylist() == ["1", "2", "1", None]


def test_integer_labels_without_names_are_named_by_their_values(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": images(3), "label": [7, 3, 7]}), tmp_path / "a.parquet")
    table = ingested(tmp_path / "raw", source="parquet", path=str(tmp_path / "a.parquet"))
    assert (class_names(table.schema), table["label"].to_pylist()) == (["3", "7"], [1, 0, 1])


def cifar(folder: Path, name: str, pictures: Pixels, *labels: list[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.concatenate([np.array(labels, np.uint8).T, pictures.reshape(len(pictures), -1)], axis=1)
    (folder / name).write_bytes(rows.tobytes())


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar.gz"])
def test_cifar_10_in_its_binary_version(tmp_path: Path, packed: bool) -> None:
    folder = tmp_path / "source/cifar-10-batches-bin"
    train, test = noise(4, 3, 32, 32), noise(2, 3, 32, 32, seed=1)
    cifar(folder, "data_batch_1.bin", train[:2], [3, 1])
    cifar(folder, "data_batch_2.bin", train[2:], [0, 9])
    cifar(folder, "test_batch.bin", test, [5, 5])
    (folder / "batches.meta.txt").write_text("\n".join(f"class {number}" for number in range(10)) + "\n\n")
    if packed:
        with tarfile.open(tmp_path / "source/cifar-10-binary.tar.gz", "w:gz") as tar:
            tar.add(folder, folder.name)
        shutil.rmtree(folder)
    path = tmp_path / "source"
    table = ingested(tmp_path / "raw", source="cifar", path=str(path))
    got = {
        key: picture.transpose(2, 0, 1) for key, picture in zip(table["key"].to_pylist(), pixels(table), strict=True)
    }
    np.testing.assert_array_equal(got["data_batch_2-00001"], train[3])
    np.testing.assert_array_equal(got["test_batch-00000"], test[0])
    assert by_key(table, "label")["data_batch_2-00001"] == 9
    assert set(zip(table["key"].to_pylist(), table["split"].to_pylist(), strict=True)) > {("test_batch-00001", "test")}
    assert class_names(table.schema)[9] == "class 9"  # type: ignore[index]


def test_cifar_100_has_fine_and_coarse_labels(tmp_path: Path) -> None:
    cifar(tmp_path / "c", "train.bin", noise(3, 3, 32, 32), [4, 0, 19], [99, 0, 50])
    (tmp_path / "c/fine_label_names.txt").write_text("\n".join(f"fine {number}" for number in range(100)))
    (tmp_path / "c/coarse_label_names.txt").write_text("\n".join(f"coarse {number}" for number in range(20)))
    fine = ingested(tmp_path / "raw", source="cifar", path=str(tmp_path / "c"))
    assert (fine["label"].to_pylist(), class_names(fine.schema)[99]) == ([99, 0, 50], "fine 99")  # type: ignore[index]
    assert fine["split"].to_pylist() == [None] * 3
    coarse = ingested(tmp_path / "raw", source="cifar", path=str(tmp_path / "c"), options={"labels": "coarse"})
    assert (coarse["label"].to_pylist(), len(class_names(coarse.schema) or [])) == ([4, 0, 19], 20)


@pytest.mark.parametrize("layout", ["NHW", "NHWC", "NCHW"])
def test_arrays_of_every_layout_keep_their_pixels(tmp_path: Path, layout: str) -> None:
    shape = {"NHW": (5, 6, 7), "NHWC": (5, 6, 7, 3), "NCHW": (5, 3, 6, 7)}[layout]
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.save(tmp_path / "images.npy", values)
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "images.npy"))
    expected = values.transpose(0, 2, 3, 1) if layout == "NCHW" else values
    np.testing.assert_array_equal(np.stack(pixels(table)), expected)
    assert table["label"].to_pylist() == [None] * 5


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=lambda save: save.__name__)
def test_an_npz_by_its_usual_names_brings_labels_and_the_test_set(tmp_path: Path, save: Any) -> None:
    pictures = noise(6, 8, 8)
    save(
        tmp_path / "a.npz",
        **{"x_train": pictures[:4], "y_train": [[3], [1], [3], [1]], "x_test": pictures[4:], "y_test": [[1], [9]]},
    )
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(np.stack(pixels(table)), pictures)
    assert (class_names(table.schema), table["label"].to_pylist()) == (["1", "3", "9"], [1, 0, 1, 0, 0, 2])
    assert table["split"].to_pylist() == ["train"] * 4 + ["test"] * 2


@pytest.mark.parametrize("packed", [False, True], ids=["npy", "npz"])
@pytest.mark.parametrize("kind", [np.int16, "<U7"])
def test_labels_that_are_read_a_block_at_a_time_stay_with_their_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, kind: Any
) -> None:
    monkeypatch.setattr("stages.sources.arrays._BLOCK", 100)  # bytes: a few labels
    values = (np.random.default_rng(0).integers(0, 5, 200) * 7 - 9).astype(kind)
    (tmp_path / "a").mkdir()
    if packed:
        np.savez(tmp_path / "a/a.npz", images=noise(200, 4, 4), labels=values)
    else:
        np.save(tmp_path / "a/images.npy", noise(200, 4, 4))
        np.save(tmp_path / "a/labels.npy", values)
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a"))
    names = class_names(table.schema)
    assert names == [str(value) for value in np.unique(values)]
    assert [names[label] for label in table["label"].to_pylist()] == [str(value) for value in values]


def test_arrays_named_in_params_and_class_names_as_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pics=noise(3, 8, 8), kinds=np.array(["b", "a", "b"]), other=np.zeros(3))
    options = {"images": "pics", "labels": "kinds"}
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"), options=options)
    assert (class_names(table.schema), table["label"].to_pylist()) == (["a", "b"], [1, 0, 1])


def test_16_bits_fractions_and_truths_keep_what_they_say(tmp_path: Path) -> None:
    deep = np.array([[[0, 257, 65535]], [[1, 2, 3]]], np.uint16)
    np.save(tmp_path / "a.npy", deep)
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(np.stack(pixels(table)), deep)
    shares = np.array([[[-1.0, 0.25, 1.0]]] * 2, np.float32)
    np.save(tmp_path / "a.npy", shares)
    options = {"black": -1.0, "white": 1.0}
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npy"), options=options)
    np.testing.assert_allclose(np.stack(pixels(table)), (shares + 1) / 2)
    np.save(tmp_path / "a.npy", deep > 200)
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(np.stack(pixels(table)), (deep > 200) * 255)


@pytest.mark.parametrize(("colors", "shape"), [("rgb", (40, 24, 3)), ("gray", (40, 24))])
def test_glyphs_are_drawn_at_any_size_and_color_and_labeled(
    tmp_path: Path, colors: str, shape: tuple[int, ...]
) -> None:
    options = {"images": 60, "height": 40, "width": 24, "letters": "xΩ7", "colors": colors}
    table = ingested(tmp_path / "raw", source="glyphs", path="unused", options=options)
    drawn = pixels(table)
    assert {picture.shape for picture in drawn} == {shape}
    assert all(picture.astype(int).max() - picture.min() >= 80 for picture in drawn)
    assert len({picture.tobytes() for picture in drawn}) == 60
    assert class_names(table.schema) == ["x", "Ω", "7"]
    assert table["label"].to_pylist() == [0, 1, 2] * 20
    assert table["split"].to_pylist().count("test") == 6


def test_glyphs_depend_on_the_seed_and_the_number_alone() -> None:
    def first(count: int, seed: int = 0) -> list[bytes]:
        source = open_source(ingest_params(source="glyphs", path="x", options={"images": count, "seed": seed}))
        return [image.content() for image, _ in zip(source.images, range(5), strict=False) if callable(image.content)]

    assert first(100) == first(100_000_000)
    assert first(100) != first(100, seed=1)


def test_a_nearest_mean_tells_the_letters_apart_and_not_what_was_shuffled() -> None:
    """What is drawn is what the label says."""
    options = {"images": 800, "letters": "AIO", "colors": "gray", "rotation": 5.0, "smallest": 0.8}
    source = open_source(ingest_params(source="glyphs", path="x", options=options))
    drawn = [
        (np.asarray(Image.open(io.BytesIO(i.content()))) / 255.0, i.label) for i in source.images if callable(i.content)
    ]
    values = np.stack([abs(picture - np.median(picture)) for picture, _ in drawn]).reshape(800, -1)
    values = values / np.linalg.norm(values, axis=1, keepdims=True)
    labels = np.array([label for _, label in drawn])
    means = np.stack([values[:600][labels[:600] == label].mean(0) for label in range(3)])
    right = ((values[600:] @ means.T).argmax(1) == labels[600:]).mean()
    assert right > 0.8


def test_data_are_called_as_params_say_and_else_as_their_source(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})
    for name, called in ((None, "folder"), ("Pets, 2026", "Pets, 2026")):
        table = ingested(tmp_path / "raw", path=str(tree), name=name)
        assert json.loads(table.schema.metadata[b"source"])["name"] == called
