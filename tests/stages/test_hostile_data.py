"""Bad data: one clear sentence, exit code 2, earlier outputs untouched."""

import gzip
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.common.errors import UserError
from stages.sources import open_source
from tests.stages.source_files import (
    encoded,
    ingest_params,
    ingested,
    noise,
    normalized,
    run_stage_in,
    write_idx,
    write_tree,
)
from tests.stages.test_decode import png_saying

Make = Callable[[Path], None]
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def nothing(_: Path) -> None:
    pass


def a_file(root: Path) -> None:
    root.write_bytes(b"x")


def empty(root: Path) -> None:
    root.mkdir()


def only_text(root: Path) -> None:
    root.mkdir()
    (root / "README.md").write_text("no images here")


def one_image(root: Path) -> None:
    write_tree(root, {"": 1})


def images_beside_folders(root: Path) -> None:
    write_tree(root, {"": 2, "cat": 2})


def a_class_without_images(root: Path) -> None:
    write_tree(root, {"cat": 2, "dog": 0})


def three_splits(root: Path) -> None:
    write_tree(root, {"train/a": 2, "val/a": 1, "test/a": 1})


def a_class_in_test_only(root: Path) -> None:
    write_tree(root, {"train/a": 2, "test/b": 1})


def labels_in_train_only(root: Path) -> None:
    write_tree(root, {"train/a": 2, "test": 1})


def a_loop_to_its_own_folder(root: Path) -> None:
    write_tree(root, {"cat": 2, "dog": 2})
    (root / "cat/again").symlink_to(root / "cat")


def a_loop_to_the_top(root: Path) -> None:
    write_tree(root, {"cat/young": 2, "dog": 2})
    (root / "cat/young/top").symlink_to("../..")


def a_link_above_the_top(root: Path) -> None:
    write_tree(root, {"cat": 2, "dog": 2})
    (root / "dog/all").symlink_to("/")


def two_links_to_one_folder(root: Path) -> None:
    write_tree(root, {"cat": 2})
    (root / "kitty").symlink_to("cat")


def a_link_to_itself(root: Path) -> None:
    write_tree(root, {"cat": 2, "dog": 2})
    (root / "cat/me.png").symlink_to("me.png")


def a_link_to_nothing(root: Path) -> None:
    write_tree(root, {"cat": 2, "dog": 2})
    (root / "cat/gone.png").symlink_to("/no/such/picture.png")


def a_bomb(root: Path) -> None:
    write_tree(root, {"cat": 2, "dog": 2})
    (root / "dog/bomb.png").write_bytes(png_saying(60000, 60000))


def a_huge_file(root: Path) -> None:
    write_tree(root, {"cat": 2, "dog": 2})
    with open(root / "dog/huge.png", "wb") as file:
        file.truncate(2**40)  # sparse: it takes no room on the disk


def a_name_not_in_utf8(root: Path) -> None:
    write_tree(root, {"cat": 2})
    os.rename(os.fsencode(root / "cat/000.png"), os.fsencode(root) + b"/cat/caf\xe9.png")


TREES: dict[Make, str] = {
    nothing: "tree is not a folder that exists: set ingest.path",
    a_file: "tree is not a folder that exists",
    empty: "tree holds no images",
    only_text: "tree holds no images",
    one_image: "holds 1 image(s)",
    images_beside_folders: "tree holds both images ('000.png') and folders ('cat')",
    a_class_without_images: "tree/dog holds no images",
    three_splits: "tree holds test, train, val, which are splits, not classes",
    a_class_in_test_only: "tree/test/b has no counterpart in the train folder",
    labels_in_train_only: "tree/test has no counterpart in the train folder",
    a_loop_to_its_own_folder: "tree/cat/again leads back to",
    a_loop_to_the_top: "tree/cat/young/top leads back to",
    a_link_above_the_top: "tree/dog/all leads back to / (a loop of links",
    two_links_to_one_folder: "tree/kitty leads back to",
    a_link_to_itself: "tree/cat/me.png cannot be read (Too many levels of symbolic links)",
    a_link_to_nothing: "tree/cat/gone.png is a link to nothing",
    a_bomb: "tree/dog/bomb.png says it has 60000 x 60000 pixels, more than 1000000",
    a_huge_file: "tree/dog/huge.png is larger than an image of ingest.max_pixels (1000000) can be",
    a_name_not_in_utf8: "caf\\udce9.png' has a name with control characters, or not in UTF-8",
}


