"""Classes that a table among the images tells: StyleGAN's dataset.json, ImageFolder's metadata, tables of params."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.sources import open_source
from tests.refusals import refused
from tests.stages.layouts import PNG, Files, Packer, folder, found, opened, packed_in
from tests.stages.source_files import ingest_params

CHUNKS = [f"{number // 2:05d}/img{number:08d}.png" for number in range(6)]


def stylegan(labels: Any) -> Files:
    return {"dataset.json": json.dumps({"labels": labels}).encode()}


@pytest.mark.tried(
    "StyleGAN's zip, with its `dataset.json`", "took classes from .../dataset.json, and none from folders"
)
@packed_in
@pytest.mark.parametrize("wrapper", ["", "ffhq/"], ids=["", "wrapped"])
def test_stylegans_dataset_json_tells_classes_and_its_folders_do_not(
    tmp_path: Path, read: Callable[[str], None], pack: Packer, wrapper: str
) -> None:
    labels = {name: number % 3 * 5 for number, name in enumerate(CHUNKS)}
    tables = {f"{wrapper}dataset.json": next(iter(stylegan([*labels.items()]).values()))}
    source = opened(tmp_path, [wrapper + name for name in CHUNKS], tables, pack)
    assert source.classes == ["0", "5", "10"]
    read("\n".join(source.layout))
    assert found(source) == {wrapper + name: (str(label), None) for name, label in labels.items()}
    assert source.notes == []


def test_a_one_hot_dataset_json_tells_classes_by_the_place_of_the_one(tmp_path: Path) -> None:
    labels = [[name, [float(place == number % 3) for place in range(3)]] for number, name in enumerate(CHUNKS)]
    source = opened(tmp_path, CHUNKS, stylegan(labels))
    assert [label for label, _ in found(source).values()] == ["0", "1", "2"] * 2


@pytest.mark.tried(
    'a `dataset.json` with `"labels": null`',
    "took .../dataset.json to say that there are no labels: folders are no classes",
)
@pytest.mark.parametrize("content", [b'{"labels": null}', b'{"name": "x", "labels": null}'])
def test_a_dataset_json_without_labels_says_that_there_are_none(
    tmp_path: Path, read: Callable[[str], None], content: bytes
) -> None:
    source = opened(tmp_path, CHUNKS, {"dataset.json": content})
    assert source.classes is None
    read(source.layout[0])


COCO = {"info": {"year": 2017}, "images": [{"id": n, "file_name": f"{n}.png"} for n in range(40)], "annotations": []}


@pytest.mark.tried(
    "COCO's `dataset.json` beside class folders",
    "took nothing from .../dataset.json, which has no labels of StyleGAN's form",
)
@pytest.mark.parametrize(
    "content",
    [COCO, {}, {"labels": "x"}, {"labels": {}}, {"labels": {"cat": 0, "dog": 1}},
     {"labels": {"cat/0.png": 0, "dog/0.png": "dog"}}, {"labels": {"cat/0.png": True, "dog/0.png": False}}],
)  # fmt: skip
def test_a_dataset_json_of_another_kind_leaves_classes_to_folders(
    tmp_path: Path, read: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, content: Any
) -> None:
    monkeypatch.setattr("stages.sources.json_pairs._PIECE", 64)  # COCO's are longer than a piece
    source = opened(tmp_path, ["cat/0.png", "dog/0.png"], {"dataset.json": json.dumps(content).encode()})
    assert source.classes == ["cat", "dog"]
    read("\n".join(source.layout))


def test_a_damaged_dataset_json_is_refused_wherever_the_damage_is(tmp_path: Path) -> None:
    for at, damage in ((-1, b""), (60, b"]"), (200, b"}"), (900, b'"')):
        content = json.dumps(COCO).encode()
        with refused("labels-unreadable"):
            opened(tmp_path, ["cat/0.png"], {"dataset.json": content[:at] + damage})


def test_a_dataset_json_whose_labels_are_an_object_of_numbers_tells_classes(tmp_path: Path) -> None:
    labels = {name: number % 2 for number, name in enumerate(CHUNKS)}
    source = opened(tmp_path, CHUNKS, {"dataset.json": json.dumps({**COCO, "labels": labels, "more": 1}).encode()})
    assert source.layout[0].endswith("dataset.json, and none from folders")
    assert found(source) == {name: (str(label), None) for name, label in labels.items()}


def test_a_dataset_json_of_any_length_is_read_by_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.sources.json_pairs._PIECE", 64)
    names = [f"0/{number}.png" for number in range(40)]
    content = {"version": 2, "labels": [[name, number % 2] for number, name in enumerate(names)], "more": {}}
    source = opened(tmp_path, names, {"dataset.json": json.dumps(content, indent=2).encode()})
    assert [label for label, _ in found(source).values()] == [str(int(name[2:-4]) % 2) for name in sorted(names)]


METADATA = {
    "metadata.csv": 'file_name,text,label\na.png,"a, b",x\nmore/b.png,c,y\n./c.png,c,x\n',
    "metadata.jsonl": '{"file_name": "a.png", "label": "x"}\n\n{"label": "y", "file_name": "more/b.png"}\n'
    '{"file_name": "c.png", "label": "x"}\n',
}


@packed_in
@pytest.mark.parametrize("name", METADATA)
def test_imagefolders_metadata_tells_classes_in_each_split(tmp_path: Path, pack: Packer, name: str) -> None:
    names = [f"{split}/{image}" for split in ("train", "test") for image in ("a.png", "c.png", "more/b.png")]
    tables = {f"{split}/{name}": METADATA[name].encode() for split in ("train", "test")}
    source = opened(tmp_path, names, tables, pack)
    expected = {key: ("y" if "more" in key else "x", key.split("/")[0]) for key in names}
    assert found(source) == expected
    assert source.layout[-1] == "took train to train on, test as held out"


def test_one_metadata_above_the_splits_names_files_from_there(tmp_path: Path) -> None:
    lines = ["image_file_name,Class", "train/0.png,1", "dev/0.png,2"]
    source = opened(tmp_path, ["train/0.png", "dev/0.png"], {"metadata.csv": "\r\n".join(lines).encode()})
    assert found(source) == {"train/0.png": ("1", "train"), "dev/0.png": ("2", "test")}


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(
            "file_name,text",
            marks=pytest.mark.tried(
                "a `metadata.csv` of texts beside class folders",
                "took nothing from .../metadata.csv, which has no column of classes (label, class, category) but "
                "'file_name, text'",
            ),
        ),
        pytest.param(
            "id,label",
            marks=pytest.mark.tried(
                "a `metadata.csv` that names no files",
                "took nothing from .../metadata.csv, which has no column file_name but 'id, label'",
            ),
        ),
    ],
)
def test_metadata_without_classes_leaves_them_to_folders_and_says_so(
    tmp_path: Path, read: Callable[[str], None], header: str
) -> None:
    source = opened(tmp_path, ["cat/0.png", "dog/0.png"], {"metadata.csv": f"{header}\ncat/0.png,x\n".encode()})
    assert source.classes == ["cat", "dog"]
    read(source.layout[0])


def test_labels_that_params_name_go_before_a_table_among_the_images(tmp_path: Path) -> None:
    params = folder(tmp_path / "in", {**dict.fromkeys(CHUNKS, PNG), **stylegan([[name, 1] for name in CHUNKS])})
    (tmp_path / "l.csv").write_text("key,class\n" + "".join(f"{name},z\n" for name in CHUNKS))
    source = open_source(ingest_params(**params, labels=str(tmp_path / "l.csv")))
    assert (source.classes, source.layout) == (["z"], [])


@pytest.mark.parametrize("name", ["dataset.json", *METADATA])
def test_a_table_of_the_field_is_read_as_such_where_params_name_it(tmp_path: Path, name: str) -> None:
    """Of metadata.csv the second column is a text, and no class."""
    labels = {"a.png": "x", "more/b.png": "y", "c.png": "x"}
    content = METADATA.get(name) or json.dumps({"labels": [*labels.items()]})
    (tmp_path / name).write_text(content)
    params = folder(tmp_path / "in", dict.fromkeys(labels, PNG))
    source = open_source(ingest_params(**params, labels=str(tmp_path / name)))
    assert {key: label for key, (label, _) in found(source).items()} == labels


@pytest.mark.tried("a `dataset.json` of six images where two are there", ".../dataset.json has 4 keys without an image")
def test_rows_of_a_table_without_an_image_are_counted(tmp_path: Path, read: Callable[[str], None]) -> None:
    source = opened(tmp_path, CHUNKS[:2], stylegan([[name, 0] for name in CHUNKS]))
    found(source)
    [note] = source.notes
    read(note)
