"""Hostile or broken trees of images, tables of labels and pairs: what is at ingest.path, and what one reads then."""

import os

from tests.stages.hostile_inputs import (
    PNG,
    Case,
    a_million_names,
    exif,
    huge,
    just,
    labels,
    linked,
    lock,
    not_utf8,
    packed,
    table,
    text,
    tree,
)
from tests.stages.test_decode import png_saying

CSV, JSON = {"ingest.labels": "l.csv"}, {"ingest.labels": "l.json"}
PAIRS = {"ingest.pairs": {"by": "name", "folders": ["a", "b"]}}
TREES: dict[str, Case] = {
    "nothing there": Case("folder", lambda _: None, "input is not a folder that exists: set ingest.path"),
    "a file, not a folder": Case("folder", just(b"x"), "input is a file, no folder: set ingest.path to a folder"),
    "an empty folder": Case("folder", lambda root: root.mkdir(), "input holds no images"),
    "only text": Case("folder", text("README.md", "no images here"), "input holds no images"),
    "one image": Case("folder", text("a.png", PNG), "input holds 1 image: training and measuring need two"),
    "images beside folders": Case(
        "folder", tree(text("a.png", PNG)), "holds both images ('a.png') and folders ('cat')"
    ),
    "a class without images": Case(
        "folder", tree(classes={"cat": 2, "dog": 0}), "input/dog holds no images (known by .apng"
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
        "'cat/000.png' has the label [0, 1, 1]: several values for one image are attributes: give each",
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
    "labels in train only": Case(
        "folder",
        tree(classes={"train/a": 2, "test": 1}),
        "1 of 3 images have no label (null, NaN, N/A, empty or -1, 1 of 1 in",
    ),
    "labels in test only": Case(
        "folder", tree(classes={"train": 2, "test/a": 1}), "input/test/a has no counterpart in"
    ),
    "a loop to its own folder": Case("folder", tree(linked("cat/again", ".")), "input/cat/again leads back to"),
    "a loop to the top": Case("folder", tree(linked("cat/top", "..")), "input/cat/top leads back to"),
    "a link above the top": Case("folder", tree(linked("dog/all", "/")), "input/dog/all leads back to / (a loop of"),
    "two links to one folder": Case("folder", tree(linked("kitty", "cat")), "input/kitty leads back to"),
    "a link to itself": Case("folder", tree(linked("cat/me.png", "me.png")), "Too many levels of symbolic links"),
    "a link to nothing": Case("folder", tree(linked("cat/gone.png", "/no/such")), "input/cat/gone.png is a link to"),
    "a pipe": Case("folder", tree(lambda root: os.mkfifo(root / "cat/p.png")), "skipped 1 file without an image", 0),
    "a device": Case("folder", tree(linked("cat/zero.png", "/dev/zero")), "skipped 1 file without an image in it", 0),
    "an image that may not be read": Case(
        "folder", lock(tree(), "cat/000.png"), "cat/000.png cannot be read (Permission denied)", locked=True
    ),
    "a folder that may not be read": Case(
        "folder", lock(tree(), "dog"), "input/dog cannot be read (Permission denied)", locked=True
    ),
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
    "no labels file": Case("folder", tree(), "ingest.labels = 'l.csv' is not in input, nor in this folder", params=CSV),
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
