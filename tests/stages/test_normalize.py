"""Normalize: splits, shards, the summary table, the manifest."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.common.levels import to_uint8
from stages.common.split import Split
from stages.images.perceptual import difference_hash
from stages.images.split import random_split, ticket
from stages.normalize import summary
from tests.refusals import refused
from tests.stages.source_files import encoded, ingested, noise, normalized, run_stage_in, write_idx, write_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Raw shards of three classes: 10, 5 and 2 pictures of 8x8."""
    root = write_tree(tmp_path / "tree", {"ant": 10, "bee": 5, "cat": 2})
    ingested(tmp_path / "raw", path=str(root))
    return tmp_path


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pixels_by_key(folder: Path) -> dict[str, Any]:
    splits = [Split(folder / "normalized" / side) for side in ("train", "holdout")]
    return {key: image for split in splits for key, image in zip(split.keys, split.images(), strict=True)}


def test_pixels_labels_and_keys_arrive_as_they_were(tree: Path) -> None:
    normalized(tree)
    for side in ("train", "holdout"):
        split = Split(tree / "normalized" / side)
        assert split.classes == ["ant", "bee", "cat"]
        assert split.labels is not None
        for key, label, image in zip(split.keys, split.labels, split.images(), strict=True):
            assert key.startswith(split.classes[label])
            source = np.asarray(Image.open(tree / "tree" / key))
            np.testing.assert_array_equal(np.rint((image[0] + 1) * 127.5), source)


def test_the_manifest_counts_what_is_there(tree: Path) -> None:
    manifest = normalized(tree)
    assert json.loads((tree / "normalized/manifest.json").read_text()) == manifest
    assert manifest["counts"] == {"train": 13, "holdout": 4, "read": 17, "broken": 0}
    for side in ("train", "holdout"):
        assert len(Split(tree / "normalized" / side)) == manifest["counts"][side]
    assert manifest["class_counts"]["holdout"] == {"ant": 2, "bee": 1, "cat": 1}
    assert manifest["class_counts"]["train"] == {"ant": 8, "bee": 4, "cat": 1}
    assert (manifest["shape"], manifest["range"]) == ([1, 8, 8], [-1, 1])
    assert manifest["split"] == {"kind": "random", "holdout": 0.2, "seed": 0}
    assert manifest["source"] == {"name": "folder", "license": "not stated", "origin": str(tree / "tree")}


def test_the_summary_table_has_a_row_an_image_with_its_true_figures(tree: Path) -> None:
    normalized(tree)
    stats = pd.read_parquet(tree / "normalized/stats.parquet").set_index("key")
    pixels = pixels_by_key(tree)
    assert sorted(stats.index) == sorted(pixels)
    for key, image in pixels.items():
        row = stats.loc[key]
        exact = image.astype(np.float64)
        assert (row["min"], row["max"]) == (exact.min(), exact.max())
        assert row["mean"] == pytest.approx(exact.mean(), abs=1e-7)  # of levels, before they are rounded
        assert row["std"] == pytest.approx(exact.std(), abs=1e-7)
        assert row["finite"]
        assert row["pixel_sha256"] == hashlib.sha256(to_uint8(image).tobytes()).hexdigest()
        assert row["difference_hash"] == difference_hash(image[None])[0]
    assert Counter(stats["split"]) == {"train": 13, "holdout": 4}
    assert (stats["channels"] == 1).all()
    assert (stats["source_mode"] == "L").all()


