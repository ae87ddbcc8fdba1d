"""A random split keeps near-copies, and what a table names as one, on one side; without any it stays as it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.common.errors import UserError
from stages.images.split import equal_pairs, random_split, ticket, tied
from stages.normalize import normalize, summary
from stages.sources import open_source
from tests.stages.photographs import brighter, encoded_again, photographs
from tests.stages.source_files import ingest_params, ingested, normalize_params, normalized, write_tree
from tests.stages.summary_tables import CLASSES, LIMITS, gated, manifest_of, valid_stats


def components(count: int, pairs: list[tuple[int, int]]) -> list[set[int]]:
    """By hand: the sets that pairs join."""
    sets = [{number} for number in range(count)]
    for left, right in pairs:
        joined = sets[left] | sets[right]
        for number in joined:
            sets[number] = joined
    return sets


@given(
    count=st.integers(1, 40),
    joined=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=60),
    contents=st.integers(1, 40),
)
def test_tickets_are_common_to_all_that_pairs_join_and_to_no_others(
    count: int, joined: list[tuple[int, int]], contents: int
) -> None:
    pairs = [(left, right) for left, right in joined if max(left, right) < count]
    tickets = np.array([ticket(0, str(number % contents)) for number in range(count)], np.uint64)
    found = tied(tickets, np.array(pairs, np.int64).reshape(-1, 2))
    same = [(number, number % contents) for number in range(count)]
    sets = components(count, [*pairs, *same])
    for number in range(count):
        assert {other for other in range(count) if found[other] == found[number]} == sets[number]
        if {tickets[other] for other in sets[number]} == {tickets[number]}:
            assert found[number] == tickets[number]  # nothing is drawn again without need


def test_large_groups_are_held_out_no_oftener_than_small_ones() -> None:
    """By the lowest of its images' tickets a large group would always come first."""
    held: dict[int, int] = {2: 0, 12: 0}
    for seed in range(60):
        sizes = [2, 12] * 10
        groups = np.repeat(np.arange(20), sizes)
        tickets = np.array([ticket(seed, str(number)) for number in range(len(groups))], np.uint64)
        mask = random_split(tied(tickets, equal_pairs(groups.astype(np.uint64))), np.zeros(len(groups), np.int32), 0.5)
        for group, size in enumerate(sizes):
            sides = set(mask[groups == group].tolist())
            assert len(sides) == 1
            held[size] += sides == {True}
    assert 0.7 < held[12] / held[2] < 1.4


def copies(tmp_path: Path, count: int = 60, again: int = 12) -> Path:
    """Photographs of which the first are there again, encoded anew or brighter, in two classes and small shards."""
    real = photographs()[:count]
    likewise = np.concatenate([encoded_again(real[:6], quality=90), brighter(real[6:12], 1.05)])
    named = [("real", place) for place in range(count)] + [("copy", place) for place in range(again)]
    for name, place in named:
        image = real[place] if name == "real" else likewise[place]
        path = tmp_path / "tree" / "ab"[place % 2] / f"{name}{place:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.rint((np.moveaxis(image, 0, -1) + 1) * 127.5).astype(np.uint8)
        Image.fromarray(levels if levels.shape[-1] == 3 else levels[..., 0]).save(path)
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"), shard_images=9)
    return tmp_path


def sides(folder: Path) -> dict[str, str]:
    stats = pd.read_parquet(folder / "normalized/stats.parquet")
    return dict(zip(stats["key"], stats["split"], strict=True))


def torn(found: dict[str, str]) -> int:
    return sum(found[key] != found[key.replace("copy", "real")] for key in found if "copy" in key)


SHAPE: dict[str, Any] = {"channels": 3, "height": 32, "width": 32, "holdout": 0.3}


