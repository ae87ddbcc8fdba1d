"""Two domains without pairs, from folders to data that passed the gate."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages.common.files import read_json, write_json
from stages.common.params import load_params
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.sources import open_source
from stages.validate import Outcome, stop_on_failure, validate
from tests.refusals import refused
from tests.stages.source_files import encoded, ingest_params, ingested, noise, normalized, write_tree, zipped
from tests.stages.summary_tables import LIMITS
from tests.stages.tiny_data import write_params

JUNYANZ = {"trainA": 6, "trainB": 5, "testA": 4, "testB": 4}
LAYOUTS: dict[str, tuple[dict[str, int], Any]] = {
    "CycleGAN's own": (JUNYANZ, ["A", "B"]),
    "in one more folder": ({f"h2z/{name}": count for name, count in JUNYANZ.items()}, {"horse": "A", "zebra": "B"}),
    "spelled otherwise": ({"train_A": 6, "Train-B": 5, "val_A": 4, "validationB": 4}, ["A", "B"]),
    "splits in domains": ({"a/train": 6, "b/train": 5, "a/test": 4, "b/val": 4}, ["a", "b"]),
    "domains in splits": ({"train/a": 6, "train/b": 5, "test/a": 4, "test/b": 4}, {"photo": "a", "drawing": "b"}),
}  # fmt: skip
CLASSES = {"a/cat": 12, "a/dog": 12, "b/cat": 30, "b/dog": 30}


def with_params(folder: Path, changes: dict[str, Any]) -> Path:
    write_params(folder, changes)
    return folder / "params.yaml"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_domains_are_read_from_the_folders_that_people_have(tmp_path: Path, layout: str, packed: bool) -> None:
    tree, domains = LAYOUTS[layout]
    place = write_tree(tmp_path / "tree", tree)
    if packed:
        place = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", place))
    table = ingested(tmp_path / "raw", source="archive" if packed else "folder", path=str(place), domains=domains)
    counted = pd.DataFrame({"domain": table["domain"], "split": table["split"]}).value_counts().to_dict()
    assert counted == {(0, "train"): 6, (1, "train"): 5, (0, "test"): 4, (1, "test"): 4}
    keys = {name.removeprefix(str(place)) for name in table["key"].to_pylist()}
    assert keys == {f"{folder}/{number:03d}.png" for folder, count in tree.items() for number in range(count)}


def test_classes_of_both_domains_are_the_same_ones_and_what_is_of_no_domain_is_told(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"a/cat": 2, "a/dog": 2, "b/dog": 2, "b/owl": 2, "masks": 3})
    params = ingest_params(path=str(tree), domains=["a", "b"])
    source = open_source(params)
    assert source.layout[0] == "two domains: a 4 images, b 4 images"
    found = [(image.domain, (source.classes or [])[image.label or 0]) for image in source.images]
    assert found == [(0, "cat")] * 2 + [(0, "dog")] * 2 + [(1, "dog")] * 2 + [(1, "owl")] * 2
    assert source.notes == ["left out 3 images in no folder of a domain, such as masks/000.png"]


@pytest.mark.tried(
    "a domain whose folder is not there",
    "... holds no images (known by ...): those of the domain 'sketch' are to lie in sketch, train/sketch or "
    "trainsketch: add them, or mend ingest.domains (images lie in drawing)",
)
def test_a_domain_without_images_is_refused_with_where_they_would_lie(tmp_path: Path, read: Any) -> None:
    tree = write_tree(tmp_path / "tree", {"photo": 2, "drawing": 2})
    with refused("source-without-images", "'sketch'") as found:
        open_source(ingest_params(path=str(tree), domains=["photo", "sketch"]))
    read(str(found.value))


@pytest.mark.parametrize(
    ("domains", "sentence"),
    [
        (["a", "b", "c"], "a, b, c: there are two domains, and this names 3"),
        (["a"], "a: there are two domains, and this names 1"),
        ({"a": "x", "b": "x"}, "a and b have one folder, x: name one for each"),
        (["a", 2], "is none of two folders, two names with the folder of each, and null"),
        ("a", "is none of two folders"),
    ],
)
def test_other_than_two_domains_are_refused_in_words(tmp_path: Path, domains: Any, sentence: str) -> None:
    with refused("params-invalid", "ingest.domains", sentence):
        load_params(with_params(tmp_path, {"ingest.domains": domains}))


def test_pairs_and_domains_exclude_each_other_and_a_source_without_folders_has_no_domains(tmp_path: Path) -> None:
    pairs = {"by": "name", "folders": ["a", "b"]}
    with refused("params-invalid", "of pairs each image has its partner, of domains none has"):
        load_params(with_params(tmp_path, {"ingest.pairs": pairs, "ingest.domains": ["a", "b"]}))
    with refused("domains-not-supported", "not 'digits'"):
        open_source(ingest_params(source="digits", path=str(tmp_path), domains=["a", "b"]))


def test_a_random_split_shares_out_each_class_of_each_domain(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", CLASSES)), domains=["a", "b"])
    manifest = normalized(tmp_path, holdout=0.25)
    assert manifest["domains"] == ["a", "b"]
    assert manifest["domain_counts"] == {"train": {"a": 18, "b": 44}, "holdout": {"a": 6, "b": 16}}
    holdout = Split(tmp_path / "normalized/holdout")
    assert holdout.domain is not None
    assert holdout.labels is not None
    assert np.bincount(2 * holdout.domain + holdout.labels).tolist() == [3, 3, 8, 8]
    assert holdout.signature.domains == ("a", "b")
    assert all((key[0] == "b") == domain for key, domain in zip(holdout.keys, holdout.domain, strict=True))


def test_images_of_unlike_sizes_and_channels_become_of_one_shape(tmp_path: Path) -> None:
    for name, shape in (("a", (20, 12)), ("b", (9, 30, 3))):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for number, image in enumerate(noise(5, *shape)):
            (tmp_path / f"tree/{name}/{number}.png").write_bytes(encoded(Image.fromarray(image)))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"), domains=["a", "b"])
    manifest = normalized(tmp_path, channels=3)
    assert manifest["counts"]["broken"] == 0
    assert Split(tmp_path / "normalized/train").shape == (3, 8, 8)


def test_another_domain_for_the_same_pixels_is_other_data(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"a": 10, "b": 10})
    prints = []
    for number, domains in enumerate((["a", "b"], ["b", "a"], {"c": "a", "d": "b"}, None)):
        ingested(tmp_path / f"{number}/raw", path=str(tree), domains=domains, labels=False)
        prints.append(normalized(tmp_path / str(number))["fingerprint"])
    assert len({*prints}) == 4


def test_partners_are_not_made_for_images_of_domains(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"a": 10, "b": 10})), domains=["a", "b"])
    with refused("domains-with-partners", "'edges'"):
        normalized(tmp_path, partner="edges")


def gated(folder: Path, tree: dict[str, int], copies: dict[str, str] | None = None, **changes: Any) -> Outcome:
    """What the gate says of two domains; `copies` are of files, by the copy's name."""
    place = write_tree(folder / "tree", tree)
    for target, source in (copies or {}).items():
        shutil.copy(place / source, place / target)
    ingested(folder / "raw", path=str(place), domains=["A", "B"], labels=False)
    normalized(folder, **changes)
    limits = LIMITS.model_copy(update={"min_images": 2})
    return validate(folder / "normalized", limits, folder / "reports", folder)


