"""The evaluator, and the classifiers of select, that learn from a window of the images at a time."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages.common.files import read_json
from stages.common.params import Evaluator, load_section
from stages.evaluator import evaluator
from stages.select import select
from tests.refusals import refused
from tests.stages.forked import try_stage_in
from tests.stages.tiny_data import CLASSES, write_digits, write_params
from tests.stages.tiny_models import select_params

TRAIN = 400


def learned(folder: Path, window: int | None, images: int, classes: list[str] | None = CLASSES) -> dict[str, Any]:
    """The figures of an evaluator that was shown so many images, among them the SHA-256 of its weights."""
    write_digits(folder, train=TRAIN, holdout=150, classes=classes)
    write_params(folder, {"evaluator.images": images, "evaluator.window": window})
    return evaluator(load_section(Evaluator, folder / "params.yaml"), folder)


def test_an_evaluator_learns_nearly_as_well_from_windows_and_the_same_bits_each_time(tmp_path: Path) -> None:
    whole, streamed, again = (
        learned(tmp_path / name, window, 8_000) for name, window in (("a", None), ("b", 100), ("c", 100))
    )
    assert streamed == again
    assert streamed["sha256"] != whole["sha256"], "a window is another order"
    assert streamed["holdout_accuracy"] > whole["holdout_accuracy"] - 0.03


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_a_window_that_holds_everything_gives_the_bits_of_none(tmp_path: Path, classes: list[str] | None) -> None:
    assert learned(tmp_path / "a", TRAIN, 4_000, classes) == learned(tmp_path / "b", None, 4_000, classes)


def scored(measured: Path, folder: Path, window: int | None) -> dict[str, Any]:
    """The classification accuracy score, with nothing known from before."""
    shutil.copytree(measured, folder)
    shutil.rmtree(folder / ".measure")
    found: dict[str, Any] = select(select_params(folder, window=window, truncation=[]), folder)
    return found["classification_accuracy_score"]  # type: ignore[no-any-return]


def test_classifiers_learn_from_windows_of_real_and_of_generated_images(digits_selected: Path, tmp_path: Path) -> None:
    whole = read_json(digits_selected / "metrics/selection.json")["classification_accuracy_score"]
    assert scored(digits_selected, tmp_path / "all", TRAIN) == whole
    streamed = scored(digits_selected, tmp_path / "few", 100)
    assert streamed == scored(digits_selected, tmp_path / "again", 100)
    assert streamed["real"] == pytest.approx(whole["real"], abs=0.1)
    assert streamed["generated"] == pytest.approx(whole["generated"], abs=0.2)


def test_a_window_of_one_image_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for stage in ("evaluator", "select"):
        write_params(tmp_path, {f"{stage}.window": 1})
        code, printed = try_stage_in(tmp_path, stage)
        assert code == 2
        assert f"{stage}.window = 1" in printed
        assert "Traceback" not in printed


@pytest.mark.tried(
    "more images than fit the memory, in the evaluator",
    "0.0 GB free: set evaluator.window to how many to hold at a time, 39 at most",
)
@pytest.mark.tried("the same in `select`", "0.0 GB free: set select.window to how many to hold at a time, 39 at most")
def test_images_that_do_not_fit_are_refused_with_the_param_that_would_help(
    digits_selected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    folder = Path(shutil.copytree(digits_selected, tmp_path / "copy"))
    shutil.rmtree(folder / ".measure")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=40_000))
    with refused("memory-too-small") as refusal:
        evaluator(load_section(Evaluator, folder / "params.yaml"), folder)
    read(str(refusal.value))
    with refused("memory-too-small") as refusal:
        select(select_params(folder), folder)
    read(str(refusal.value))