def refused(folder: Path, source: str, path: Path) -> str:
    """The sentence by which an ingest is refused, with earlier shards untouched."""
    raw = folder / "raw"
    if not raw.exists():
        ingested(raw, path=str(write_tree(folder / "earlier", {"": 2})))
    before = {file.name: file.read_bytes() for file in raw.iterdir()}
    with pytest.raises(UserError) as error:
        ingested(raw, source=source, path=str(path))
    assert {file.name: file.read_bytes() for file in raw.iterdir()} == before
    assert not (folder / ".raw.partial").exists()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("make", TREES, ids=lambda make: make.__name__)
def test_a_tree_that_cannot_be_read_is_refused_by_name(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "tree")
    assert TREES[make] in refused(tmp_path, "folder", tmp_path / "tree")


def without(name: str) -> Make:
    return lambda root: (root / name).unlink()


def cut(name: str, size: int) -> Make:
    return lambda root: os.truncate(root / name, size)


def add(name: str, content: bytes) -> Make:
    def change(root: Path) -> None:
        (root / name).write_bytes((root / name).read_bytes() + content)

    return change


def start(name: str, *numbers: int) -> Make:
    """Write another header over the first bytes of a file."""

    def change(root: Path) -> None:
        header = struct.pack(f">{len(numbers)}I", *numbers)
        (root / name).write_bytes(header + (root / name).read_bytes()[len(header) :])

    return change


