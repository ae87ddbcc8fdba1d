"""Verdicts by number: a collapsed generator and a copier are found, a healthy one is let be."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.common.files import read_json
from stages.common.params import Select, load_section
from stages.common.split import Split
from stages.media.images import Images
from stages.select import select
from stages.selection.verdicts import collapse, copying
from stages.sources.ring import MEDIUM as RING
from tests.stages.crafted import Copier
from tests.stages.forked import try_stage_in
from tests.stages.tiny_data import ROOT
from tests.stages.tiny_models import select_params

PARAMS = load_section(Select, ROOT / "params.yaml")
HEALTHY = {"diversity": 4.0, "coverage": 0.5, "recall": 0.3, "near_copies": 0.01}
FLOORS = {"diversity_floor": 5.0, "coverage_floor": 0.9, "recall_floor": 0.8, "near_copies_floor": 0.002}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, digits_run: Path) -> Path:
    return Path(shutil.copytree(digits_run, tmp_path_factory.mktemp("run"), dirs_exist_ok=True))


def selected(folder: Path, monkeypatch: pytest.MonkeyPatch, split: str = "train", **generator: Any) -> dict[str, Any]:
    """The selection of checkpoints that are all one crafted generator."""
    crafted = Copier(Split(folder / "data/normalized" / split), **generator)
    for place in ("stages.select", "stages.selection.checkpoints"):
        monkeypatch.setattr(f"{place}.loaded", lambda path, real: crafted)
    monkeypatch.setattr("stages.select.write_generator", lambda folder, generator: None)
    monkeypatch.setattr("stages.selection.inputs.FOLDER", f".measure/{generator}{split}")
    return select(select_params(folder, classifier_images=0), folder)


def test_a_generator_of_one_image_a_class_is_collapsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selection = selected(folder, monkeypatch, kept=1, noise=0.05)
    assert selection["collapse"]["collapsed"]
    assert selection["collapse"]["sentence"].startswith("Mode collapse: diversity ")
    assert selection["collapsed"] == 1
    assert selection["diversity"] < 0.5 * selection["diversity_floor"]
    assert selection["conditional_accuracy"] > 0.6  # by its classes alone it would pass for a good one


def test_a_generator_of_images_that_it_never_saw_is_neither_collapsed_nor_a_copier(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selection = selected(folder, monkeypatch, split="holdout")
    assert selection["collapse"]["sentence"].startswith("No mode collapse: diversity ")
    assert (selection["collapse"]["collapsed"], selection["collapsed"]) == (False, 0)
    assert not selection["copying"]["copied"]
    assert (selection["verdict"]["level"], selection["verdict"]["sentence"][:5]) == ("good", "Good:")


def test_a_copier_of_the_training_set_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selection = selected(folder, monkeypatch)
    assert selection["near_copies"] == 1
    assert selection["copying"]["copied"]
    assert selection["verdict"]["level"] == "poor"
    assert not selection["collapse"]["collapsed"]


def test_a_generator_that_plays_training_images_back_with_noise_is_a_copier(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    selection = selected(folder, monkeypatch, noise=0.1 * 2**0.5)  # of a sine, so its standard deviation is 0.1
    assert selection["near_copies"] > 0.8
    assert selection["copying"]["copied"]
    assert "copies of training images, also under light noise" in selection["copying"]["sentence"]


def test_a_collapsed_selection_stops_the_stage_where_params_say_so_and_leaves_its_figures(folder: Path) -> None:
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("fail_on_collapse: false", "fail_on_collapse: true"))
    code, printed = try_stage_in(folder, "select")
    (folder / "params.yaml").write_text(text)
    assert code == 2
    facts = read_json(folder / "metrics/selection.json")["collapse"]["sentence"][:-1]
    assert [line for line in printed.splitlines() if line.startswith("error: the selected generator is collapsed")]
    assert printed.count(facts) == 1, "a reason is said once"
    assert "Traceback" not in printed
    assert read_json(folder / "metrics/selection.json")["collapse"]["collapsed"]


@pytest.mark.tried(
    "a conditional generator that does not heed its classes", "Mode collapse cannot be told from variety"
)
def test_a_generator_at_chance_accuracy_is_poor_and_is_never_said_not_to_have_collapsed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    """Real images of any class, whichever was asked for: as varied within a class as between all of them."""
    selection = selected(folder, monkeypatch, split="holdout", deaf=True)
    assert selection["conditional_accuracy"] == pytest.approx(0.1, abs=0.06)
    assert selection["diversity"] > selection["diversity_floor"]
    assert (selection["collapse"]["collapsed"], selection["collapse"]["known"]) == (False, False)
    read(selection["collapse"]["sentence"])
    assert selection["verdict"]["level"] == "poor"
    assert "accuracy" in selection["verdict"]["sentence"]
    card = (folder / "models/selected/README.md").read_text()
    assert selection["verdict"]["sentence"] in card
    assert "No mode collapse" not in card


@pytest.mark.parametrize(
    ("change", "collapsed"),
    [({}, False), ({"diversity": 2.4}, True), ({"coverage": 0.08}, True), ({"recall": 0.01}, True)],
)
def test_each_limit_is_a_share_of_what_real_images_have(change: dict[str, float], collapsed: bool) -> None:
    assert collapse(HEALTHY | FLOORS | change, PARAMS)["collapsed"] == collapsed


def test_a_missing_mode_is_collapse_where_the_modes_are_known() -> None:
    verdict = collapse({"modes_captured": 7, "modes_floor": 8}, PARAMS)
    assert verdict["collapsed"]
    assert verdict["sentence"] == "Mode collapse: modes captured 7 (real images: 8)."


def test_what_was_not_measured_is_said_to_be_unknown() -> None:
    assert "not looked for" in collapse({}, PARAMS)["sentence"]
    assert "not looked for" in copying({}, PARAMS, Images())["sentence"]


def test_copies_count_beyond_what_chance_gives() -> None:
    by_chance = {"near_copies": 0.12, "near_copies_floor": 0.11}  # as of points of two dimensions
    assert not copying(by_chance, PARAMS, Images())["copied"]
    assert copying(by_chance | {"near_copies": 0.17}, PARAMS, Images())["copied"]


def test_points_are_not_said_to_be_looked_at_in_pixels() -> None:
    row = {"near_copies": 0.12, "near_copies_floor": 0.11}
    words = copying(row, PARAMS, RING)["sentence"]
    assert words.startswith("No memorization found: 12.0% of the points are copies of training points (held-out ones,")
