"""What is hostile or broken at ingest.path: one clear sentence, an exit code, nothing written outside."""

import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stages import ingest, normalize
from stages.common.errors import run_stage
from stages.sources import reader
from tests.stages.hostile_inputs import (
    IMAGES,
    LABELS,
    PNG,
    Case,
    Runs,
    a_million_names,
    add,
    array,
    cifar,
    cut,
    cut_file,
    cut_gzip,
    damaged_gzip,
    damaged_member,
    damaged_tar_header,
    encrypted_zip,
    exif,
    gzip_bomb,
    hard_link,
    header_bomb,
    huge,
    idx,
    just,
    labels,
    linked,
    lock,
    lone_test_images,
    not_text,
    not_utf8,
    npz,
    objects,
    overlapping_zip,
    packed,
    start,
    table,
    text,
    tree,
    two_archives,
    without,
    write_tar,
)
from tests.stages.source_files import noise
from tests.stages.test_decode import png_saying
from tests.stages.tiny_data import write_params

SMALL = {"ingest.max_pixels": 10**6}
CSV, JSON = {"ingest.labels": "l.csv"}, {"ingest.labels": "l.json"}
PAIRS = {"ingest.pairs": {"by": "name", "folders": ["a", "b"]}}
CASES: dict[str, Case] = {
    # Trees
    "nothing there": Case("folder", lambda _: None, "input is not a folder that exists: set ingest.path"),
    "a file, not a folder": Case("folder", just(b"x"), "input is a file, no folder: set ingest.path to a folder"),
    "an empty folder": Case("folder", lambda root: root.mkdir(), "input holds no images"),
    "only text": Case("folder", text("README.md", "no images here"), "input holds no images"),
    "one image": Case("folder", text("a.png", PNG), "input holds 1 image(s): training and measuring need two"),
    "images beside folders": Case(
        "folder", tree(text("a.png", PNG)), "holds both images ('a.png') and folders ('cat')"
    ),
    "a class without images": Case(
        "folder", tree(classes={"cat": 2, "dog": 0}), "input/dog holds no images (known by .bmp"
    ),
    "splits of which none is to train on": Case(
        "folder", tree(classes={"val/a": 1, "test/a": 1}), "input holds test and val, which are held out, and nothing"
    ),
    "images beside splits": Case(
        "folder",
        tree(text("a.png", PNG), {"train/a": 2, "test/a": 1}),
        "input holds both images ('a.png') and the folders of splits (test, train)",
    ),
    "a disk's own folder": Case(
        "folder",
        lock(tree(classes={"cat": 2, "dog": 2, "lost+found": 0}), "lost+found"),
        "such as input/lost+found",
        0,
        locked=True,
    ),
    "a zip in source folder": Case("folder", packed("zip"), "input is a file, no folder: source 'archive' reads what"),
    "a folder of a zip in source folder": Case(
        "folder", text("a.zip", "x"), "source 'archive' reads what is there: set ingest.source to archive"
    ),
    "a folder of images in source archive": Case(
        "archive", tree(), "input holds 0 archives (none): source 'folder' reads what is there: set ingest.source to"
    ),
    "a folder of images in source parquet": Case("parquet", tree(), "and no folder with some: source 'folder' reads"),
    "a Parquet file in source archive": Case("archive", table(image=[PNG]), "of images: source 'parquet' reads what"),
    "a broken dataset.json": Case(
        "folder", tree(text("dataset.json", '{"labels": [["cat/000.png", 1]')), "input/dataset.json cannot be read as"
    ),
    "a dataset.json of no object": Case("folder", tree(text("dataset.json", "[1]")), "(Expecting '{' delimiter"),
    "a dataset.json of no pairs": Case(
        "folder", tree(text("dataset.json", '{"labels": ["a.png"]}')), "'a.png' is no pair of a file and its label"
    ),
    "a dataset.json of attributes": Case(
        "folder",
        tree(text("dataset.json", '{"labels": [["cat/000.png", [0, 1, 1]]]}')),
        "'cat/000.png' has the label [0, 1, 1]: several values for one image are attributes, which come later",
    ),
    "a dataset.json without an image's label": Case(
        "folder",
        tree(text("dataset.json", '{"labels": [["cat/000.png", 1]]}')),
        "input/dataset.json has no label for the image 'cat/001.png'",
    ),
    "a short line in metadata.csv": Case(
        "folder", tree(text("metadata.csv", "file_name,label\ncat/000.png\n")), "metadata.csv, line 2: it has fewer"
    ),
    "no object in metadata.jsonl": Case(
        "folder", tree(text("metadata.jsonl", "1\n")), "line 1: a JSON object is needed"
    ),
    "metadata.csv not in UTF-8": Case(
        "folder", tree(text("metadata.csv", b"file_name,label\n\xe9.png,a\n")), "metadata.csv cannot be read as labels"
    ),
    "a class in test only": Case(
        "folder", tree(classes={"train/a": 2, "test/b": 1}), "input/test/b has no counterpart in"
    ),
    "labels in train only": Case("folder", tree(classes={"train/a": 2, "test": 1}), "input/test has no counterpart in"),
    "a loop to its own folder": Case("folder", tree(linked("cat/again", ".")), "input/cat/again leads back to"),
    "a loop to the top": Case("folder", tree(linked("cat/top", "..")), "input/cat/top leads back to"),
    "a link above the top": Case("folder", tree(linked("dog/all", "/")), "input/dog/all leads back to / (a loop of"),
    "two links to one folder": Case("folder", tree(linked("kitty", "cat")), "input/kitty leads back to"),
    "a link to itself": Case("folder", tree(linked("cat/me.png", "me.png")), "Too many levels of symbolic links"),
    "a link to nothing": Case("folder", tree(linked("cat/gone.png", "/no/such")), "input/cat/gone.png is a link to"),
    "a pipe": Case("folder", tree(lambda root: os.mkfifo(root / "cat/p.png")), "left out 1 files that are not", 0),
    "a device": Case("folder", tree(linked("cat/zero.png", "/dev/zero")), "left out 1 files that are not images", 0),
    "an image that may not be read": Case(
        "folder", lock(tree(), "cat/000.png"), "cat/000.png cannot be read (Permission denied)", locked=True
    ),
    "a folder that may not be read": Case(
        "folder", lock(tree(), "dog"), "input/dog cannot be read (Permission denied)", locked=True
    ),
    "an archive that may not be read": Case("archive", lock(packed("tar"), ""), "input cannot be read", locked=True),
    "arrays that may not be read": Case("arrays", lock(array(noise(3, 8, 8)), ""), "Permission denied", locked=True),
    "Parquet that may not be read": Case("parquet", lock(table(image=[PNG] * 2), ""), "Permission denied", locked=True),
    "CIFAR that may not be read": Case("cifar", lock(cifar(), "data_batch_1.bin"), "Permission denied", locked=True),
    "IDX that may not be read": Case("idx", lock(idx(lambda _: None), IMAGES), "Permission denied", locked=True),
    "an image bomb": Case(
        "folder",
        tree(text("dog/bomb.png", png_saying(60000, 60000))),
        "dog/bomb.png says it has 60000 x 60000 pixels, more than 1000000 (ingest.max_pixels): remove it",
    ),
    "a huge file": Case("folder", tree(huge), "dog/huge.png is larger than an image of ingest.max_pixels (1000000)"),
    "a name not in UTF-8": Case("folder", tree(not_utf8), "has a name with control characters, or not in UTF-8"),
    "a name with a newline": Case("folder", tree(text("cat/a\nb.png", PNG)), "'cat/a\\nb.png' has a name with control"),
    "a name that turns a terminal red": Case("folder", tree(text("cat/\x1b[31m.png", PNG)), "has a name with control"),
    "names in many scripts": Case(
        "folder", tree(text("猫/Ψάρι 🐟.png", PNG), {"кот": 2, "قط": 1}), "3 classes: кот 2, قط 1, 猫 1", 0
    ),
    "thousands of tiny files": Case("folder", a_million_names, "ingested 3000 images", 0),
    "an image that is also a zip": Case(
        "folder", tree(text("cat/p.png", PNG + b"PK\x03\x04rm -rf")), "ingested 5 images", 0
    ),
    "EXIF with a secret, to be stripped": Case(
        "folder", tree(text("cat/s.jpg", exif("52.1 N"))), "ingested 5 images", 0, {"ingest.strip_metadata": True}
    ),
    "a file of 0 bytes": Case(
        "folder",
        tree(text("cat/0.png", b"")),
        "'cat/0.png' (its content is no image of a known format)",
        stage="normalize",
    ),
    "HTML saved as JPG": Case(
        "folder", tree(text("cat/h.jpg", "<!doctype html>")), "'cat/h.jpg' (its content is no image", stage="normalize"
    ),
    "a program named as an image": Case(
        "folder", tree(text("cat/x.gif", b"\x7fELF" + bytes(99))), "'cat/x.gif' (its content is no", stage="normalize"
    ),
    # Archives
    "no archive there": Case("archive", lambda _: None, "input is not a file that exists: set ingest.path to a tar"),
    "two archives": Case("archive", two_archives, "input holds 2 archives (a.zip, b.tar): set ingest.path to the one"),
    "text as an archive": Case("archive", just("hello"), "is damaged, or no tar and no"),
    "an empty file as an archive": Case("archive", just(""), "input is damaged, or no tar and no zip"),
    "a 7z archive": Case("archive", just(b"7z\xbc\xaf\x27\x1c"), "or no tar and no zip"),
    "a tar without images": Case("archive", lambda root: write_tar(root, {}), "input holds no images (known by .bmp"),
    "a tar with a link": Case("archive", packed("tar", **{"cat/l.png": b"-> /etc/passwd"}), "'cat/l.png' is a link"),
    "a tar with a hard link": Case("archive", hard_link, "input: 'cat/b.png' is a link: pack it again"),
    "a tar with '..'": Case(
        "archive", packed("tar", **{"cat/../../x.png": PNG}), "'cat/../../x.png' is a name that leads"
    ),
    "a tar with an absolute name": Case(
        "archive", packed("tar", **{"/tmp/x.png": PNG}), "'/tmp/x.png' is a name that leads"
    ),
    "a tar with a pipe": Case("archive", packed("tar", **{"cat/p.png": b"pipe"}), "left out 1 files", 0),
    "a tar with a newline": Case(
        "archive", packed("tar", **{"cat/a\nb.png": PNG}), "has a name with control characters"
    ),
    "a tar with a name of a page": Case(
        "archive", packed("tar", **{"cat/" + 2000 * "x" + "\n.png": PNG}), "xxxxx\\n.png' has a name with control"
    ),
    "a tar cut in an image": Case("archive", cut_file(packed("tar"), 0.2), "input is "),
    "a tar cut in a header": Case("archive", cut_file(packed("tar"), 0.01), "input is damaged, or no tar"),
    "a tar with a damaged header": Case("archive", damaged_tar_header, "input is cut off or damaged 2048 bytes in"),
    "a tar.gz that is a bomb": Case(
        "archive", gzip_bomb, "input unpacks to more than 100 times its size, as a bomb does"
    ),
    "a tar whose header is a bomb": Case("archive", header_bomb, "input unpacks to more than 100 times its size"),
    "an image bomb in a tar": Case(
        "archive", packed("tar", **{"cat/b.png": png_saying(60000, 60000)}), "60000 x 60000 pixels"
    ),
    "a zip with a link": Case(
        "archive", packed("zip", **{"cat/l.png": b"-> /etc/passwd"}), "'cat/l.png' is a link: pack"
    ),
    "a zip with '..'": Case("archive", packed("zip", **{"../x.png": PNG}), "'../x.png' is a name that leads outside"),
    "a zip with '..' of Windows": Case(
        "archive", packed("zip", **{"..\\x.png": PNG}), "'../x.png' is a name that leads"
    ),
    "a zip with a drive": Case(
        "archive", packed("zip", **{"C:\\x.png": PNG}), "'C:/x.png' is a name that leads outside"
    ),
    "a zip whose entries overlap": Case("archive", overlapping_zip, "input unpacks to more than 100 times its size"),
    "a zip with a password": Case("archive", encrypted_zip, "input: 'a.png' is encrypted: pack it again without"),
    "a zip cut in half": Case("archive", cut_file(packed("zip"), 0.5), "input is damaged, or no tar and no zip"),
    "a zip with a damaged image": Case("archive", damaged_member, "input is damaged, or no tar and no zip"),
    "one name twice": Case(
        "archive", packed("tar", **{"./cat/0.png": PNG}), "two images have the key 'cat/0.png': rename one"
    ),
    # IDX
    "no IDX images": Case("idx", idx(without(IMAGES)), f"holds no {IMAGES} (or {IMAGES}.gz)"),
    "no IDX labels": Case("idx", idx(without(LABELS)), f"holds no {LABELS} (or {LABELS}.gz)"),
    "IDX test images without labels": Case("idx", idx(lone_test_images), "holds no t10k-labels-idx1-ubyte"),
    "a wrong magic number": Case(
        "idx", idx(start(IMAGES, 2052)), f"{IMAGES} has the magic number 2052, IDX images have"
    ),
    "labels for images": Case("idx", idx(start(IMAGES, 2049)), f"{IMAGES} has the magic number 2049"),
    "images for labels": Case(
        "idx", idx(start(LABELS, 2051)), f"{LABELS} has the magic number 2051, IDX labels have 2049"
    ),
    "an empty IDX file": Case("idx", idx(cut(IMAGES, 0)), f"{IMAGES} is truncated"),
    "half an IDX header": Case("idx", idx(cut(IMAGES, 10)), f"{IMAGES} is truncated"),
    "half the IDX images": Case("idx", idx(cut(IMAGES, 16 + 3 * 64 + 5)), f"{IMAGES} is truncated"),
    "a label too few": Case("idx", idx(cut(LABELS, 8 + 5)), f"{LABELS} is truncated"),
    "a byte too many": Case("idx", idx(add(IMAGES, b"x")), f"{IMAGES} is too long"),
    "a label too many": Case("idx", idx(add(LABELS, b"\x01")), f"{LABELS} is too long"),
    "other counts": Case("idx", idx(start(LABELS, 2049, 5)), f"{IMAGES} says 6 images but"),
    "no images in an IDX file": Case("idx", idx(start(IMAGES, 2051, 0)), "its header says 0 images of 8 x 8"),
    "IDX images of no width": Case("idx", idx(start(IMAGES, 2051, 6, 8, 0)), "its header says 6 images of 8 x 0"),
    "huge IDX images": Case(
        "idx", idx(start(IMAGES, 2051, 6, 2**32 - 1, 2**32 - 1)), "over ingest.max_pixels (1000000)"
    ),
    "a cut gzip": Case("idx", idx(cut_gzip), f"{IMAGES} is damaged (Compressed file ended"),
    "a damaged gzip": Case("idx", idx(damaged_gzip), f"{IMAGES} is damaged (CRC check failed"),
    "more labels than names": Case(
        "idx", idx(text("classes.txt", "cat\ndog\n")), "has the label 2, but there are names for 2"
    ),
    "a class name twice": Case("idx", idx(text("classes.txt", "cat\ndog\ncat\n")), "classes.txt names a class twice"),
    "names in no encoding": Case(
        "idx", idx(text("classes.txt", b"\xff\xfe\xff")), "classes.txt cannot be read as text"
    ),
    # CIFAR
    "CIFAR's pickles": Case("cifar", text("data_batch_1", pickle.dumps(Runs())), "reading one can run any code"),
    "no CIFAR files": Case("cifar", text("notes.txt", "x"), "holds no data_batch_1.bin (CIFAR-10) and no train.bin"),
    "a CIFAR record cut off": Case("cifar", cifar(extra=b"x" * 99), "has 12391 bytes, not whole records of 3073"),
    "a CIFAR file of 0 bytes": Case("cifar", cifar(records=0), "has 0 bytes, not whole records of 3073"),
    "a CIFAR label without a name": Case("cifar", cifar(label=10), "has the label 10, but there are 10 classes only"),
    # Parquet
    "text as Parquet": Case("parquet", just("hello"), "input cannot be read as Parquet"),
    "no Parquet there": Case("parquet", lambda root: root.mkdir(), "is no Parquet file, and no folder with some: set"),
    "a cut Parquet file": Case("parquet", cut_file(table(image=[PNG] * 9), 0.7), "input cannot be read as Parquet"),
    "no column of images": Case(
        "parquet", table(img=[PNG]), "has no column 'image' but img: name it in ingest.options"
    ),
    "numbers for images": Case("parquet", table(image=[1, 2]), "column 'image' is int64, not encoded images"),
    "paths for images": Case(
        "parquet",
        table(image=[{"bytes": None, "path": "/etc/passwd"}] * 2 + [{"bytes": b"x", "path": ""}]),
        "but the path",
    ),
    "an image bomb in Parquet": Case(
        "parquet", table(image=[png_saying(60000, 60000)]), "row 0 says it has 60000 x 60000"
    ),
    "a label of no class": Case(
        "parquet", table(image=[PNG] * 2, label=["a", None]), "1 of 2 images have no label (null, empty or -1), such as"
    ),
    "text in Parquet that is no UTF-8": Case(
        "parquet", table(image=[PNG] * 2, label=not_text(b"a", b"\xb5")), "input cannot be read as"
    ),
    "paths in Parquet that are no UTF-8": Case(
        "parquet",
        table(image=pa.StructArray.from_arrays([[PNG] * 2, not_text(b"a", b"\xb5")], ["bytes", "path"])),
        "input cannot be read as Parquet ('utf-8'",
    ),
    # Arrays
    "pickled objects": Case(
        "arrays", objects, "holds Python objects, as pickles, of which reading one can run any code"
    ),
    "a pickle as npy": Case("arrays", just(pickle.dumps(Runs())), "a pickle is never read"),
    "vectors": Case("arrays", array(np.zeros((4, 9), np.uint8)), "has the shape (4, 9): images are [N,H,W]"),
    "big integers": Case("arrays", array(np.zeros((4, 9, 9), np.int64)), "holds int64: images are uint8, uint16"),
    "NaN": Case("arrays", array(np.full((2, 4, 4), np.nan, np.float32)), "image 0 has values outside 0 to 1"),
    "Fortran's order": Case("arrays", array(np.asfortranarray(np.ones((2, 4, 5), np.uint8))), "is in Fortran's order"),
    "names of arrays with newlines": Case(
        "arrays", npz(**{"images\n": noise(2, 4, 4), "labels": np.arange(2)}), "has a name with control characters"
    ),
    "a hundred arrays": Case(
        "arrays", npz(**{f"a{n}": noise(1, 2, 2) for n in range(100)}), "a19, ...: name those to read"
    ),
    "a cut array": Case(
        "arrays", cut_file(array(noise(9, 8, 8)), 0.7), "is cut off: it holds fewer bytes than its header"
    ),
    "huge arrays": Case("arrays", array(np.zeros((1, 4000, 4000), np.uint8)), "over ingest.max_pixels (1000000)"),
    # Labels
    "an image without a label": Case(
        "folder",
        labels("l.csv", "id,class\ncat/000.png,a\n"),
        "l.csv has no label for the image 'cat/001.png'",
        params=CSV,
    ),
    "a label twice": Case(
        "folder", labels("l.csv", "id,class\na,b\na,c\n"), "l.csv names a key twice ('a')", params=CSV
    ),
    "no labels file": Case("folder", tree(), "ingest.labels = 'l.csv' is no file, neither in input nor", params=CSV),
    "broken JSON": Case(
        "folder", labels("l.json", '{"a": '), "l.json cannot be read as labels (Expecting", params=JSON
    ),
    "JSON too deep": Case("folder", labels("l.json", "[" * 99999), "l.json cannot be read as labels", params=JSON),
    "labels that are lists": Case(
        "folder", labels("l.json", '{"a": [1]}'), "has the class [1], which is no name", params=JSON
    ),
    # Pairs
    "an image without its partner": Case(
        "folder",
        tree(classes={"a": 3, "b": 2}),
        "input/a/002.png has no partner input/b/002.png",
        params=PAIRS,
    ),
    "pairs in a tar": Case(
        "archive", packed("tar", **{"a/0.png": PNG}), "is a tar, which is read in one go", params=PAIRS
    ),
    "pairs in digits": Case("digits", tree(), "ingest.pairs is for source 'folder'", params=PAIRS),
}