def cut_gzip(root: Path) -> None:
    packed = gzip.compress((root / IMAGES).read_bytes())
    (root / IMAGES).write_bytes(packed[: len(packed) // 2])


def damaged_gzip(root: Path) -> None:
    packed = bytearray(gzip.compress((root / IMAGES).read_bytes()))
    packed[-8] ^= 255  # the checksum
    (root / IMAGES).write_bytes(packed)


def lone_test_images(root: Path) -> None:
    (root / "t10k-images-idx3-ubyte").write_bytes((root / IMAGES).read_bytes())


def two_names_for_three_labels(root: Path) -> None:
    (root / "classes.txt").write_text("cat\ndog\n")


def a_name_twice(root: Path) -> None:
    (root / "classes.txt").write_text("cat\ndog\ncat\n")


def names_in_no_encoding(root: Path) -> None:
    (root / "classes.txt").write_bytes(b"\xff\xfe\xff")


IDX: dict[str, tuple[Make, str]] = {
    "no images": (without(IMAGES), f"holds no {IMAGES} (or {IMAGES}.gz)"),
    "no labels": (without(LABELS), f"holds no {LABELS} (or {LABELS}.gz)"),
    "test images without labels": (lone_test_images, "holds no t10k-labels-idx1-ubyte"),
    "wrong magic number": (start(IMAGES, 2052), f"{IMAGES} has the magic number 2052, IDX images have 2051"),
    "labels in place of images": (start(IMAGES, 2049), f"{IMAGES} has the magic number 2049"),
    "images in place of labels": (start(LABELS, 2051), f"{LABELS} has the magic number 2051, IDX labels have 2049"),
    "empty": (cut(IMAGES, 0), f"{IMAGES} is truncated"),
    "half a header": (cut(IMAGES, 10), f"{IMAGES} is truncated"),
    "half the images": (cut(IMAGES, 16 + 3 * 64 + 5), f"{IMAGES} is truncated"),
    "a label too few": (cut(LABELS, 8 + 5), f"{LABELS} is truncated"),
    "a byte too many": (add(IMAGES, b"x"), f"{IMAGES} is too long"),
    "a label too many": (add(LABELS, b"\x01"), f"{LABELS} is too long"),
    "other counts": (start(LABELS, 2049, 5), f"{IMAGES} says 6 images but"),
    "no images in it": (start(IMAGES, 2051, 0), "holds no pixels: its header says 0 images of 8 x 8"),
    "images of no width": (start(IMAGES, 2051, 6, 8, 0), "holds no pixels: its header says 6 images of 8 x 0"),
    "huge images": (start(IMAGES, 2051, 6, 2**32 - 1, 2**32 - 1), "over ingest.max_pixels (1000000)"),
    "cut gzip": (cut_gzip, f"{IMAGES} is damaged (Compressed file ended"),
    "damaged gzip": (damaged_gzip, f"{IMAGES} is damaged (CRC check failed"),
    "more labels than names": (two_names_for_three_labels, "has the label 2, but there are names for 2 classes only"),
    "a name twice": (a_name_twice, "classes.txt names a class twice"),
    "names in no encoding": (names_in_no_encoding, "classes.txt cannot be read as text"),
}


@pytest.mark.parametrize("case", IDX)
def test_idx_files_that_are_not_as_they_say_are_refused_by_name(tmp_path: Path, case: str) -> None:
    change, sentence = IDX[case]
    write_idx(tmp_path / "idx", noise(6, 8, 8), np.array([0, 1, 2, 0, 1, 2]))
    change(tmp_path / "idx")
    assert sentence in refused(tmp_path, "idx", tmp_path / "idx")


def test_a_header_that_promises_four_thousand_million_images_takes_no_memory(tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", noise(6, 8, 8), np.array([0, 1, 2, 0, 1, 2]))
    start(IMAGES, 2051, 2**32 - 1)(tmp_path / "idx")
    start(LABELS, 2049, 2**32 - 1)(tmp_path / "idx")
    changes = {"ingest.source": "idx", "ingest.path": "idx"}
    run = run_stage_in(tmp_path, "ingest", changes, limit="ulimit -v 3000000;")  # KiB, most of it shared libraries
    assert run.returncode == 2
    assert "train-labels-idx1-ubyte is truncated" in run.stderr


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_images_or_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    """Headers near the truth, bytes of any kind, packed or not, cut anywhere."""
    small = st.integers(0, 4) | st.sampled_from([2**31, 2**32 - 1])
    for name, magic, dimensions in ((IMAGES, 2051, 3), (LABELS, 2049, 1)):
        header = struct.pack(
            f">{1 + dimensions}I",
            data.draw(st.sampled_from([magic] * 8 + [0, 2050])),
            *(data.draw(small) for _ in range(dimensions)),
        )
        content = data.draw(st.just(header) | st.just(b"")) + data.draw(st.binary(max_size=70))
        content = gzip.compress(content) if data.draw(st.booleans()) else content
        (tmp_path / name).write_bytes(content[: data.draw(st.none() | st.integers(0, len(content)))])
    try:
        source = open_source(ingest_params(source="idx", path=str(tmp_path)))
        images = list(source.images)
    except UserError:
        return
    assert source.classes is not None
    assert len(images) > 0
    assert all(image.label is not None and 0 <= image.label < len(source.classes) for image in images)


def test_a_url_to_a_file_of_another_name_is_refused() -> None:
    url = {"url": "https://host/pictures.zip", "sha256": "0" * 64}
    with pytest.raises(UserError, match=r"ingest.urls: 'pictures.zip' is not one of the file names"):
        open_source(ingest_params(source="idx", path="x", urls=[url]))


def test_images_of_many_sizes_and_modes_all_become_one_shape(tmp_path: Path) -> None:
    modes = ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"]
    (tmp_path / "tree").mkdir()
    for number, mode in enumerate(modes):
        image = Image.new(mode, (5 + 7 * number, 40 - 3 * number))
        (tmp_path / f"tree/{number}.tif").write_bytes(encoded(image, "TIFF"))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    for channels in (1, 3):
        manifest = normalized(tmp_path, channels=channels, height=9, width=14, max_broken=0.0)
        assert manifest["counts"]["train"] + manifest["counts"]["holdout"] == len(modes)
        assert manifest["shape"] == [channels, 9, 14]


def test_all_images_broken_is_a_sentence_even_if_params_allow_it(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in "abc":
        (tmp_path / f"tree/{name}.jpg").write_bytes(b"<html>")
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    with pytest.raises(UserError, match=r"only 0 image\(s\) could be used \(broken: 'a.jpg'"):
        normalized(tmp_path, max_broken=1.0)


def test_images_that_are_all_the_same_leave_no_holdout_and_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in "abc":
        (tmp_path / f"tree/{name}.png").write_bytes(encoded(Image.new("L", (8, 8))))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    with pytest.raises(UserError, match="the holdout split would be empty"):
        normalized(tmp_path)


def test_raw_shards_by_another_hand_are_refused_by_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(UserError, match="holds no Parquet files"):
        normalized(tmp_path)
    (tmp_path / "raw/part-00000.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        normalized(tmp_path)
    pq.write_table(pa.table({"image": [b"x"], "label": [0]}), tmp_path / "raw/part-00000.parquet")
    with pytest.raises(UserError, match="lacks key, sha256, split, source, max_pixels"):
        normalized(tmp_path)


def test_a_label_outside_the_classes_is_refused_by_key(tmp_path: Path) -> None:
    table = ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})))
    wrong = table.set_column(1, "label", pa.array([0, 0, 7, 1, 1], pa.int64()))
    pq.write_table(wrong, tmp_path / "raw/part-00000.parquet")
    with pytest.raises(UserError, match=r"image 'cat/002.png' has the label 7, but there are 2 classes"):
        normalized(tmp_path)


@pytest.mark.parametrize("make", [a_bomb, a_loop_to_the_top, empty], ids=lambda make: make.__name__)
def test_the_stage_says_it_in_one_line_and_exits_with_2(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "tree")
    run = run_stage_in(tmp_path, "ingest", {"ingest.source": "folder", "ingest.path": "tree"})
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith("error: tree")
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "data/raw").exists()
    assert not (tmp_path / "provenance").exists()


