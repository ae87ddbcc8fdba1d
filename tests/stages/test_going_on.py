"""What a training and an evaluator that were stopped keep, and what they say, when they go on with changed params."""

import json
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.common.changes import explain_restart
from stages.common.checkpoint import read_checkpoint
from stages.common.errors import INTERRUPTED, NOTHING_KEPT, run_stage
from stages.common.files import read_json
from stages.common.resume import Resume
from tests.stages.forked import run_stage_in, start_stage
from tests.stages.test_train import SHORT, outputs, workspace
from tests.stages.tiny_data import write_params

SMALL = SHORT | {"train.images": 800, "train.checkpoint_every": 400, "train.log_every": 200, "train.resume_every": 1e9}
EVALUATOR = {"evaluator.images": 5_000}


def trained(folder: Path, **changes: Any) -> str:
    write_params(folder, SMALL | {f"train.{name}": value for name, value in changes.items()})
    return run_stage_in(folder, "train")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """800 images, of which the first 480 were seen with other intervals, and the rest in a second piece."""
    folder = workspace(tmp_path_factory.mktemp("finished"))
    trained(folder, images=480, checkpoint_every=160, log_every=80)
    (folder / "first.json").write_bytes((folder / "provenance/train.json").read_bytes())
    (folder / "said.txt").write_text(trained(folder))
    return folder


@pytest.mark.tried(
    "a training that goes on with another train.log_every and checkpoint_every",
    "going on from 480 images; what was made up to there stays, and train.checkpoint_every and train.log_every "
    "hold from there on",
)
def test_other_intervals_of_checkpoints_and_rows_go_on_and_end_in_the_same_weights(
    finished: Path, tmp_path: Path, read: Callable[[str], None]
) -> None:
    read((finished / "said.txt").read_text())
    straight = workspace(tmp_path)
    assert "starts anew" not in trained(straight)
    last = "models/checkpoints/images-000000800.safetensors"
    (gone_on, facts), (tensors, _) = read_checkpoint(finished / last), read_checkpoint(straight / last)
    played = {name for name in tensors if name.startswith("engine.")}
    assert played
    assert all(gone_on[name].equal(tensors[name]) for name in played)
    assert [row["images"] for row in facts["history"]] == [80, 160, 240, 320, 400, 480, 608, 800]
    states = [path.stem[-3:] for path in sorted((finished / "models/checkpoints").iterdir())]
    assert states == ["160", "320", "480", "800"]


@pytest.mark.tried(
    "provenance/train.json of a training in two pieces, whose seconds, energy and rate are added up",
    '"images": 800, "resumed_at": 480, ... "images_per_second": ..., "seconds": ...',
)
def test_provenance_adds_up_seconds_energy_and_rate_over_all_pieces(
    finished: Path, read: Callable[[str], None]
) -> None:
    read((finished / "provenance/train.json").read_text())
    first, both = read_json(finished / "first.json"), read_json(finished / "provenance/train.json")
    cost = read_json(next(finished.glob(".resume/*/cost.json")))
    assert both["seconds"] > cost["480"]["seconds"] > 0
    assert both["machine"]["kilowatt_hours"] > cost["480"]["kilowatt_hours"] > 0
    assert first["seconds"] >= round(cost["480"]["seconds"], 1)
    assert cost["800"]["images"] == 800
    assert both["images_per_second"] == round(800 / cost["800"]["work_seconds"])


@pytest.mark.tried(
    "a training that was stopped, and then another train.seed and learning rate",
    "training starts anew: train.seed was 0 and is 7 and train.recipe.generator.learning_rate was not set and is "
    "0.0001; 800 images of the run before are kept in .resume/...: change that back to go on from there",
)
def test_what_changes_the_weights_starts_anew_and_says_what_it_was_and_where_it_is_kept(
    finished: Path, tmp_path: Path, read: Callable[[str], None]
) -> None:
    read(trained_after(finished, tmp_path, seed=7, **{"recipe.generator.learning_rate": 1e-4}))


def trained_after(finished: Path, folder: Path, **changes: Any) -> str:
    """What a training prints where another one left its states."""
    shutil.copytree(finished / ".resume", workspace(folder) / ".resume")
    return trained(folder, **changes)


