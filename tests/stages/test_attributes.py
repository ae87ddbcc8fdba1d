"""Attributes as tables have them: bits, numbers, words; and tables that cannot be read so."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.common.params import load_params
from stages.common.sections import Attributes
from stages.common.split import Split
from stages.ingest import ingest, summary
from stages.sources import open_source
from stages.validate import validate
from tests.refusals import refused
from tests.stages.source_files import encoded, ingest_params, ingested, noise, normalized, write_tree
from tests.stages.tiny_data import ROOT

HEADER = ["file", "smile", "age", "hair"]
ROWS: list[list[Any]] = [[f"{n:03d}.png", n % 2, 20 + n, ("red", "black", "none")[n % 3]] for n in range(6)]
NAMES = ["smile", "age", "hair=black", "hair=none", "hair=red"]


def write_table(folder: Path, name: str, rows: list[list[Any]], header: list[str] = HEADER) -> Path:
    tree = write_tree(folder / "tree", {"": len(ROWS)})
    if name.endswith("csv"):
        text = "".join(",".join(map(str, row)) + "\n" for row in [header, *rows])
    else:
        text = "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
    (tree / name).write_text(text)
    return tree


def ingest_with_table(folder: Path, name: str = "t.csv", columns: Any = "all", **changes: Any) -> pa.Table:
    about = {"file": name, "columns": columns}
    return ingested(folder / "raw", path=str(folder / "tree"), attributes=about, **changes)


def refusal(
    folder: Path,
    rows: list[list[Any]],
    columns: Any = "all",
    header: list[str] = HEADER,
    code: str = "attributes-invalid",
) -> str:
    write_table(folder, "t.csv", rows, header)
    with refused(code, "t.csv") as found:
        ingest_with_table(folder, columns=columns)
    return str(found.value)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_bit_a_number_and_words_become_values_between_minus_one_and_one(tmp_path: Path, name: str) -> None:
    write_table(tmp_path, name, ROWS)
    table = ingest_with_table(tmp_path, name)
    assert json.loads(table.schema.metadata[b"attributes"]) == NAMES
    rows = np.array(table["attributes"].to_pylist())
    assert rows[:, 0].tolist() == [-1, 1] * 3
    assert np.allclose(rows[:, 1], np.linspace(-1, 1, 6))
    assert rows[:, 2:].tolist() == [[-1, -1, 1], [1, -1, -1], [-1, 1, -1]] * 2
    assert table["label"].null_count == 6


@pytest.mark.parametrize("no_and_yes", [(0, 1), (-1, 1), ("no", "yes"), ("False", "True"), ("0", "1")])
def test_each_spelling_of_no_and_yes_is_a_bit(tmp_path: Path, no_and_yes: tuple[Any, Any]) -> None:
    write_table(tmp_path, "t.csv", [[row[0], no_and_yes[row[1]]] for row in ROWS], ["file", "smile"])
    assert ingest_with_table(tmp_path)["attributes"].to_pylist() == [[-1.0], [1.0]] * 3


def test_numbers_that_are_three_are_no_bit(tmp_path: Path) -> None:
    write_table(tmp_path, "t.csv", [[row[0], n % 3 - 1] for n, row in enumerate(ROWS)], ["file", "pose"])
    assert ingest_with_table(tmp_path)["attributes"].to_pylist() == [[-1.0], [0.0], [1.0]] * 2


def test_only_the_named_columns_are_taken_in_their_order_and_folders_are_no_classes(tmp_path: Path) -> None:
    tree = write_table(tmp_path, "t.csv", [])
    for name in ("cats", "dogs"):
        write_tree(tree, {name: 3})
    for image in tree.glob("*.png"):
        image.unlink()
    keys = [f"{name}/{n:03d}" for name in ("cats", "dogs") for n in range(3)]
    (tree / "t.csv").write_text("file,a,b\n" + "".join(f"{key},{n % 2},{n // 3}\n" for n, key in enumerate(keys)))
    table = ingest_with_table(tmp_path, columns=["b", "a"])
    assert json.loads(table.schema.metadata[b"attributes"]) == ["b", "a"]
    assert table["attributes"].to_pylist() == [[-1.0 + 2 * (n // 3), -1.0 + 2 * (n % 2)] for n in range(6)]


@pytest.mark.tried("a table of attributes with a column of numbers", "age is -1 at 20 and 1 at 25")
@pytest.mark.tried("a table of attributes", "5 attributes: smile, age, hair=black, hair=none, hair=red")
def test_ingest_says_what_it_took_the_columns_for(tmp_path: Path, read: Callable[[str], None]) -> None:
    write_table(tmp_path, "t.csv", ROWS)
    params = ingest_params(path=str(tmp_path / "tree"), attributes={"file": "t.csv", "columns": "all"})
    source = open_source(params)
    read("\n".join([*source.layout, *summary(source, ingest(source, params, tmp_path / "raw", tmp_path / "resume"))]))


def parquet_with(folder: Path, columns: dict[str, list[Any]], about: dict[str, Any] | None = None) -> Path:
    """Images with columns of their own, in two files; `about` is what `datasets` writes of the features."""
    folder.mkdir()
    pictures = [encoded(Image.fromarray(one)) for one in noise(6, 8, 8, 1, seed=1)[..., 0]]
    table = pa.table({"image": pictures, **columns})
    if about:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": about}})})
    for number in range(2):
        pq.write_table(table.slice(3 * number, 3), folder / f"part-{number}.parquet")
    return folder


def from_parquet(folder: Path, path: Path, columns: Any) -> pa.Table:
    return ingested(folder / "raw", source="parquet", path=str(path), attributes={"columns": columns})


def test_columns_of_parquet_beside_the_images_are_attributes_as_those_of_a_table_are(tmp_path: Path) -> None:
    smile, age, hair = zip(*(row[1:] for row in ROWS), strict=True)
    columns: dict[str, list[Any]] = {
        "smile": [bool(one) for one in smile],
        "age": [float(one) for one in age],
        "hair": list(hair),
    }
    path = parquet_with(tmp_path / "tables", columns)
    write_table(tmp_path, "t.csv", ROWS)
    expected = ingest_with_table(tmp_path)
    for asked in ("all", ["smile", "age", "hair"]):
        found = from_parquet(tmp_path, path, asked)
        assert json.loads(found.schema.metadata[b"attributes"]) == NAMES
        assert found["attributes"].to_pylist() == expected["attributes"].to_pylist()
        assert found["label"].null_count == 6
    assert json.loads(from_parquet(tmp_path, path, "smile").schema.metadata[b"attributes"]) == ["smile"]


def test_numbers_of_classes_in_parquet_are_the_words_that_its_schema_has_for_them(tmp_path: Path) -> None:
    about = {"label": {"names": ["cat", "dog", "owl"], "_type": "ClassLabel"}}
    path = parquet_with(tmp_path / "tables", {"label": [0, 1, 2] * 2, "tame": [1, 1, 0] * 2}, about)
    found = from_parquet(tmp_path, path, "all")
    assert json.loads(found.schema.metadata[b"attributes"]) == ["label=cat", "label=dog", "label=owl", "tame"]
    assert found["attributes"].to_pylist()[:2] == [[1, -1, -1, 1], [-1, 1, -1, 1]]


@pytest.mark.parametrize(
    ("columns", "asked", "code"),
    [
        ({"smile": [True, None] * 3}, "all", "attributes-invalid"),
        ({"smile": [True] * 6}, "all", "attributes-invalid"),
        ({"smile": [True, False] * 3}, ["smyle"], "table-column-missing"),
        ({"box": [[1, 2]] * 6}, ["box"], "table-column-missing"),
        ({"box": [[1, 2]] * 6}, "all", "table-column-missing"),
    ],
)
def test_columns_of_parquet_that_say_nothing_are_refused(
    tmp_path: Path, columns: dict[str, list[Any]], asked: Any, code: str
) -> None:
    path = parquet_with(tmp_path / "tables", columns)
    with refused(code, "ingest.attributes.columns"):
        from_parquet(tmp_path, path, asked)


@pytest.mark.parametrize("spellings", [("1", "1.0"), ("5", "5.00"), ("yes", "Yes")])
def test_a_column_that_says_the_same_of_all_in_two_spellings_is_refused(
    tmp_path: Path, spellings: tuple[str, str]
) -> None:
    rows = [[row[0], spellings[n % 2]] for n, row in enumerate(ROWS)]
    assert "'smile' says the same of all images" in refusal(tmp_path, rows, header=["file", "smile"])


@pytest.mark.tried(
    "`ingest.attributes` without a `file`, of images that are no Parquet",
    "ingest.attributes.file is null, and only Parquet has attributes in its own columns: name a table of them",
)
def test_files_of_images_need_a_table_of_their_attributes(tmp_path: Path, read: Callable[[str], None]) -> None:
    write_table(tmp_path, "t.csv", ROWS)
    with refused("attributes-without-table") as error:
        ingested(tmp_path / "raw", path=str(tmp_path / "tree"), attributes={"columns": "all"})
    read(str(error.value))


def test_two_columns_of_one_name_are_refused_where_they_are_asked_for(tmp_path: Path) -> None:
    rows = [[row[0], n % 2, 1 - n % 2, n % 3 // 2] for n, row in enumerate(ROWS)]
    header = ["file", "smile", "smile", "hat"]
    said = refusal(tmp_path / "one", rows, header=header, code="table-column-twice")
    assert "two columns called 'smile'" in said
    write_table(tmp_path / "two", "t.csv", rows, header)
    assert len(ingest_with_table(tmp_path / "two", columns="hat")) == 6


def test_one_column_needs_no_list_and_cells_may_be_parted_by_semicolons(tmp_path: Path) -> None:
    tree = write_table(tmp_path, "t.csv", ROWS)
    (tree / "t.csv").write_text((tree / "t.csv").read_text().replace(",", ";"))
    table = ingest_with_table(tmp_path, columns="hair")
    assert json.loads(table.schema.metadata[b"attributes"]) == ["hair=black", "hair=none", "hair=red"]


@pytest.mark.tried("a table of attributes parted by semicolons, with `2,5` in it", "age is -1 at 0.5 and 1 at 4.5")
@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ";"), ("t.csv", "\t"), ("t.tsv", "\t")])
def test_where_commas_part_no_cells_they_stand_in_numbers(
    tmp_path: Path, read: Callable[[str], None], name: str, delimiter: str
) -> None:
    tree = write_table(tmp_path, "t.csv", [])
    ages = ["0,5", "2,5", "4,5", "2,5", "1", "1.0"]
    lines = [["file", "age", ""], *([f"{n:03d}", age, ""] for n, age in enumerate(ages))]
    (tree / name).write_text("\n".join(map(delimiter.join, lines)))
    table = ingest_with_table(tmp_path, name)
    assert table["attributes"].to_pylist() == [[-1.0], [0.0], [1.0], [0.0], [-0.75], [-0.75]]
    read("\n".join(open_source(ingest_params(path=str(tree), attributes={"file": name, "columns": "all"})).layout))


def test_where_commas_part_cells_a_cell_with_one_is_a_word(tmp_path: Path) -> None:
    tree = write_table(tmp_path, "t.csv", [])
    (tree / "t.csv").write_text("file,size\n" + "".join(f'{n:03d},"{n % 2},5"\n' for n in range(6)))
    assert json.loads(ingest_with_table(tmp_path).schema.metadata[b"attributes"]) == ["size=0,5", "size=1,5"]


def with_cell(row: int, column: int, value: Any) -> list[list[Any]]:
    rows = [list(one) for one in ROWS]
    rows[row][column] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "columns", "code"),
    [
        pytest.param(
            with_cell(2, 3, ""),
            "all",
            "attributes-invalid",
            marks=pytest.mark.tried(
                "a table of attributes with an empty cell", "column 'hair' has cells without a value: fill them"
            ),
            id="an empty cell",
        ),
        pytest.param(
            with_cell(2, 2, "NaN"),
            "all",
            "attributes-invalid",
            marks=pytest.mark.tried(
                "a table of attributes with a NaN among numbers", "column 'age' has cells without a value: fill them"
            ),
            id="a NaN among numbers",
        ),
        pytest.param(
            [[*row[:3], "red"] for row in ROWS],
            "all",
            "attributes-invalid",
            marks=pytest.mark.tried(
                "a table of attributes with a column of one value",
                "column 'hair' says the same of all images; name others in ingest.attributes.columns",
            ),
            id="a column of one value",
        ),
        pytest.param(
            ROWS,
            ["smlie"],
            "table-column-missing",
            marks=pytest.mark.tried(
                "a table of attributes with a column that is not there",
                "has no column 'smlie' behind the one of keys, but smile, age, hair: name one in "
                "ingest.attributes.columns",
            ),
            id="a column that is not there",
        ),
        pytest.param(
            [*ROWS, ROWS[0]],
            "all",
            "key-twice",
            marks=pytest.mark.tried(
                "a table of attributes with a key twice", "names a key twice ('000.png'): keep one of the rows"
            ),
            id="a key twice",
        ),
        pytest.param(
            [*ROWS[:-1], ROWS[-1][:2]],
            "all",
            "table-row-malformed",
            marks=pytest.mark.tried(
                "a table of attributes with a short row", "line 7: it has 2 cells, the first 4: mend it"
            ),
            id="a short row",
        ),
        pytest.param(
            [[f"row {n}", *row[1:]] for n, row in enumerate(ROWS)],
            "all",
            "table-matches-nothing",
            marks=pytest.mark.tried(
                "a table of attributes whose first column is no image's name",
                "has a row for none of the images: its first column must hold their names, such as '000.png', and "
                "holds 'row 0'",
            ),
            id="other keys",
        ),
        pytest.param(
            ROWS[:-1],
            "all",
            "table-row-missing",
            marks=pytest.mark.tried(
                "a table of attributes with no row for an image",
                "has no row for the image '005.png': add one, remove the image, or set ingest.unlabeled to leave_out",
            ),
            id="no row for an image",
        ),
    ],
)
def test_a_table_that_says_less_than_it_should_is_refused_with_what_to_do(
    tmp_path: Path, read: Callable[[str], None], rows: list[list[Any]], columns: Any, code: str
) -> None:
    read(refusal(tmp_path, rows, columns, code=code))


def test_names_and_texts_are_no_attributes(tmp_path: Path) -> None:
    rows = [[f"{n:03d}.png", f"a text about image {n}"] for n in range(200)]
    assert "100 different words" in refusal(tmp_path, rows, "all", ["f", "text"])


def test_a_gap_behind_many_numbers_is_a_gap_and_no_text(tmp_path: Path) -> None:
    rows = [[f"{n:03d}.png", n / 7] for n in range(300)] + [["300.png", "nan"]]
    assert "'age' has cells without a value" in refusal(tmp_path, rows, "all", ["file", "age"])


def test_images_without_a_row_are_left_out_and_counted_where_that_is_asked_for(tmp_path: Path) -> None:
    write_table(tmp_path, "t.csv", ROWS[:-2])
    params = ingest_params(
        path=str(tmp_path / "tree"), attributes={"file": "t.csv", "columns": "all"}, unlabeled="leave_out"
    )
    source = open_source(params)
    assert ingest(source, params, tmp_path / "raw", tmp_path / "resume").total() == 4
    assert any("left out 2 of 6 images without a row" in note for note in source.notes)


def test_labels_and_attributes_are_not_both_asked_for() -> None:
    with pytest.raises(ValueError, match="labels and attributes are each in place of the other"):
        ingest_params(path="tree", labels="t.csv", attributes={"file": "t.csv", "columns": "all"})


def test_names_in_another_form_of_unicode_are_the_same_names(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"": 2})
    for number, letter in enumerate("ab"):
        (tree / f"{number:03d}.png").rename(tree / f"{letter}e\u0301.png")
    (tree / "t.csv").write_text("file,smi\u0301le\na\u00e9,0\nb\u00e9,1\n")
    table = ingest_with_table(tmp_path, columns=["sm\u00edle"])
    assert table["attributes"].to_pylist() == [[-1.0], [1.0]]


def test_other_attributes_of_the_same_images_are_other_data(tmp_path: Path) -> None:
    fingerprints = []
    for number, rows in enumerate((ROWS, with_cell(0, 1, 1))):
        folder = tmp_path / str(number)
        write_table(folder, "t.csv", rows)
        ingest_with_table(folder)
        fingerprints.append(normalized(folder)["fingerprint"])
        split = Split(folder / "normalized/train")
        assert split.signature.attributes == tuple(NAMES)
        assert split.attributes is not None
        assert split.attributes.shape == (len(split), 5)
    assert fingerprints[0] != fingerprints[1]


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"": 2})

    def peak(rows: int) -> int:
        """Bytes that Python has at most while so many rows are read."""
        lines = (f"{row:05d}," + ",".join(str((row >> n) & 1) for n in range(10)) + "\n" for row in range(rows))
        names = ",".join(f"a{n}" for n in range(10))
        (tree / "t.csv").write_text(f"file,{names}\n{''.join(lines)}")
        table = Attributes(file="t.csv", columns=["a0", "a9"])
        params = ingest_params(path=str(tree), attributes=table, unlabeled="leave_out")
        tracemalloc.start()
        try:
            open_source(params)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1200)  # what is imported and kept the first time
    # A table in memory would take 3.6 MB; what other threads of the tests allocate meanwhile is far less.
    assert peak(20_000) < peak(1200) + 1_000_000


def test_the_gate_warns_of_an_attribute_that_is_the_same_for_all_held_out_images(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"train": 8, "test": 4})
    rows = [(f"train/{n:03d}", n % 2, n % 3) for n in range(8)] + [(f"test/{n:03d}", 0, n % 3) for n in range(4)]
    (tree / "t.csv").write_text("file,rare,usual\n" + "".join(f"{key},{a},{b}\n" for key, a, b in rows))
    ingest_with_table(tmp_path)
    normalized(tmp_path)
    limits = load_params(ROOT / "params.yaml").validate_.model_copy(update={"min_images": 4})
    outcome = validate(tmp_path / "normalized", limits, tmp_path / "reports", tmp_path)
    failed = [verdict for verdict in outcome.verdicts if not verdict.success and verdict.column == "span"]
    assert [(verdict.severity, verdict.examples) for verdict in failed] == [("warning", ["rare (holdout)"])]
