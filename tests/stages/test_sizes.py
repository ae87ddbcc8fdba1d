"""Pictures that are smaller than asked are told, by a look at some and by the gate."""

from pathlib import Path

import pytest
from PIL import Image

from stages.common.params import load_params
from stages.media.images import Images
from stages.sources import open_source
from stages.sources.sizes import look
from stages.validate import report_lines
from tests.stages.source_files import write_tree
from tests.stages.summary_tables import gated, manifest_of, valid_stats
from tests.stages.tiny_data import ROOT

TOLD = (
    "4 of the 4 images that were looked at have fewer pixels than normalize.height x width (64 x 8), which counts as "
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, True)),
        ({"max_broken": 1.0}, (True, False)),
        ({"fit": "pad"}, (False, False)),
        ({"upscale": "allow"}, (False, False)),
        ({"height": 8}, (False, False)),
    ],
)
def test_some_pictures_show_before_anything_runs_that_they_are_too_small_and_whether_a_run_will_stop(
    tmp_path: Path, changes: dict[str, object], expected: tuple[bool, bool]
) -> None:
    params = load_params(ROOT / "params.yaml")
    tree = write_tree(tmp_path, {"a": 2, "b": 2})
    source = open_source(params.ingest.model_copy(update={"source": "folder", "path": str(tree)}))
    asked = {"height": 64, "width": 8, "upscale": "refuse", "fit": "crop", **changes}
    said, stops = look(source, params.normalize.model_copy(update=asked), params.ingest.max_pixels)
    assert ([sentence.startswith(TOLD) for sentence in said], stops) == ([True] * expected[0], expected[1])


def test_pictures_are_looked_at_in_each_class_and_what_cannot_be_opened_or_is_gray_is_named(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"a": 30, "b": 30})
    for path in tree.rglob("*.png"):
        Image.new("RGB", (16, 16), (9, 99, 9)).save(path)
    first, second = sorted(tree.glob("b/*.png"))[:4:3]
    first.write_bytes(b"damaged")
    Image.new("L", (16, 16)).save(second)
    params = load_params(ROOT / "params.yaml")
    source = open_source(params.ingest.model_copy(update={"source": "folder", "path": str(tree)}))
    said, stops = look(source, params.normalize.model_copy(update={"channels": 3, "max_broken": 0.1}), 256)
    assert not stops
    looked = "1 of the 20 images that were looked at"
    assert said == [
        f"{looked} cannot be read, such as 'b/{first.name}': mend or remove what is damaged",
        f"{looked} has no colors, such as 'b/{second.name}': remove what is not meant to be gray",
    ]


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_pictures_whose_ends_are_missing_are_told_except_where_they_are_too_large_to_read(
    tmp_path: Path, kind: str
) -> None:
    tree = write_tree(tmp_path, {"a": 2, "b": 2})
    for path in tree.rglob("*.png"):
        path.unlink()
        Image.effect_noise((64, 64), 90).save(path.with_suffix(f".{kind}"))
    for path in (tree / "b").iterdir():
        path.write_bytes(path.read_bytes()[:1500])
    params = load_params(ROOT / "params.yaml")
    for most, lost in ((64 * 64, True), (64 * 64 - 1, False)):
        source = open_source(params.ingest.model_copy(update={"source": "folder", "path": str(tree)}))
        said, stops = look(source, params.normalize, most)
        assert ("2 of the 4 images that were looked at cannot be read" in " ".join(said), stops) == (lost, lost)


def test_the_gate_counts_the_pictures_that_were_enlarged(tmp_path: Path) -> None:
    stats = valid_stats(classes=0)
    stats.loc[:4, ["source_height", "source_width"]] = 11
    outcome = gated(tmp_path, stats, manifest_of(stats, None))
    warned = "\n".join(report_lines(outcome, Images().words))
    assert "the 128 pixels (8 x 16) that normalize makes of it', but found 5 exceptions (e.g. image-000" in warned
    assert "what is enlarged is a blur" in warned
    assert outcome.failed == []
