"""What is taken for a split, a class or a table of labels, in folders and archives alike, and what is said of it."""

import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages import ingest
from stages.common.params import load_params
from stages.sources import Source, open_source
from tests.refusals import refused
from tests.stages.source_files import encoded, ingest_params, noise
from tests.stages.tiny_data import write_params

PNG = encoded(Image.fromarray(noise(1, 8, 8)[0]))
Files = dict[str, bytes]
Packer = Callable[[Path, Files], dict[str, Any]]


def folder(root: Path, files: Files) -> dict[str, Any]:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return {"source": "folder", "path": str(root)}


def zipped(path: Path, files: Files) -> dict[str, Any]:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return {"source": "archive", "path": str(path)}


def tarred(path: Path, files: Files) -> dict[str, Any]:
    folder(path.with_suffix(".files"), files)
    with tarfile.open(path, "w") as file:
        file.add(path.with_suffix(".files"), ".")
    return {"source": "archive", "path": str(path)}


PACKERS: list[Packer] = [folder, zipped, tarred]
packed_in = pytest.mark.parametrize("pack", PACKERS, ids=lambda pack: pack.__name__)


def opened(tmp_path: Path, names: list[str], tables: Files | None = None, pack: Packer = folder) -> Source:
    return open_source(ingest_params(**pack(tmp_path / "in", {**dict.fromkeys(names, PNG), **(tables or {})})))


def found(source: Source) -> dict[str, tuple[str | None, str | None]]:
    """Class and split by key."""
    names = source.classes or []
    return {image.key: (None if image.label is None else names[image.label], image.split) for image in source.images}


@packed_in
@pytest.mark.parametrize(
    ("train", "held_out"),
    [
        ("Train", "TEST"), ("training", "testing"), ("TRAINING", "Val"), ("train", "valid"), ("train", "Validation"),
        ("train", "eval"), ("train", "dev"), ("training_set", "test_set"), ("Train-Set", "Val-Set"),
        ("trainset", "testset"), ("train set", "dev set"), ("train_images", "test_images"),
        ("training_data", "valid_data"), ("train2017", "val2017"), ("TRAIN_2012", "Test_2012"),
    ],
)  # fmt: skip
def test_splits_are_found_by_any_usual_spelling(tmp_path: Path, pack: Packer, train: str, held_out: str) -> None:
    names = [f"{train}/cat/0.png", f"{train}/dog/0.png", f"{held_out}/cat/0.png", f"{held_out}/dog/0.png"]
    source = opened(tmp_path, names, pack=pack)
    assert source.layout == [f"took {train} to train on, {held_out} as held out"]
    assert found(source) == {
        name: (name.split("/")[1], "train" if name.startswith(train) else "test") for name in names
    }


def test_all_folders_of_held_out_images_are_held_out(tmp_path: Path) -> None:
    source = opened(tmp_path, ["w/train/a.png", "w/test/a.png", "w/val/a.png"])
    assert source.layout == ["took train to train on, test and val as held out"]
    assert {key: split for key, (_, split) in found(source).items()} == {
        "w/train/a.png": "train",
        "w/test/a.png": "test",
        "w/val/a.png": "test",
    }


def test_splits_in_each_class_are_splits(tmp_path: Path) -> None:
    source = opened(tmp_path, ["cat/train/0.png", "cat/val/0.png", "dog/train/0.png"])
    assert source.layout == ["took train to train on, val as held out, in each class"]
    assert found(source) == {
        "cat/train/0.png": ("cat", "train"),
        "cat/val/0.png": ("cat", "test"),
        "dog/train/0.png": ("dog", "train"),
    }


@pytest.mark.parametrize(
    ("train", "held_out"),
    [
        pytest.param(
            "training_set",
            "test_set",
            marks=pytest.mark.tried(
                "Kaggle's folders `training_set` and `test_set`",
                "took training_set to train on, test_set as held out",
            ),
        ),
        pytest.param(
            "train2017",
            "val2017",
            marks=pytest.mark.tried(
                "COCO's folders `train2017` and `val2017`", "took train2017 to train on, val2017 as held out"
            ),
        ),
    ],
)
def test_splits_of_a_year_and_sets_are_no_classes(
    tmp_path: Path, read: Callable[[str], None], train: str, held_out: str
) -> None:
    source = opened(tmp_path, [f"{train}/0.png", f"{held_out}/0.png"])
    assert source.classes is None
    read("\n".join(source.layout))


@pytest.mark.parametrize(
    "name", ["trainer", "settest", "train_station", "test99", "train3017", "test_set_of_keys", "set"]
)
def test_a_name_that_only_begins_or_ends_as_a_split_is_a_class(tmp_path: Path, name: str) -> None:
    source = opened(tmp_path, [f"{name}/0.png", "bus/0.png"])
    assert (source.classes, source.layout) == (sorted([name, "bus"]), [])


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        pytest.param(
            ["train/0.png", "test/0.png", "bus/0.png"],
            ["bus", "test", "train"],
            marks=pytest.mark.tried(
                "the folders `train`, `test` and `bus`", "took test and train for classes, as there is also bus"
            ),
        ),
        pytest.param(
            ["train/0.png", "bus/0.png"],
            ["bus", "train"],
            marks=pytest.mark.tried("the folders `train` and `bus`", "took train for classes, as there is also bus"),
        ),
        pytest.param(
            ["train/0.png"],
            None,
            marks=pytest.mark.tried(
                "the folder `train` alone",
                "took train for all there is, as no folder is named as held out beside one to train on",
            ),
        ),
        pytest.param(
            ["train/0.png", "training/0.png"],
            None,
            marks=pytest.mark.tried(
                "the folders `train` and `training`",
                "took train and training for all there is, as no folder is named as held out beside one to train on",
            ),
        ),
        pytest.param(
            ["train/cat/0.png", "train/dog/0.png"],
            ["cat", "dog"],
            marks=pytest.mark.tried(
                "the folders `train/cat` and `train/dog`",
                "took train for all there is, as no folder is named as held out beside one to train on",
            ),
        ),
        pytest.param(
            ["a/cat/0.png", "a/dog/0.png"],
            ["cat", "dog"],
            marks=pytest.mark.tried(
                "the folders `a/cat` and `a/dog`",
                "took .../a for no class, as it is the only folder and holds folders alone",
            ),
        ),
        pytest.param(
            ["a/train/0.png", "a/val/0.png", "b/0.png"],
            ["a", "b"],
            marks=pytest.mark.tried(
                "the folders `a/train`, `a/val` and `b`",
                "took train and val for no splits, as not all of .../b is in such",
            ),
        ),
    ],
)
def test_of_two_readings_ingest_says_which_it_took(
    tmp_path: Path, read: Callable[[str], None], names: list[str], classes: list[str] | None
) -> None:
    source = opened(tmp_path, names)
    assert source.classes == classes
    read("\n".join(source.layout))
    assert {split for _, split in found(source).values()} == {None}