@pytest.mark.tried(
    "a folder with near-copies of 12 photographs",
    "... held-out images nearly repeated one to train on, so the split was drawn again for these: near-copies are on "
    "one side",
)
def test_near_copies_are_on_one_side_of_a_random_split(tmp_path: Path, read: Callable[[str], None]) -> None:
    copies(tmp_path)
    manifest = normalized(tmp_path, **SHAPE, near_copies=None)
    before = sides(tmp_path)
    assert torn(before) > 0, "chance tears some apart"
    assert "torn" not in manifest["split"]
    manifest = normalized(tmp_path, **SHAPE)
    after = sides(tmp_path)
    assert torn(after) == 0
    assert manifest["split"]["torn"] == torn(before)
    read("\n".join(line for line in summary(manifest) if f"{torn(before)} held-out images" in line))
    assert manifest["counts"]["holdout"] == pytest.approx(0.3 * 72, abs=3)
    assert {key for key in after if "real" in key} == {key for key in before if "real" in key}


def test_broken_images_do_not_shift_what_belongs_together(tmp_path: Path) -> None:
    copies(tmp_path)
    for name in ("a/aaa.png", "b/real010x.png"):
        (tmp_path / "tree" / name).write_bytes(b"broken")
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"), shard_images=9)
    normalized(tmp_path, **SHAPE, max_broken=0.1)
    assert torn(sides(tmp_path)) == 0


def test_without_near_copies_the_split_is_the_one_without_looking(tmp_path: Path) -> None:
    copies(tmp_path, again=0)
    plain = normalized(tmp_path, **SHAPE, near_copies=None)
    assert normalized(tmp_path, **SHAPE) == plain


class EndedError(Exception):
    pass


def test_a_run_that_ends_while_the_split_is_drawn_again_goes_on_to_the_same_images(tmp_path: Path) -> None:
    copies(tmp_path)
    straight = normalized(tmp_path, **SHAPE)
    calls: list[int] = []

    def over_shards(function: Any, shards: Any) -> Any:
        calls.append(len(shards))
        for number, shard in enumerate(shards):
            if len(calls) == 2 and number == 4:
                raise EndedError
            yield function(shard)

    where = tmp_path / "raw", tmp_path / "normalized", tmp_path / "resume"
    with pytest.raises(EndedError):
        normalize(normalize_params(**SHAPE), *where, over_shards)
    calls.clear()
    calls.append(0)
    calls.append(0)
    assert normalize(normalize_params(**SHAPE), *where, over_shards) == straight
    assert len(calls) == 3, "the second split is kept: no shard is done for the first one again"


@pytest.mark.parametrize("table", ["csv", "jsonl"])
def test_images_of_one_group_are_on_one_side(tmp_path: Path, table: str) -> None:
    tree = write_tree(tmp_path / "tree", {"ant": 30, "bee": 30})
    keys = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.png"))
    who = {key: f"person {number % 7}" for number, key in enumerate(keys)}
    lines = [f"{key},x,{name}" for key, name in who.items()]
    if table == "jsonl":
        lines = [f'{{"file": "{key}", "note": 1, "who": "{name}"}}' for key, name in who.items()]
    (tree / f"who.{table}").write_text("\n".join(["file,note,who"] * (table == "csv") + lines))
    groups = {"file": f"who.{table}", "column": "who"}
    found = ingested(tmp_path / "raw", path=str(tree), groups=groups)
    assert found["group"].to_pylist() == [who[key] for key in found["key"].to_pylist()]
    manifest = normalized(tmp_path)
    by_person: dict[str, set[str]] = {}
    for key, side in sides(tmp_path).items():
        by_person.setdefault(who[key], set()).add(side)
    assert all(len(side) == 1 for side in by_person.values())
    assert 5 <= manifest["counts"]["holdout"] <= 18


@pytest.mark.tried(
    "`ingest.groups` across a split that came with the data",
    "1 group of images on either side of that split, so held-out images are not unseen ones: set normalize.split to "
    "random, which keeps groups together",
)
def test_groups_that_the_datas_own_split_tears_apart_are_counted(tmp_path: Path, read: Callable[[str], None]) -> None:
    tree = write_tree(tmp_path / "tree", {"train/ant": 4, "test/ant": 4})
    (tree / "who.csv").write_text("file,who\ntrain/ant/000,x\ntest/ant/001,x\ntest/ant/002,y\ntest/ant/003,y\n")
    ingested(tmp_path / "raw", path=str(tree), groups={"file": "who.csv", "column": "who"})
    read("\n".join(summary(normalized(tmp_path))))
    assert "group" not in "\n".join(summary(normalized(tmp_path, split="random")))