def change(folder: Path, column: str, values: Callable[[pd.DataFrame], "pd.Series[Any]"]) -> None:
    """Write other values into a column of the summary table."""
    table = pq.read_table(folder / "normalized/stats.parquet")
    place = table.schema.get_field_index(column)
    changed = pa.array(values(table.to_pandas()), table.schema.field(place).type)
    pq.write_table(table.set_column(place, table.schema.field(place), changed), folder / "normalized/stats.parquet")


def test_the_gate_passes_two_domains_and_stops_where_one_has_nothing_held_out(tmp_path: Path) -> None:
    assert gated(tmp_path / "sound", JUNYANZ).failed == []
    outcome = gated(tmp_path / "torn", {"trainA": 20, "testA": 9, "B": 20})
    with refused("gate-failed", "Each domain has at least 4 images in each split", "B (holdout)", "to random") as found:
        stop_on_failure(outcome, tmp_path)
    assert "A (holdout)" not in str(found.value)
    assert gated(tmp_path / "random", {"trainA": 20, "testA": 9, "B": 20}, split="random").failed == []


def test_a_domain_that_the_manifest_counts_otherwise_stops_the_pipeline(tmp_path: Path) -> None:
    gated(tmp_path, JUNYANZ)
    change(tmp_path, "domain", lambda stats: (stats["domain"] + (stats.index == 0)) % 2)
    outcome = validate(tmp_path / "normalized", LIMITS.model_copy(update={"min_images": 2}), tmp_path / "r", tmp_path)
    assert outcome.failed[0].name == "Each domain has as many images in each split as the manifest counts"


def test_a_copy_leaks_within_a_domain_and_not_from_one_to_the_other(tmp_path: Path) -> None:
    across = gated(tmp_path / "across", JUNYANZ, {"testA/copy.png": "trainB/000.png"})
    assert across.failed == []
    within = gated(tmp_path / "within", JUNYANZ, {"testA/copy.png": "trainA/000.png"})
    (leaked,) = (verdict for verdict in within.failed if verdict.column == "leaked_from")
    assert leaked.examples == ["testA/copy.png", "trainA/000.png"]


def test_drift_is_of_each_domain(tmp_path: Path) -> None:
    gated(tmp_path, {"A": 300, "B": 300})
    release = {"release": "0123456789abcdef0123", "url": "s3://bucket/releases/0123456789abcdef0123"}
    write_json(tmp_path / "published.json", release | {"data": read_json(tmp_path / "reports/validation.json")["data"]})
    change(tmp_path, "mean", lambda stats: stats["mean"] + 0.3 * stats["domain"])
    manifest = read_json(tmp_path / "normalized/manifest.json") | {"fingerprint": "another"}
    write_json(tmp_path / "normalized/manifest.json", manifest)
    outcome = validate(tmp_path / "normalized", LIMITS, tmp_path / "reports", tmp_path)
    drifted = [verdict for verdict in outcome.warned if "population stability" in verdict.name]
    assert [verdict.column for verdict in drifted] == ["brightness of B"]
    assert drifted[0].name.startswith("Images are as bright in B as in release")


def test_a_zip_that_is_read_twice_gives_the_contents_of_the_right_files(tmp_path: Path) -> None:
    pictures = [encoded(Image.fromarray(image)) for image in noise(8, 8, 8)]
    files = {f"{'AB'[number % 2]}/{number}.png": content for number, content in enumerate(pictures)}
    (tmp_path / "mixed.zip").write_bytes(zipped(files))
    table = ingested(tmp_path / "raw", source="archive", path=str(tmp_path / "mixed.zip"), domains=["A", "B"])
    assert all(row["image"]["bytes"] == files[row["key"]] for row in table.to_pylist())
    assert table["domain"].to_pylist() == [0] * 4 + [1] * 4
    assert next(read_tables(tmp_path / "raw")).schema.metadata[b"domains"] == b'["A", "B"]'