def test_an_unambiguous_folder_is_read_without_a_word(tmp_path: Path) -> None:
    assert opened(tmp_path, ["cat/0.png", "dog/0.png"]).layout == []


@pytest.mark.tried(
    "a folder with `Train` and `Dev`, before its images are read", "folder: took Train to train on, Dev as held out"
)
@pytest.mark.tried(
    "an image of 10 MB where ingest.max_pixels is a million",
    "in/Dev/c.png is larger than an image of ingest.max_pixels (1000000) can be: remove it",
)
def test_how_folders_were_understood_is_said_before_an_image_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], read: Callable[[str], None]
) -> None:
    folder(tmp_path / "in", {"Train/a.png": PNG, "Dev/b.png": PNG, "Dev/c.png": b"\x89PNG" + bytes(10**7)})
    write_params(
        tmp_path, {"ingest.source": "folder", "ingest.path": "in", "ingest.max_pixels": 10**6, "train.family": "dcgan"}
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ingest"])
    with refused("file-too-large") as refusal:
        ingest.main()
    read(str(refusal.value))
    read(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        pytest.param(
            ["Train-0", "validation-0", "test-0"],
            ["train", "test", "test"],
            marks=pytest.mark.tried(
                "Parquet files `Train-0`, `validation-0` and `test-0`",
                "took train to train on, test and validation as held out",
            ),
        ),
        pytest.param(
            ["training_0", "dev"],
            ["train", "test"],
            marks=pytest.mark.tried(
                "Parquet files `training_0` and `dev`", "took training to train on, dev as held out"
            ),
        ),
        pytest.param(
            ["train2017-0", "val2017-0"],
            ["train", "test"],
            marks=pytest.mark.tried(
                "Parquet files `train2017-0` and `val2017-0`", "took train2017 to train on, val2017 as held out"
            ),
        ),
        pytest.param(
            ["train-0", "test-0", "extra"],
            [None] * 3,
            marks=pytest.mark.tried(
                "Parquet files `train-0`, `test-0` and `extra`",
                "took test and train for no splits, as extra.parquet is of none",
            ),
        ),
    ],
)
def test_parquet_files_are_split_by_the_same_names(
    tmp_path: Path, read: Callable[[str], None], names: list[str], splits: list[str | None]
) -> None:
    for name in names:
        pq.write_table(pa.table({"image": [PNG]}), tmp_path / f"{name}.parquet")
    source = open_source(ingest_params(source="parquet", path=str(tmp_path)))
    assert {image.key.partition(".")[0]: image.split for image in source.images} == dict(
        zip(names, splits, strict=True)
    )
    read("\n".join(source.layout))


@pytest.mark.tried(
    "a Parquet column `split` that no option names",
    "left the column 'split' aside: '+ingest.options.split=split' takes the splits from it",
)
def test_a_column_of_splits_that_is_not_read_is_named(tmp_path: Path, read: Callable[[str], None]) -> None:
    pq.write_table(pa.table({"image": [PNG] * 2, "split": ["train", "test"]}), tmp_path / "a.parquet")
    read("\n".join(open_source(ingest_params(source="parquet", path=str(tmp_path))).layout))
    taken = open_source(ingest_params(source="parquet", path=str(tmp_path), options={"split": "split"}))
    assert (taken.layout, [image.split for image in taken.images]) == ([], ["train", "test"])


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


@pytest.mark.tried("`ingest.path: ~/in`", "begins with '~', which DVC, that watches it, does not know: write '.../in'")
def test_a_home_in_a_path_is_the_user_s_and_dvc_s_own_path_is_said_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    params = folder(tmp_path / "in", {"a.png": PNG, "b.png": PNG})
    (tmp_path / "l.csv").write_text("key,class\na,x\nb,y\n")
    assert open_source(ingest_params(**params, labels="~/l.csv")).classes == ["x", "y"]
    write_params(tmp_path, {"ingest.source": "folder", "ingest.path": "~/in"})
    with refused("params-invalid") as refusal:
        load_params(tmp_path / "params.yaml")
    read(str(refusal.value))


@pytest.mark.tried(
    "a class that is in `Dev` and not in `TRAIN`",
    ".../Dev/b has no counterpart in the train folder: both need the same classes",
)
def test_a_set_with_a_class_of_its_own_held_out_is_refused(tmp_path: Path, read: Callable[[str], None]) -> None:
    with refused("split-classes-differ") as refusal:
        opened(tmp_path, ["TRAIN/a/0.png", "Dev/a/0.png", "Dev/b/0.png"])
    read(str(refusal.value))