@pytest.mark.tried(
    "`ingest.groups` of two of five images", "3 of 5 images have no group in .../who.csv: each is on its own"
)
def test_images_without_a_group_are_on_their_own_and_counted(tmp_path: Path, read: Callable[[str], None]) -> None:
    tree = write_tree(tmp_path / "tree", {"": 5})
    (tmp_path / "who.csv").write_text("file,who\n000,x\n001.png,x\n002,\n")
    groups = {"file": str(tmp_path / "who.csv"), "column": "who"}
    source = open_source(ingest_params(path=str(tree), groups=groups))
    assert [image.group for image in source.images] == ["x", "x", None, None, None]
    [note] = source.notes
    read(note)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param(
            "w.csv",
            "file,who\n",
            marks=pytest.mark.tried(
                "`ingest.groups` with a CSV of other images",
                ".../w.csv has a group for none of the images: its first column must hold their names",
            ),
        ),
        pytest.param(
            "w.csv",
            "file,patient\n000,x\n",
            marks=pytest.mark.tried(
                "`ingest.groups` by a column that the CSV lacks",
                ".../w.csv has no column 'who' behind the one of keys, but patient: name one in ingest.groups.column",
            ),
        ),
        pytest.param(
            "w.jsonl",
            '{"file": "000"}\n',
            marks=pytest.mark.tried(
                "`ingest.groups` by a key that a line of JSON lacks",
                ".../w.jsonl, line 1 has no column 'who' behind the one of keys, but file: name one in "
                "ingest.groups.column",
            ),
        ),
        pytest.param(
            "w.txt",
            "file,who\n",
            marks=pytest.mark.tried(
                "`ingest.groups` with a text file",
                "ingest.groups.file = '.../w.txt' ends in none of .csv, .tsv, .jsonl: name such a file",
            ),
        ),
    ],
)
def test_a_table_without_the_groups_is_one_sentence(
    tmp_path: Path, read: Callable[[str], None], name: str, content: str
) -> None:
    tree = write_tree(tmp_path / "tree", {"": 3})
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as refused:
        ingested(tmp_path / "raw", path=str(tree), groups={"file": str(tmp_path / name), "column": "who"})
    read(str(refused.value))


def test_an_image_of_two_groups_is_refused_and_one_that_is_told_twice_is_not(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"": 3})
    groups = {"file": "w.csv", "column": "who"}
    (tree / "w.csv").write_text("file,who\n000,ann\n000,ann\n001,bob\n")
    assert ingested(tmp_path / "raw", path=str(tree), groups=groups)["group"].to_pylist() == ["ann", "bob", None]
    (tree / "w.csv").write_text("file,who\n000,ann\n001,ann\n000,bob\n")
    with pytest.raises(UserError, match="two groups for a key \\('000'\\)"):
        ingested(tmp_path / "raw", path=str(tree), groups=groups)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            "source",
            marks=pytest.mark.tried(
                "a test split with a copy of an image to train on",
                "the split came with the data: set normalize.split to random, which keeps such images on one side, "
                "or remove them from one",
            ),
        ),
        pytest.param(
            "random",
            marks=pytest.mark.tried(
                "the same in a random split, where the gate is stricter than normalize.near_copies",
                "a random split keeps such images on one side where normalize.near_copies has the likeness and the "
                "hash_distance of validate",
            ),
        ),
    ],
)
def test_leakage_says_how_to_go_on(tmp_path: Path, read: Callable[[str], None], kind: str) -> None:
    stats = valid_stats()
    held_out = stats.index[stats["split"] == "holdout"][0]
    stats.loc[held_out, "pixel_sha256"] = stats["pixel_sha256"][0]
    manifest = manifest_of(stats, CLASSES) | {"split": {"kind": kind}}
    [failed] = gated(tmp_path, stats, manifest, LIMITS).failed
    read(failed.advice)