def test_mislabelled_and_truncated_files_stop_normalize_by_name_with_exit_code_2(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"cat": 4, "dog": 4})
    (tree / "cat/page.jpg").write_bytes(b"<!doctype html>")
    jpeg = encoded(Image.fromarray(noise(1, 64, 64)[0]), "JPEG")
    (tree / "dog/half.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    changes = {"ingest.source": "folder", "ingest.path": "tree", "normalize.max_broken": 0.15}
    assert run_stage_in(tmp_path, "ingest", changes).returncode == 0
    run = run_stage_in(tmp_path, "normalize", changes)
    assert run.returncode == 2
    sentence = run.stderr.splitlines()[-1]
    assert "error: 2 of the 10 images cannot be used" in sentence
    assert "'cat/page.jpg' (its content is no image of a known format)" in sentence
    assert "'dog/half.jpg' (" in sentence
    assert "truncated" in sentence
    run = run_stage_in(tmp_path, "normalize", changes | {"normalize.max_broken": 0.5})
    assert run.returncode == 0
    assert "2 of 10 images are broken and left out" in run.stdout
    manifest = json.loads((tmp_path / "data/normalized/manifest.json").read_text())
    assert [image["key"] for image in manifest["broken"]] == ["cat/page.jpg", "dog/half.jpg"]
