"""Classes as tables have them: a column a class, a column of classes, arrays in three splits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.shards import class_names
from stages.ingest import ingest, summary
from stages.sources import open_source
from tests.refusals import refused
from tests.stages.source_files import ingest_params, ingested, labeled, noise

NAMES = ["MEL", "NV", "BCC"]


def table_of(rows: list[list[Any]], name: str, columns: list[str] = NAMES) -> str:
    if name.endswith("csv"):
        return "\n".join(",".join(map(str, row)) for row in [["image", *columns], *rows]) + "\n"
    return "\n".join(json.dumps(dict(zip(["image", *columns], row, strict=True))) for row in rows)


@pytest.mark.tried(
    "a table with a column a class, and one 1 in each row (of six images)", "3 classes: BCC 2, MEL 2, NV 2"
)
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
@pytest.mark.parametrize(("zero", "one"), [(0, 1), (0.0, 1.0), (-1, 1), (False, True)])
def test_a_column_a_class_with_one_1_in_each_row_names_the_classes(
    tmp_path: Path, read: Callable[[str], None], name: str, zero: Any, one: Any
) -> None:
    rows = [[f"{number:03d}", *(one if number % 3 == column else zero for column in range(3))] for number in range(6)]
    table = labeled(tmp_path, name, table_of(rows, name))
    assert table["label"].to_pylist() == [1, 2, 0, 1, 2, 0]
    params = ingest_params(path=str(tmp_path / "tree"), labels=name)
    source = open_source(params)
    read("\n".join(summary(source, ingest(source, params, tmp_path / "again", tmp_path / "resume"))))


@pytest.mark.tried("the same from a spreadsheet, a comma at the end of each line", "3 classes: BCC 2, MEL 2, NV 2")
@pytest.mark.tried(
    "a table with a column a class parted by semicolons, `1,0` and `0,0` in it", "3 classes: BCC 2, MEL 2, NV 2"
)
@pytest.mark.parametrize(
    ("ends", "values", "delimiter"),
    [
        ((",", ","), ("0", "1"), ","),
        (("", ",,"), ("0", "1"), ","),
        ((",,", ""), ("0.0", "1.0"), ","),
        ((" ,", " , "), ("0", "1"), ","),
        (("", ""), ("0,0", "1,0"), ";"),
        ((";", ";"), ("-1,0", "1,0"), ";"),
        (("", ""), ("0,0", "1,0"), "\t"),
    ],
)
def test_a_column_a_class_is_known_as_spreadsheets_write_it(
    tmp_path: Path, read: Callable[[str], None], ends: tuple[str, str], values: tuple[str, str], delimiter: str
) -> None:
    rows = [[f"{n:03d}", *(values[n % 3 == column] for column in range(3))] for n in range(6)]
    lines = [delimiter.join(row) for row in (["image", *NAMES], *rows)]
    content = "\n".join([lines[0] + ends[0], *(line + ends[1] for line in lines[1:])])
    assert labeled(tmp_path, "t.csv", content)["label"].to_pylist() == [1, 2, 0, 1, 2, 0]
    params = ingest_params(path=str(tmp_path / "tree"), labels="t.csv")
    source = open_source(params)
    read("\n".join(summary(source, ingest(source, params, tmp_path / "again", tmp_path / "resume"))))


def test_a_column_without_a_name_and_not_empty_is_no_class_and_nothing_is_dropped(tmp_path: Path) -> None:
    rows = [[f"{number:03d}", number % 2, 1 - number % 2, "x" if number == 4 else ""] for number in range(6)]
    table = labeled(tmp_path, "t.csv", table_of(rows, "t.csv", ["a", "b", ""]))
    assert (class_names(table.schema), table["label"].to_pylist()) == (["0", "1"], [0, 1] * 3)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            [1, 1, 0],
            marks=pytest.mark.tried(
                "a table with a column a class, and two ones in a row",
                "'005' has a 1 in MEL, NV: several ones in a row are attributes: name this file in ingest.attributes, "
                "or each image's one class in a second column called label",
            ),
        ),
        pytest.param(
            [0, 0, 0],
            marks=pytest.mark.tried(
                "a table with a column a class, and a row without a one",
                "'005' has a 1 in none of MEL, NV, BCC: add a column for such images, or name each image's one class "
                "in a second column called label",
            ),
        ),
    ],
)
def test_several_ones_in_a_row_or_none_are_refused_with_the_reason(
    tmp_path: Path, read: Callable[[str], None], name: str, row: list[int]
) -> None:
    rows = [[f"{number:03d}", 1, 0, 0] for number in range(5)]
    with pytest.raises(UserError) as refusal:
        labeled(tmp_path, name, table_of([*rows, ["005", *row]], name))
    read(str(refusal.value))


@pytest.mark.tried(
    "a table of images, grades and notes", "took 'grade' of .../t.csv for the class, and read no other column ('note')"
)
@pytest.mark.tried(
    "a table whose column `label` is followed by another",
    "took 'label' of .../t.csv for the class, and read no other column ('flag')",
)
def test_a_table_of_keys_and_classes_is_read_as_such_and_columns_that_are_not_read_are_named(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    for columns, other in (
        (["label", "flag"], 1),
        (["grade", "note"], "x"),
        (["grade", "note"], ""),
        (["grade"], None),
    ):
        rows = [[f"{number:03d}", number % 2, *([other] * (len(columns) - 1))] for number in range(6)]
        table = labeled(tmp_path, "t.csv", table_of(rows, "t.csv", columns))
        assert class_names(table.schema) == ["0", "1"]
        assert table["label"].to_pylist() == [0, 1] * 3
        said = open_source(ingest_params(path=str(tmp_path / "tree"), labels="t.csv")).layout
        if len(columns) == 1:
            assert said == []
        else:
            read("\n".join(said))


@pytest.mark.tried(
    "a table of 0 and 1 with an empty cell",
    "has empty cells among columns of 0 and 1: fill them, or name each image's one class, in a second column called "
    "label",
)
@pytest.mark.parametrize(("name", "cell"), [("t.csv", ""), ("t.csv", "NaN"), ("t.jsonl", None)])
def test_a_table_of_0_and_1_with_an_empty_cell_is_no_table_of_the_classes_0_and_1(
    tmp_path: Path, read: Callable[[str], None], name: str, cell: Any
) -> None:
    rows: list[list[Any]] = [
        [f"{number:03d}", *(int(number % 3 == column) for column in range(3))] for number in range(6)
    ]
    rows[4][2] = cell
    with refused("table-cells-empty") as refusal:
        labeled(tmp_path, name, table_of(rows, name))
    read(str(refusal.value))


@pytest.mark.tried(
    "an npz whose labels have several ones in a row",
    "labels, row 3 has 3 ones: a table with one in each row holds classes, one with several holds attributes: write a "
    "class number an image, or a table for ingest.attributes, or set ingest.labels to false to train without classes",
)
def test_arrays_with_a_column_a_class_are_classes_and_with_several_ones_attributes(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    labels = np.array([2, 0, 1, 1])
    one_hot = np.eye(3)[labels]
    for kind in (np.float32, np.uint8, np.bool_):
        np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=one_hot.astype(kind))
        table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"))
        assert class_names(table.schema) == ["0", "1", "2"]
        assert table["label"].to_pylist() == labels.tolist()
    one_hot[3] = 1
    np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=one_hot)
    with refused("labels-are-attributes") as refusal:
        ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"))
    read(str(refusal.value))
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"), labels=False)
    assert class_names(table.schema) is None  # as that sentence says


def medmnist(tmp_path: Path, *splits: str) -> Path:
    arrays: dict[str, Any] = {}
    for seed, split in enumerate(splits):
        arrays[f"{split}_images"] = noise(4 + seed, 8, 8, seed=seed)
        arrays[f"{split}_labels"] = (np.arange(4 + seed) % 2)[:, None].astype(np.uint8)
    np.savez(tmp_path / "m.npz", **arrays, extra=np.zeros(3))
    return tmp_path / "m.npz"


@pytest.mark.parametrize(
    ("where", "train", "test"),
    [
        pytest.param(
            "train",
            9,
            6,
            marks=pytest.mark.tried(
                "an npz of MedMNIST, with `validation: train`",
                "val_images joins the images to train on (ingest.options.validation)",
            ),
        ),
        pytest.param(
            "test",
            4,
            11,
            marks=pytest.mark.tried(
                "an npz of MedMNIST: train, val and test",
                "val_images joins the test images (ingest.options.validation)",
            ),
        ),
        pytest.param(
            "leave_out",
            4,
            6,
            marks=pytest.mark.tried(
                "an npz of MedMNIST, with `validation: leave_out`",
                "val_images is left out (ingest.options.validation)",
            ),
        ),
    ],
)
def test_of_three_splits_in_an_npz_none_is_dropped_in_silence(
    tmp_path: Path, read: Callable[[str], None], where: str, train: int, test: int
) -> None:
    options = {} if where == "test" else {"validation": where}
    params = ingest_params(source="arrays", path=str(medmnist(tmp_path, "train", "val", "test")), options=options)
    source = open_source(params)
    counts = ingest(source, params, tmp_path / "raw", tmp_path / "resume")
    by_split = {split: sum(n for (other, _), n in counts.items() if other == split) for split in ("train", "test")}
    assert by_split == {"train": train, "test": test}
    read("\n".join(summary(source, counts)))
    unread = "val_images, val_labels, extra" if where == "leave_out" else "extra"
    assert f"not read: {unread}" in summary(source, counts)


def test_images_to_validate_on_are_the_test_images_where_there_are_no_others(tmp_path: Path) -> None:
    table = ingested(tmp_path / "raw", source="arrays", path=str(medmnist(tmp_path, "train", "val")))
    assert table["split"].to_pylist() == ["train"] * 4 + ["test"] * 5


def test_arrays_are_found_whatever_the_case_of_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X_train=noise(3, 8, 8), y_train=np.arange(3), X_test=noise(2, 8, 8), y_test=[0, 1])
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"))
    assert table["label"].to_pylist() == [0, 1, 2, 0, 1]


@pytest.mark.tried(
    "a CSV of labels with `NaN`, `null`, `None` or `N/A` in some rows",
    "1 of 6 images have no label (null, NaN, N/A, empty or -1), such as '002.png': label them, or set "
    "ingest.unlabeled to leave_out",
)
@pytest.mark.parametrize("mark", ["NaN", "nan", "null", "NULL", "None", "none", "NA", "n/a", " NaN "])
def test_what_tools_write_where_there_is_no_label_is_no_class(
    tmp_path: Path, read: Callable[[str], None], mark: str
) -> None:
    for classes in (["a", "b"], ["0", "1"], ["-1", "1"]):
        rows = [[f"{number:03d}", mark if number == 2 else classes[number % 2]] for number in range(6)]
        content = table_of(rows, "l.csv", ["kind"])
        with refused("labels-missing-some") as refusal:
            labeled(tmp_path, "l.csv", content)
        read(str(refusal.value))
        table = labeled(tmp_path, "l.csv", content, unlabeled="leave_out")
        assert (class_names(table.schema), table["label"].to_pylist()) == (classes, [0, 1, 1, 0, 1])
    labels = np.array(["a", "b", mark, "b"])
    np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=labels)
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"), unlabeled="leave_out")
    assert (class_names(table.schema), table["label"].to_pylist()) == (["a", "b"], [0, 1, 1])


@pytest.mark.tried(
    "a CSV of labels whose first column is no image's name",
    "l.csv has a label for none of the images: its first column must hold their names, such as '000.png', and holds "
    "'row 0'",
)
@pytest.mark.parametrize("unlabeled", ["refuse", "leave_out"])
def test_a_table_that_names_none_of_the_images_shows_a_name_of_both(
    tmp_path: Path, read: Callable[[str], None], unlabeled: str
) -> None:
    rows = [[f"row {number}", "ab"[number % 2], f"{number:03d}.png"] for number in range(6)]
    with refused("table-matches-nothing") as refusal:
        labeled(tmp_path, "l.csv", table_of(rows, "l.csv", ["kind", "file"]), unlabeled=unlabeled)
    read(str(refusal.value))


def test_an_image_that_a_table_lacks_is_named_though_it_comes_first(tmp_path: Path) -> None:
    with refused("table-row-missing", "no label for the image '000.png': "):
        labeled(tmp_path, "l.csv", "file,kind\n003,a\n004,b\n")


@pytest.mark.parametrize("labels", [True, "", 3])
def test_labels_that_are_neither_a_file_nor_false_are_refused(labels: Any) -> None:
    with pytest.raises(ValueError, match="is none of a file's name, false"):
        ingest_params(labels=labels)


def test_a_json_line_may_have_its_names_in_any_order(tmp_path: Path) -> None:
    lines = [{"image": f"{number:03d}", "a": number % 2, "b": 1 - number % 2} for number in range(6)]
    lines[3] = dict(reversed(lines[3].items()))
    table = labeled(tmp_path, "t.jsonl", "\n".join(map(json.dumps, lines)))
    assert table["label"].to_pylist() == [1, 0] * 3