@contextmanager
def _as_nobody(work: Path) -> Iterator[None]:
    """Root may read everything, so a test that root runs goes on as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    above = [path for path in [work, *work.parents] if path.is_relative_to(tempfile.gettempdir())]
    modes = {path: path.stat().st_mode for path in above}
    for path, mode in modes.items():
        path.chmod(mode | (0o777 if path == work else 0o111))
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


def _everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _run(main: Callable[[], None], work: Path, case: Case) -> int:
    try:
        with _as_nobody(work) if case.locked else nullcontext():
            run_stage(main)
    except SystemExit as stop:
        return int(str(stop.code))
    return 0


@pytest.mark.parametrize("name", CASES)
def test_hostile_input_is_one_sentence_and_an_exit_code_and_nothing_is_written_outside(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case, work = CASES[name], tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    case.make(Path("input"))
    write_params(work, SMALL | {"ingest.source": case.source, "ingest.path": "input"} | case.params)
    reader(case.source)  # somebody else may not read where Python is installed
    before = _everything(tmp_path)
    code = _run(ingest.main, work, case)
    if case.stage == "normalize":
        assert code == 0
        capsys.readouterr()
        code = _run(normalize.main, work, case)
    printed = capsys.readouterr()
    said = printed.err.splitlines()[-1] if case.code else printed.out
    assert (code, case.told in said) == (case.code, True), said
    assert said.startswith("error: ") == bool(case.code)
    assert "Traceback" not in printed.err
    made = {path.split("/")[1] for path in _everything(tmp_path) - before}
    assert made <= {"data", "provenance", ".resume"}
    assert (work / "data/raw").exists() == (case.code == 0 or case.stage == "normalize")
