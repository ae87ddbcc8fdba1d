"""Names as people read them: one Unicode form wherever names meet, numbers in order, nothing of the system."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.common.shards import class_names
from stages.ingest import ingest, summary
from stages.sources import open_source
from stages.sources.names import OF_SYSTEMS, composed, in_order, of_system
from tests.refusals import refused
from tests.stages.source_files import (
    encoded,
    ingest_params,
    ingested,
    noise,
    write_files,
    write_tree,
    zip_beside,
    zipped,
)
from tests.stages.tiny_data import ROOT

PNGS = [encoded(Image.fromarray(picture)) for picture in noise(6, 8, 8)]
FORMS = ["NFC", "NFD"]


def put(root: Path, *names: str) -> Path:
    return write_files(root, dict(zip(names, PNGS, strict=False)))


def put_in_zip(path: Path, *names: str) -> Path:
    path.write_bytes(zipped(dict(zip(names, PNGS, strict=False))))
    return path


def keys(table: pa.Table, column: str = "label") -> dict[str, Any]:
    return dict(zip(table["key"].to_pylist(), table[column].to_pylist(), strict=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("name", ["l.csv", "l.json", "l.jsonl"])
def test_a_table_of_labels_meets_names_in_another_unicode_form(
    tmp_path: Path, form: Any, written: Any, name: str
) -> None:
    pairs = {normalize(written, key): normalize(written, label) for key, label in (("é/ñ.png", "ö"), ("é/o.png", "a"))}
    lines = {
        "l.csv": "\n".join(["key,class", *(f"{key},{label}" for key, label in pairs.items())]),
        "l.json": json.dumps(pairs),
        "l.jsonl": "\n".join(json.dumps({"key": key, "class": label}) for key, label in pairs.items()),
    }
    tree = put(tmp_path / "tree", normalize(form, "é/ñ.png"), "é/o.png")
    (tmp_path / name).write_text(lines[name], encoding="utf-8")
    table = ingested(tmp_path / "raw", path=str(tree), labels=str(tmp_path / name))
    assert class_names(table.schema) == ["a", "ö"]
    assert keys(table) == {"é/ñ.png": 1, "é/o.png": 0}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["g.csv", "g.jsonl"])
def test_a_table_of_groups_meets_names_in_another_unicode_form(tmp_path: Path, form: Any, name: str) -> None:
    tree = put(tmp_path / "tree", normalize(form, "é.png"), normalize(form, "ö.png"))
    column = normalize("NFD", "Gebäude")
    rows = [(normalize("NFD", "é.png"), normalize("NFC", "Süd")), (normalize("NFC", "ö"), normalize("NFD", "Süd"))]
    lines = [f"file,{column}", *map(",".join, rows)]
    if name == "g.jsonl":
        lines = [json.dumps({"file": key, column: value}) for key, value in rows]
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    groups = {"file": str(tmp_path / name), "column": normalize(form, "Gebäude")}
    table = ingested(tmp_path / "raw", path=str(tree), groups=groups)
    assert keys(table, "group") == {"é.png": "Süd", "ö.png": "Süd"}


@pytest.mark.tried(
    "a table of labels, groups or attributes written on Windows (`cat\\\\1.png`), or by `find` (`./cat/1.png`)",
    "2 classes: cat 2, dog 1",
)
@pytest.mark.parametrize("written", ["cat\\1.png", "./cat/1.png", ".\\cat\\1.png", "cat/1"])
def test_a_table_meets_paths_as_systems_and_tools_write_them(
    tmp_path: Path, read: Callable[[str], None], written: str
) -> None:
    tree = put(tmp_path / "tree", "cat/1.png", "cat/2.png", "dog/1.png")
    (tmp_path / "t.csv").write_text(f"file,class,who\n{written},cat,ann\ncat/2.png,cat,bob\ndog/1.png,dog,ann\n")
    groups = {"file": str(tmp_path / "t.csv"), "column": "who"}
    params = ingest_params(path=str(tree), labels=str(tmp_path / "t.csv"), groups=groups)
    source = open_source(params)
    read("\n".join(summary(source, ingest(source, params, tmp_path / "raw", tmp_path / "resume"))))
    assert keys(pq.read_table(tmp_path / "raw"), "group") == {
        "cat/1.png": "ann",
        "cat/2.png": "bob",
        "dog/1.png": "ann",
    }
    asked = {"file": str(tmp_path / "t.csv"), "columns": ["who"]}
    table = ingested(tmp_path / "again", path=str(tree), attributes=asked)
    assert keys(table, "attributes") == {"cat/1.png": [1, -1], "cat/2.png": [-1, 1], "dog/1.png": [1, -1]}


def test_a_name_that_holds_a_backslash_is_met_as_well(tmp_path: Path) -> None:
    tree = put(tmp_path / "tree", "a\\b.png", "c.png")
    (tmp_path / "l.csv").write_text("key,class\na\\b.png,1\nc.png,2\n")
    assert keys(ingested(tmp_path / "raw", path=str(tree), labels=str(tmp_path / "l.csv"))) == {
        "a\\b.png": 0,
        "c.png": 1,
    }


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_partners_are_found_in_any_unicode_form_and_case_of_the_extension(tmp_path: Path, packed: bool) -> None:
    mixed = f"{normalize('NFD', 'é')}ü.png"  # neither form
    names = [
        normalize("NFD", "föto/é.png"),
        "föto/éü.png",
        "föto/a.png",
        "karte/é.png",
        f"karte/{mixed}",
        "karte/a.PNG",
    ]
    path = put_in_zip(tmp_path / "a.zip", *names) if packed else put(tmp_path / "tree", *names)
    params = {"source": "archive" if packed else "folder", "path": str(path)}
    folders = [normalize("NFD", "föto"), "karte"]
    table = ingested(tmp_path / "raw", pairs={"by": "name", "folders": folders}, **params)
    partners = {key: partner["bytes"] for key, partner in keys(table, "partner").items()}
    assert partners == {"é.png": PNGS[3], "éü.png": PNGS[4], "a.png": PNGS[5]}


@pytest.mark.tried("the class `café` in NFC to train on, and in NFD (a Mac's) held out", "2 classes: a 1, café 3")
def test_a_class_in_two_unicode_forms_is_one_class_in_every_split(tmp_path: Path, read: Callable[[str], None]) -> None:
    apart = normalize("NFD", "café")
    tree = put(tmp_path / "tree", "train/café/1.png", f"train/{apart}/2.png", "train/a/1.png", f"test/{apart}/1.png")
    params = ingest_params(path=str(tree))
    source = open_source(params)
    read("\n".join(summary(source, ingest(source, params, tmp_path / "raw", tmp_path / "resume"))))
    table = pq.read_table(tmp_path / "raw")
    assert keys(table)["test/café/1.png"] == 1
    assert table["key"].to_pylist() == sorted(keys(table))


@pytest.mark.tried(
    "`é.png` twice in a folder, in NFC and in NFD",
    "two images have the key 'é.png' (in one Unicode form, NFC): rename one",
)
def test_two_images_whose_names_look_the_same_are_refused(tmp_path: Path, read: Callable[[str], None]) -> None:
    tree = put(tmp_path / "tree", "é.png", normalize("NFD", "é.png"))
    with refused("key-twice") as refusal:
        ingested(tmp_path / "raw", path=str(tree))
    read(str(refusal.value))


def test_a_copy_of_a_folder_in_the_other_unicode_form_gives_the_same_bytes(tmp_path: Path) -> None:
    names = ["été/z.png", "etz/é.png", "etz/f.png"]
    tables = []
    for form in ("NFC", "NFD"):
        put(tmp_path / form, *(normalize(form, name) for name in names))
        tables.append(ingested(tmp_path / f"raw/{form}", path=str(tmp_path / form)))
    assert tables[0].to_pydict() == tables[1].to_pydict()


def test_names_in_a_zip_that_macos_packed_are_utf_8(tmp_path: Path) -> None:
    path = put_in_zip(tmp_path / "a.zip", *(f"{normalize('NFD', 'é')}/{number}.png" for number in range(3)))
    content = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # where the flags are: nothing says UTF-8 any more
        at = content.find(sign)
        while at >= 0:
            content[at + place + 1] &= 0xF7
            at = content.find(sign, at + 4)
    path.write_bytes(content)
    table = ingested(tmp_path / "raw", source="archive", path=str(path))
    assert table["key"].to_pylist() == ["é/0.png", "é/1.png", "é/2.png"]


def test_names_of_classes_in_columns_and_arrays_are_composed(tmp_path: Path) -> None:
    names = ["é", normalize("NFD", "é"), "10", "9"]
    pq.write_table(pa.table({"image": PNGS[:4], "label": names}), tmp_path / "a.parquet")
    table = ingested(tmp_path / "raw", source="parquet", path=str(tmp_path / "a.parquet"))
    assert (class_names(table.schema), table["label"].to_pylist()) == (["10", "9", "é"], [2, 2, 0, 1])
    np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=np.array(names))
    table = ingested(tmp_path / "raw2", source="arrays", path=str(tmp_path / "a.npz"))
    assert (class_names(table.schema), table["label"].to_pylist()) == (["10", "9", "é"], [2, 2, 0, 1])


@given(names=st.lists(st.text(min_size=1, max_size=5)))
def test_composing_is_for_good_and_what_is_composed_is_in_order(names: list[str]) -> None:
    once = [composed(name) for name in names]
    assert [composed(name) for name in once] == once
    assert in_order(once) == in_order(reversed(once))


def test_class_folders_that_are_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {str(number): 1 for number in (100, 9, 10, 1, 0)})
    assert class_names(ingested(tmp_path / "raw", path=str(tree)).schema) == ["0", "1", "9", "10", "100"]
    assert in_order(["1", "01", "10", "2"]) == ["01", "1", "2", "10"]
    assert in_order(["1", "10", "2", "a"]) == ["1", "10", "2", "a"]


@pytest.mark.parametrize("kind", ["U", "S"])
def test_names_in_arrays_that_are_numbers_are_in_the_order_of_numbers(tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "a.npz", images=noise(4, 8, 8), labels=np.array(["10", "9", "1", "9"]).astype(kind))
    table = ingested(tmp_path / "raw", source="arrays", path=str(tmp_path / "a.npz"))
    assert class_names(table.schema) == ["1", "9", "10"]
    assert table["label"].to_pylist() == [2, 1, 0, 1]


SYSTEM = [name for name in OF_SYSTEMS if name[-1] != "\r"]


@pytest.mark.tried(
    "a disk's `lost+found`, `@eaDir`, `.Trash-1000`, `__MACOSX`, `Thumbs.db` ... beside the classes",
    "left out 11 hidden or system files and folders, such as ...",
)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_what_systems_leave_is_left_out_and_counted(tmp_path: Path, read: Callable[[str], None], packed: bool) -> None:
    inside = {f"{name}/x.png": PNGS[0] for name in SYSTEM if "." not in name}
    beside = {f"cat/{name}": b"x" for name in [*SYSTEM, "Icon\r", "._a.png"] if "." in name or name == "Icon\r"}
    members = {"cat/a.png": PNGS[1], "dog/b.png": PNGS[2], **beside, **inside, ".Trash-1000/c.png": PNGS[3]}
    path = write_files(tmp_path / "tree", members)
    if packed:
        path = zip_beside(path)
    params = ingest_params(source="archive" if packed else "folder", path=str(path))
    source = open_source(params)
    assert ingest(source, params, tmp_path / "raw", tmp_path / "resume") == {(None, 0): 1, (None, 1): 1}
    assert source.classes == ["cat", "dog"]
    [note] = source.notes
    read(note)


@pytest.mark.parametrize("name", ["THUMBS.DB", "$Recycle.Bin", ".Trash", ".DS_Store", "Lost+Found"])
def test_a_system_s_names_are_known_in_any_case(name: str) -> None:
    assert of_system(name)


@pytest.mark.parametrize("name", ["Icon", "icon", "trash", "recycle", "thumbs"])
def test_an_ordinary_name_is_not_taken_for_a_system_s(name: str) -> None:
    assert not of_system(name)


def test_what_everybody_has_beside_pictures_needs_no_word(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"cat": 1, "dog": 1})
    for name in ("README.md", "cat/LICENSE", "dog/license.txt", ".DS_Store", "cat/Thumbs.db"):
        (tree / name).write_text("x")
    params = ingest_params(path=str(tree))
    source = open_source(params)
    assert len([*source.images]) == 2
    assert source.notes == []


def test_what_is_left_beside_tables_and_arrays_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "@eaDir").mkdir(parents=True)
    pq.write_table(pa.table({"image": PNGS[:3]}), folder / "a.parquet")
    np.save(folder / "images.npy", noise(3, 8, 8))
    for name in ("._a.parquet", "@eaDir/a.parquet", "._images.npy"):
        (folder / name).write_bytes(b"\0\5\x16\7")  # AppleDouble
    assert ingested(tmp_path / "raw", source="parquet", path=str(folder)).num_rows == 3
    assert ingested(tmp_path / "raw2", source="arrays", path=str(folder)).num_rows == 3


def test_dvc_does_not_look_into_what_systems_leave() -> None:
    """It would stop at a folder that is locked, wherever it lies in the checkout."""
    ignored = (ROOT / ".dvcignore").read_text().replace("\\#", "#").splitlines()
    assert {*SYSTEM, ".Trash*"} <= {*ignored}