def test_the_summary_table_tells_what_an_image_was_before(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for number, mode in enumerate(("RGBA", "P", "1", "CMYK")):
        name = tmp_path / "tree" / f"{mode}.tif"
        name.write_bytes(encoded(Image.new(mode, (20 + number, 10)), "TIFF"))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    normalized(tmp_path, channels=3, height=12, width=9, upscale="allow")
    stats = pd.read_parquet(tmp_path / "normalized/stats.parquet").set_index("key")
    assert stats["label"].isna().all()
    rows = stats.to_dict(orient="index")
    before = ["source_mode", "source_channels", "source_height", "source_width"]
    assert [rows["RGBA.tif"][name] for name in before] == ["RGBA", 4, 10, 20]
    assert [rows["CMYK.tif"][name] for name in before] == ["CMYK", 4, 10, 23]
    assert [rows["1.tif"][name] for name in ("channels", "height", "width")] == [3, 12, 9]


def test_two_runs_give_the_same_bytes(tree: Path) -> None:
    normalized(tree)
    first = files_in(tree / "normalized")
    shutil.rmtree(tree / "normalized")
    normalized(tree)
    assert files_in(tree / "normalized") == first


def test_the_size_of_shards_changes_neither_split_nor_pixels_nor_figures_nor_fingerprint(tree: Path) -> None:
    whole = normalized(tree)
    stats = pd.read_parquet(tree / "normalized/stats.parquet").sort_values("key", ignore_index=True)
    pieces = normalized(tree, shard_images=3)
    assert len(list((tree / "normalized/train").iterdir())) == 5
    assert pieces == whole
    again = pd.read_parquet(tree / "normalized/stats.parquet").sort_values("key", ignore_index=True)
    pd.testing.assert_frame_equal(again, stats)


def test_the_fingerprint_follows_pixels_labels_classes_shape_and_split(tree: Path) -> None:
    found = {normalized(tree)["fingerprint"]}
    found.add(normalized(tree, split_seed=1)["fingerprint"])
    found.add(normalized(tree, height=9)["fingerprint"])
    (tree / "tree/cat").rename(tree / "tree/cow")
    ingested(tree / "raw", path=str(tree / "tree"))
    found.add(normalized(tree)["fingerprint"])
    Image.fromarray(noise(1, 8, 8, seed=99)[0]).save(tree / "tree/cow/000.png")
    ingested(tree / "raw", path=str(tree / "tree"))
    found.add(normalized(tree)["fingerprint"])
    assert len(found) == 5


def test_the_split_follows_the_content_and_not_names_or_order(tree: Path) -> None:
    normalized(tree)
    before = pd.read_parquet(tree / "normalized/stats.parquet")
    for path in sorted((tree / "tree/ant").iterdir()):
        path.rename(path.with_name(f"z{99 - int(path.stem)}.png"))
    ingested(tree / "raw", path=str(tree / "tree"))
    normalized(tree)
    after = pd.read_parquet(tree / "normalized/stats.parquet")
    held_out = [set(frame[frame["split"] == "holdout"]["pixel_sha256"]) for frame in (before, after)]
    assert held_out[0] == held_out[1]


@given(
    contents=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=120),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_any_random_split_is_stratified_and_keeps_copies_together(
    contents: list[tuple[int, int]], share: float, seed: int
) -> None:
    """Labels and content numbers; a content may have several labels, as mislabeled copies do."""
    labels = [label for label, _ in contents]
    tickets = np.array([ticket(seed, str(content)) for _, content in contents], np.uint64)
    held_out = random_split(tickets, np.array(labels), share)
    sides: dict[int, set[bool]] = {}
    for (_, content), side in zip(contents, held_out.tolist(), strict=True):
        sides.setdefault(content, set()).add(side)
    assert all(len(side) == 1 for side in sides.values())
    labels_of = {content: {label for label, other in contents if other == content} for _, content in contents}
    for label in set(labels):
        mine = [content for other, content in contents if other == label]
        if len(set(mine)) > 1 and all(len(labels_of[content]) == 1 for content in mine):
            assert {next(iter(sides[content])) for content in mine} == {True, False}
            if len(set(mine)) == len(mine):  # no copies: the share is met as nearly as whole images allow
                held = sum(side for (other, _), side in zip(contents, held_out.tolist(), strict=True) if other == label)
                assert held == min(max(round(len(mine) * share), 1), len(mine) - 1)


def plain_split(tickets: list[int], labels: list[int], share: float) -> list[bool]:
    """`random_split`, an image at a time, as its docstring says it."""
    sides: dict[int, bool] = {}
    for label in sorted(set(labels)):
        copies = Counter(ticket for ticket, other in zip(tickets, labels, strict=True) if other == label)
        room = min(max(round(copies.total() * share), 1), copies.total() - 1)
        room -= sum(count for ticket, count in copies.items() if sides.get(ticket))
        held = any(sides.get(ticket) for ticket in copies)
        undecided = sorted(ticket for ticket in copies if ticket not in sides)
        for ticket_ in undecided:
            sides[ticket_] = copies[ticket_] <= room
            room -= copies[ticket_] * sides[ticket_]
            held = held or sides[ticket_]
        if not held and len(copies) > 1 and undecided:
            sides[min(undecided, key=lambda ticket: copies[ticket])] = True
    return [sides[ticket] for ticket in tickets]


@given(
    images=st.lists(st.tuples(st.integers(0, 30), st.integers(-1, 3)), min_size=1, max_size=80),
    share=st.floats(0.01, 0.99),
)
def test_the_split_in_arrays_is_the_split_image_by_image(images: list[tuple[int, int]], share: float) -> None:
    tickets, labels = [ticket for ticket, _ in images], [label for _, label in images]
    held_out = random_split(np.array(tickets, np.uint64), np.array(labels), share)
    assert held_out.tolist() == plain_split(tickets, labels, share)


def test_a_random_split_is_near_its_share_and_another_with_another_seed() -> None:
    splits = []
    for seed in (0, 1):
        tickets = np.array([ticket(seed, str(number)) for number in range(2000)], np.uint64)
        splits.append(random_split(tickets, np.zeros(2000, np.int32), 0.3))
        assert splits[-1].sum() == 600
    assert 120 < (splits[0] & splits[1]).sum() < 240  # chance gives 180


def test_the_official_test_set_is_the_holdout_unless_random_is_asked(tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", noise(8, 8, 8), np.array([0, 1] * 4))
    write_idx(tmp_path / "idx", noise(2, 8, 8, seed=1), np.array([0, 1]), "t10k")
    ingested(tmp_path / "raw", source="idx", path=str(tmp_path / "idx"))
    manifest = normalized(tmp_path)
    assert manifest["split"]["kind"] == "source"
    assert Split(tmp_path / "normalized/holdout").keys == ["test-00000", "test-00001"]
    manifest = normalized(tmp_path, split="random", holdout=0.4)
    assert manifest["split"]["kind"] == "random"
    assert manifest["counts"]["holdout"] == 4


def test_broken_images_under_the_limit_are_left_out_and_named(tree: Path) -> None:
    (tree / "tree/ant/zz.jpg").write_bytes(b"<html>")
    ingested(tree / "raw", path=str(tree / "tree"))
    manifest = normalized(tree, max_broken=0.1)
    counts = manifest["counts"]
    assert (counts["read"], counts["broken"], counts["train"] + counts["holdout"]) == (18, 1, 17)
    assert manifest["broken"] == [{"key": "ant/zz.jpg", "reason": "its content is no image of a known format"}]
    assert "  'ant/zz.jpg': its content is no image of a known format" in summary(manifest)
    assert "ant/zz.jpg" not in pixels_by_key(tree)


def test_too_many_broken_images_stop_the_stage_by_name_and_leave_earlier_outputs(tree: Path) -> None:
    normalized(tree)
    before = files_in(tree / "normalized")
    for name in ("bee/aa.jpg", "cat/bb.png"):
        (tree / "tree" / name).write_bytes(b"")
    ingested(tree / "raw", path=str(tree / "tree"))
    with refused(
        "images-broken",
        "of the 19 images cannot be used",
        "'bee/aa.jpg', 'cat/bb.png' (of each: its content is no image",
    ):
        normalized(tree, max_broken=0.05)
    assert files_in(tree / "normalized") == before


@pytest.mark.tried(
    "a full disk",
    "error: no room to write the output (...): free some space and run again; earlier outputs are untouched",
)
def test_a_full_disk_is_one_sentence_and_leaves_earlier_outputs(tree: Path, read: Callable[[str], None]) -> None:
    (tree / "data").mkdir()
    (tree / "raw").rename(tree / "data/raw")
    assert run_stage_in(tree, "normalize", {}).returncode == 0
    before = files_in(tree / "data/normalized")
    larger = {"normalize.height": 64, "normalize.width": 64, "normalize.upscale": "allow"}
    run = run_stage_in(tree, "normalize", larger, limit="ulimit -f 16;")
    assert run.returncode == 2
    read(run.stderr.splitlines()[-1])
    assert "Traceback" not in run.stderr
    assert files_in(tree / "data/normalized") == before


def test_the_stage_prints_what_it_made_and_records_its_provenance(tree: Path) -> None:
    (tree / "data").mkdir()
    (tree / "raw").rename(tree / "data/raw")
    run = run_stage_in(tree, "normalize", {"normalize.channels": 3, "normalize.width": 5})
    assert run.returncode == 0, run.stderr
    assert "normalized 17 images to 3 x 8 x 5 in [-1,1]: 13 train, 4 holdout" in run.stdout
    record = json.loads((tree / "provenance/normalize.json").read_text())
    assert (record["stage"], record["images"]) == ("normalize", 17)
