"""The evaluator, and the classifiers of select, that learn from a window of the images at a time."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.params import Evaluator, load_section
from stages.evaluator import evaluator
from stages.select import select
from tests.stages.tiny_data import CLASSES, ROOT, write_digits, write_params
from tests.stages.tiny_models import select_params, write_run

SHORT = {"evaluator.images": 30_000, "evaluator.device": "cpu"}
TRAIN = 400


def learned(folder: Path, window: int | None, classes: list[str] | None = CLASSES) -> dict[str, Any]:
    """The figures of an evaluator, among them the SHA-256 of its weights."""
    write_digits(folder, train=TRAIN, holdout=150, classes=classes)
    write_params(folder, SHORT | {"evaluator.window": window})
    return evaluator(load_section(Evaluator, folder / "params.yaml"), folder)


def test_an_evaluator_learns_nearly_as_well_from_windows_and_the_same_bits_each_time(tmp_path: Path) -> None:
    whole, streamed, again = (
        learned(tmp_path / name, window) for name, window in (("a", None), ("b", 100), ("c", 100))
    )
    assert streamed == again
    assert streamed["sha256"] != whole["sha256"], "a window is another order"
    assert streamed["holdout_accuracy"] > whole["holdout_accuracy"] - 0.03


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_a_window_that_holds_everything_gives_the_bits_of_none(tmp_path: Path, classes: list[str] | None) -> None:
    assert learned(tmp_path / "a", TRAIN, classes) == learned(tmp_path / "b", None, classes)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("run"))
    select(select_params(folder), folder)
    return folder


def scored(measured: Path, folder: Path, window: int | None) -> dict[str, Any]:
    """The classification accuracy score, with nothing known from before."""
    shutil.copytree(measured, folder)
    shutil.rmtree(folder / ".measure")
    found: dict[str, Any] = select(select_params(folder, window=window), folder)
    return found["classification_accuracy_score"]  # type: ignore[no-any-return]


def test_classifiers_learn_from_windows_of_real_and_of_generated_images(measured: Path, tmp_path: Path) -> None:
    whole = read_json(measured / "metrics/selection.json")["classification_accuracy_score"]
    assert scored(measured, tmp_path / "all", TRAIN) == whole
    streamed = scored(measured, tmp_path / "few", 100)
    assert streamed == scored(measured, tmp_path / "again", 100)
    assert streamed["real"] == pytest.approx(whole["real"], abs=0.1)
    assert streamed["generated"] == pytest.approx(whole["generated"], abs=0.2)


def test_a_window_of_one_image_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for stage in ("evaluator", "select"):
        write_params(tmp_path, {f"{stage}.window": 1})
        command, environment = [sys.executable, "-m", f"stages.{stage}"], {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"{stage}.window = 1" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.tried(
    "more images than fit the memory, in the evaluator",
    "0.0 GB free: set evaluator.window to how many to hold at a time, 39 at most",
)
@pytest.mark.tried("the same in `select`", "0.0 GB free: set select.window to how many to hold at a time, 39 at most")
def test_images_that_do_not_fit_are_refused_with_the_param_that_would_help(
    measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    folder = Path(shutil.copytree(measured, tmp_path / "copy"))
    shutil.rmtree(folder / ".measure")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=40_000))
    with pytest.raises(UserError) as refused:
        evaluator(load_section(Evaluator, folder / "params.yaml"), folder)
    read(str(refused.value))
    with pytest.raises(UserError) as refused:
        select(select_params(folder), folder)
    read(str(refused.value))
