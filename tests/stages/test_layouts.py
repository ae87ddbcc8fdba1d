"""What is taken for a split or a class, in folders, archives and Parquet alike, and what is said of it."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages import ingest
from stages.common.params import load_params
from stages.sources import open_source
from tests.refusals import refused
from tests.stages.layouts import PNG, Packer, folder, found, opened, packed_in
from tests.stages.source_files import ingest_params
from tests.stages.tiny_data import write_params


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


PHONE = ["cat/a.HEIC", "cat/b.heic", "cat/c.psd"]


@pytest.mark.tried(
    "a folder of an iPhone's pictures", "... .webp), but 2 .heic and 1 .psd: convert them to JPEG or PNG"
)
@pytest.mark.tried(
    "an iPhone's pictures beside others, and a table",
    "skipped 4 files whose extension is not that of an image, such as ...a.HEIC (2 .heic and 1 .psd: convert them to "
    "JPEG or PNG)",
)
def test_pictures_of_a_kind_that_is_not_read_are_named_with_their_number(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    with refused("source-without-images") as refusal:
        opened(tmp_path / "alone", PHONE)
    read(str(refusal.value))
    with refused("source-without-images", "in/cat holds no images (known by", "but 2 .heic and 1 .psd: convert"):
        opened(tmp_path / "a class", [*PHONE, "dog/a.png"])
    (note,) = opened(tmp_path / "beside", [*PHONE, "cat/d.png", "cat/e.csv"]).notes
    read(note)
    (note,) = opened(tmp_path / "none of these", ["cat/d.png", "cat/e.csv"]).notes
    assert note.endswith("such as " + str(tmp_path / "none of these/in/cat/e.csv"))