def test_an_axis_in_its_older_spelling_goes_on_in_the_other(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    trained(folder, family="ssgan", images=160, **{"recipe.labelled": 0.5})
    assert "going on from 160 images" in trained(folder, family="ssgan", images=320, **{"recipe.labeled": 0.5})


def test_the_modules_that_another_family_brings_are_not_called_other_code(finished: Path, tmp_path: Path) -> None:
    said = trained_after(finished, tmp_path, family="dragan")
    assert "training starts anew: train.family was 'cgan' and is 'dragan'" in said
    assert "the code has changed" not in said


OLD, NEW = {"commit": "a" * 40, "clean": True}, {"commit": "b" * 40, "clean": True}


@pytest.mark.tried(
    "a training that was stopped, and then another commit",
    "training starts anew: the code has changed (mintage.engine); 800 images of the run before are kept in "
    ".resume/...: change that back to go on from there (`git checkout aaaaaaaaaa`)",
)
def test_where_the_code_is_another_it_says_which_and_how_the_one_before_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    read(said_of_another_code(monkeypatch, before=OLD, now=NEW))


@pytest.mark.parametrize(
    ("before", "now", "how"),
    [
        (OLD, OLD | {"clean": False}, " (`git stash -- mintage stages`)"),
        (OLD, NEW | {"clean": False}, " (`git stash -- mintage stages`, then `git checkout aaaaaaaaaa`)"),
        (OLD, {"commit": None, "clean": None}, " (its code was commit aaaaaaaaaa)"),
        (OLD | {"clean": False}, NEW, " (its code was commit aaaaaaaaaa, with changes that were not committed)"),
        (OLD, OLD, ""),
        ({"commit": None, "clean": None}, NEW, ""),
    ],
    ids=[
        "changed since",
        "changed since a later commit",
        "no git now",
        "not committed then",
        "the same commit",
        "no git then",
    ],
)
def test_no_commit_is_promised_that_does_not_have_the_code(
    before: dict[str, Any], now: dict[str, Any], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said_of_another_code(monkeypatch, before, now).endswith(f"to go on from there{how}")


def said_of_another_code(monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], now: dict[str, Any]) -> str:
    """What is said where a training was begun in one state of git, and begins again in another, with other code."""
    monkeypatch.setenv("MINTAGE_GIT", json.dumps(before))
    code = {"mintage.engine": "1", "mintage.game": "1"}
    Resume(".resume", {"params": {}, "code": code}).roll(({}, {"images_seen": 800}))
    monkeypatch.setenv("MINTAGE_GIT", json.dumps(now))
    former = Resume(".resume", {"params": {}, "code": code | {"mintage.engine": "2"}}).former()
    assert former is not None
    return explain_restart("training", "train", former)


def interrupted(folder: Path, stage: str, states: str) -> str:
    """What a stage prints that is ended by Ctrl-C once it has saved such a state."""
    process = start_stage(folder, stage, every=0.0)  # a minute is longer than any test
    deadline = time.monotonic() + 120
    while not list(folder.glob(states)) and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.join()
    said = (folder / "output.txt").read_text()
    assert process.exitcode == INTERRUPTED, said
    assert "Traceback" not in said
    assert outputs(folder) == {}
    return next(line for line in said.splitlines() if line.startswith("stopped: "))


@pytest.mark.tried(
    "Ctrl-C in a training",
    "stopped: training was at ... images; the same command goes on from ... images, saved in .resume/",
)
def test_ctrl_c_in_a_training_saves_all_of_it_and_says_how_to_go_on(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    folder = workspace(tmp_path, train__images=400_000, train__checkpoint_every=400, train__resume_every=3600)
    said = interrupted(folder, "train", ".resume/*/kept/images-*.safetensors")
    read(said)
    reached, kept = re.findall(r"([\d,]+) images", said)
    assert reached == kept
    (state,) = folder.glob(f".resume/*/*/images-{int(kept.replace(',', '')):09d}.safetensors")
    assert state.stat().st_size


@pytest.mark.tried(
    "Ctrl-C in the evaluator's learning",
    "stopped: the evaluator was at ... images; the same command goes on from ... images, saved in .resume/evaluator/",
)
@pytest.mark.tried("the same command after it", "going on from ... images")
def test_an_evaluator_stopped_by_ctrl_c_goes_on_to_the_same_bits(tmp_path: Path, read: Callable[[str], None]) -> None:
    straight, stopped = workspace(tmp_path / "straight"), workspace(tmp_path / "stopped")
    for folder in (straight, stopped):
        write_params(folder, SMALL | EVALUATOR)
    run_stage_in(straight, "evaluator", every=0.0)
    read(interrupted(stopped, "evaluator", ".resume/evaluator/*/rolling/images-*.safetensors"))
    noted = read_json(next(stopped.glob(".resume/evaluator/*/cost.json")))
    read(run_stage_in(stopped, "evaluator"))
    assert outputs(stopped) == outputs(straight)
    assert read_json(stopped / "provenance/evaluator.json")["seconds"] > min(cost["seconds"] for cost in noted.values())
    assert not list(stopped.glob(".resume/evaluator/*")), "what is done is not kept to go on from"


def test_ctrl_c_where_nothing_is_kept_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        run_stage(stopped)
    assert ended.value.code == INTERRUPTED
    assert capsys.readouterr().err.strip() == f"stopped: {NOTHING_KEPT}"
