"""Bad data: one clear sentence, exit code 2, earlier outputs untouched."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.common.errors import UserError
from stages.sources import open_source
from tests.refusals import refused
from tests.stages.hostile_inputs import IMAGES, LABELS, near_idx, start
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


def test_a_header_that_promises_four_thousand_million_images_takes_no_memory(tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", noise(6, 8, 8), np.array([0, 1, 2, 0, 1, 2]))
    start(IMAGES, 2051, 2**32 - 1)(tmp_path / "idx")
    start(LABELS, 2049, 2**32 - 1)(tmp_path / "idx")
    changes = {"ingest.source": "idx", "ingest.path": "idx"}
    run = run_stage_in(tmp_path, "ingest", changes, limit="ulimit -v 3000000;")  # KiB, most of it shared libraries
    assert run.returncode == 2
    assert "train-labels-idx1-ubyte is truncated" in run.stderr


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_bytes_are_images_or_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    """Headers near the truth, bytes of any kind, packed or not, cut anywhere."""
    for name, magic, dimensions in ((IMAGES, 2051, 3), (LABELS, 2049, 1)):
        content = data.draw(near_idx(magic, dimensions))
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
    with refused("idx-file-unknown", "ingest.options.urls: 'pictures.zip' is not one of the file names"):
        open_source(ingest_params(source="idx", path="x", options={"urls": [url]}))


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
    with refused("images-too-few", "only 0 images could be used (broken: 'a.jpg'"):
        normalized(tmp_path, max_broken=1.0)


def test_images_that_are_all_the_same_leave_no_holdout_and_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in "abc":
        (tmp_path / f"tree/{name}.png").write_bytes(encoded(Image.new("L", (8, 8))))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    with refused("split-empty"):
        normalized(tmp_path)


def test_raw_shards_by_another_hand_are_refused_by_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with refused("output-missing"):
        normalized(tmp_path)
    (tmp_path / "raw/part-00000.parquet").write_bytes(b"not parquet at all")
    with refused("output-damaged"):
        normalized(tmp_path)
    pq.write_table(pa.table({"image": [b"x"], "label": [0]}), tmp_path / "raw/part-00000.parquet")
    with refused("output-of-earlier-version", "lacks key, sha256, split, source, max_pixels"):
        normalized(tmp_path)


def test_a_label_outside_the_classes_is_refused_by_key(tmp_path: Path) -> None:
    table = ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})))
    wrong = table.set_column(1, "label", pa.array([0, 0, 7, 1, 1], pa.int64()))
    pq.write_table(wrong, tmp_path / "raw/part-00000.parquet")
    with refused("label-out-of-range", "image 'cat/002.png' has the label 7, but there are 2 classes"):
        normalized(tmp_path)


def test_the_stage_says_it_in_one_line_and_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    run = run_stage_in(tmp_path, "ingest", {"ingest.source": "folder", "ingest.path": "tree"})
    assert run.returncode == 2
    assert run.stderr.splitlines() == [run.stderr.strip()]
    assert run.stderr.startswith("error: tree holds no images")
    assert not (tmp_path / "data/raw").exists()
    assert not (tmp_path / "provenance").exists()


def test_mislabeled_and_truncated_files_stop_normalize_by_name_with_exit_code_2(tmp_path: Path) -> None:
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
    assert "2 of 10 images are broken and were left out" in run.stdout
    manifest = json.loads((tmp_path / "data/normalized/manifest.json").read_text())
    assert [image["key"] for image in manifest["broken"]] == ["cat/page.jpg", "dog/half.jpg"]
