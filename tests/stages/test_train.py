import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mintage.families import FAMILIES
from stages.common.checkpoint import read_checkpoint
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.params import load_section
from stages.common.resume import Resume
from stages.common.split import Split
from stages.common.train_params import Train
from stages.media.images import Images
from stages.train import make_trainer
from stages.train import train as train_on
from tests.stages.forked import run_train_stage, start_train_stage, try_stage_in
from tests.stages.tiny_data import digests, write_digits, write_params

SHORT: dict[str, Any] = {
    "train.images": 4000,
    "train.recipe.batch_size": 16,
    "train.checkpoint_every": 1000,
    "train.log_every": 500,
    "train.resume_every": 1e9,
    "train.recipe.width": 8,
    "train.threads": 1,
}
OFTEN = 0.02
"""Seconds between the states from which a killed training goes on; to write them takes half of a training's time."""


def train(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and everything printed."""
    return try_stage_in(folder, "train", *arguments)


def outputs(folder: Path) -> dict[str, str]:
    """All but provenance, which tells seconds."""
    return digests(folder, "models", "metrics", "plots")


def workspace(folder: Path, params: dict[str, Any] = SHORT, **changes: Any) -> Path:
    write_digits(folder)
    write_params(folder, params | {key.replace("__", "."): value for key, value in changes.items()})
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was never stopped."""
    folder = workspace(tmp_path_factory.mktemp("finished"))
    run_train_stage(folder)
    return folder


def copy_of(finished: Path, target: Path) -> Path:
    return Path(shutil.copytree(finished, target / "copy"))


def test_training_writes_checkpoints_grids_and_curves(finished: Path) -> None:
    names = set(outputs(finished))
    states = [f"images-{images:09d}" for images in (1008, 2000, 3008, 4000)]
    assert {f"models/checkpoints/{state}.safetensors" for state in states} <= names
    assert {f"plots/training/{state}.png" for state in states} <= names
    rows = (finished / "metrics/train.tsv").read_text().splitlines()
    assert rows[0].split("\t")[:4] == ["images", "discriminator_loss", "generator_loss", "d_real"]
    assert [int(row.split("\t")[0]) for row in rows[1:]] == [512, 1008, 1504, 2000, 2512, 3008, 3504, 4000]


@pytest.mark.slow
def test_a_training_killed_with_9_at_any_moment_ends_in_the_same_bits(finished: Path, tmp_path: Path) -> None:
    folder = workspace(tmp_path, train__resume_every=OFTEN)
    moments, kills = random.Random(0), 0
    while kills < 8:
        process = start_train_stage(folder)
        wait_for_a_new_state(folder, process.is_alive)
        time.sleep(moments.uniform(0, 0.4))  # any moment: in a turn, in a save, between the two
        process.kill()
        process.join()
        if process.exitcode == 0:
            break  # it was faster than the kill
        kills += 1
    output = (folder / "output.txt").read_text()
    assert kills >= 2, output
    run_train_stage(folder)
    assert outputs(folder) == outputs(finished)


def test_the_rows_so_far_are_there_while_the_training_goes_on(finished: Path, tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    process, log = start_train_stage(folder), folder / "metrics/train.tsv"
    while not log.exists() and process.is_alive():
        time.sleep(0.005)
    assert process.is_alive(), "it was faster than the look"
    process.kill()
    process.join()
    rows = log.read_text().splitlines()
    assert 2 <= len(rows) < 9
    assert rows == (finished / "metrics/train.tsv").read_text().splitlines()[: len(rows)]


def wait_for_a_new_state(folder: Path, running: Callable[[], bool]) -> None:
    before = saved_states(folder)
    deadline = time.monotonic() + 300
    while saved_states(folder) == before and running() and time.monotonic() < deadline:
        time.sleep(0.005)


def saved_states(folder: Path) -> set[str]:
    return {str(path) for path in (folder / ".resume").rglob("images-*.safetensors")}


def test_a_finished_training_run_again_plays_no_turn_and_gives_the_same_bits(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    shutil.rmtree(folder / "models")
    output = run_train_stage(folder)
    assert "going on from 4,000 images" in output
    assert outputs(folder) == outputs(finished)


def test_a_longer_run_goes_on_from_a_shorter_one_and_ends_as_if_it_had_not(finished: Path, tmp_path: Path) -> None:
    folder = workspace(tmp_path, train__images=1500)
    assert train(folder)[0] == 0
    assert "models/checkpoints/images-000001504.safetensors" in outputs(folder)
    write_params(folder, SHORT)
    output = run_train_stage(folder)
    assert "going on from 1,504 images" in output
    assert outputs(folder) == outputs(finished)


def test_a_shorter_run_is_cut_from_a_longer_one(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    write_params(folder, SHORT | {"train.images": 2000})
    output = run_train_stage(folder)
    assert "going on from 2,000 images" in output
    rows = (folder / "metrics/train.tsv").read_text().splitlines()
    assert rows == (finished / "metrics/train.tsv").read_text().splitlines()[: len(rows)]
    assert len(list((folder / "models/checkpoints").iterdir())) == 2


def test_a_changed_seed_starts_anew(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    write_params(folder, SHORT | {"train.seed": 1})
    output = run_train_stage(folder)
    assert "going on" not in output
    assert not set(outputs(folder).values()) & set(outputs(finished).values())


def refused(folder: Path) -> str:
    """The one sentence of a training that must be refused; its earlier outputs must not change."""
    before = outputs(folder)
    code, output = train(folder)
    assert code == 2, output
    assert "Traceback" not in output
    after = outputs(folder)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"metrics/train.tsv"}, "where there was none, the rows up to then"
    sentences = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1
    return sentences[0]


def newest_state(folder: Path) -> Path:
    return max((folder / ".resume").rglob("kept/*.safetensors"), key=lambda path: path.name)


@pytest.mark.parametrize("damage", ["flipped bit", "truncated", "empty", "not safetensors"])
def test_a_damaged_checkpoint_is_refused_by_name(finished: Path, tmp_path: Path, damage: str) -> None:
    folder = copy_of(finished, tmp_path)
    path = newest_state(folder)
    content = path.read_bytes()
    path.unlink()  # it shares its bytes with the output
    flipped = content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]
    damaged = {"flipped bit": flipped, "truncated": content[:-10], "empty": b"", "not safetensors": b"hello" * 100}
    path.write_bytes(damaged[damage])
    sentence = refused(folder)
    assert path.name in sentence
    assert "is damaged" in sentence
    path.unlink()  # as the sentence says
    assert train(folder)[0] == 0
    assert outputs(folder) == outputs(finished)


def test_a_checkpoint_of_other_params_is_refused_by_name(finished: Path, tmp_path: Path) -> None:
    folder = copy_of(finished, tmp_path)
    foreign = newest_state(folder)
    write_params(folder, SHORT | {"train.seed": 1, "train.images": 1000})
    assert train(folder)[0] == 0
    write_params(folder, SHORT | {"train.seed": 1})
    own = next(path for path in (folder / ".resume").iterdir() if path not in foreign.parents)
    shutil.copy(foreign, own / "kept" / foreign.name)
    sentence = refused(folder)
    assert foreign.name in sentence
    assert "other params" in sentence


def test_a_full_disk_in_the_middle_of_a_write_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    folder = workspace(tmp_path, train__images=1000, train__resume_every=OFTEN)
    code, output = try_stage_in(folder, "train", largest_file=100_000)
    assert code == 2, output
    assert "error: no room to write" in output
    assert "Traceback" not in output
    assert not list(folder.rglob("*.partial"))
    run_train_stage(folder)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"train.device": "cuda:7"}, "device 'cuda:7' is not on this machine"),
        (
            {"train.family": "wgan_gp", "train.recipe.discriminator.normalization": "batch"},
            "batch norm makes a judgment depend",
        ),
        ({"train.recipe.packing": 3}, "train.family = 'cgan': a batch must be a whole number of packs"),
        ({"train.recipe.penalties": [{"name": "r1"}, {"name": "r1"}]}, "penalties names 'r1' twice"),
        ({"train.recipe.generator.learning_rate": 1e30}, "training diverged"),
    ],
)
def test_a_training_that_cannot_be_is_one_sentence(tmp_path: Path, changes: dict[str, Any], fragment: str) -> None:
    folder = workspace(tmp_path)
    write_params(folder, SHORT | changes)
    assert fragment in refused(folder)


def test_a_training_shorter_than_its_intervals_has_a_checkpoint_and_a_row_at_its_end(tmp_path: Path) -> None:
    folder = workspace(tmp_path, train__images=480, train__checkpoint_every=20_000, train__log_every=5_000)
    output = run_train_stage(folder)
    assert [path.stem for path in (folder / "models/checkpoints").iterdir()] == ["images-000000480"]
    (row,) = (folder / "metrics/train.tsv").read_text().splitlines()[1:]
    assert row.startswith("480\t")
    named = "train.checkpoint_every and train.log_every are not below train.images = 480"
    assert output.count(f"{named}: one checkpoint and one row of metrics/train.tsv, at the end") == 1


@pytest.mark.parametrize("classes", [None, ["only"]])
def test_a_conditional_family_on_unlabeled_data_or_one_class_is_refused(
    tmp_path: Path, classes: list[str] | None
) -> None:
    write_digits(tmp_path, classes=classes)
    write_params(tmp_path, SHORT)
    assert "a conditional family" in refused(tmp_path)
    write_params(tmp_path, SHORT | {"train.family": "gan", "train.images": 1000})
    run_train_stage(tmp_path)


WITHOUT_GRADIENT = {
    "train.recipe.objective": "minimax",
    "train.recipe.generator.normalization": "none",
    "train.recipe.discriminator.learning_rate": 0.02,
}
"""The discriminator is sure at once, and the saturating loss then teaches the generator nothing."""


def test_a_collapsed_training_stops_where_params_say_so_and_a_healthy_one_goes_on(tmp_path: Path) -> None:
    guarded = SHORT | {"train.family": "gan", "train.recipe.width": 32, "train.min_diversity": 0.3}
    folder = workspace(tmp_path)
    write_params(folder, guarded)
    run_train_stage(folder)
    column = [row.split("\t")[-1] for row in (folder / "metrics/train.tsv").read_text().splitlines()]
    assert column[0] == "diversity"
    assert all(float(value) > 0.3 for value in column[1:])
    write_params(folder, guarded | WITHOUT_GRADIENT | {"train.resume_every": OFTEN})
    sentence = refused(folder)
    assert "training collapsed: two generated images differ 0." in sentence
    assert "at 1,008 images, less than train.min_diversity = 0.3 (the last good state, at" in sentence
    write_params(folder, guarded | WITHOUT_GRADIENT | {"train.min_diversity": 0.0})
    output = run_train_stage(folder)
    assert "going on from" in output


@pytest.mark.parametrize(("family", "players"), [("vae", {"generator"}), ("gan", {"generator", "discriminator"})])
def test_provenance_counts_the_weights_of_the_players_that_learned(
    tmp_path: Path, family: str, players: set[str]
) -> None:
    folder = workspace(tmp_path, train__images=160, train__family=family)
    run_train_stage(folder)
    assert read_json(folder / "provenance/train.json")["parameters"].keys() == players


def test_what_is_not_finite_is_never_saved_and_the_last_good_state_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace(tmp_path, train__images=1000)
    monkeypatch.chdir(folder)
    params = load_section(Train)
    trainer = make_trainer(params, Split("data/normalized/train"))
    resume = Resume(".resume", {"test": 1})
    for _ in range(2):
        trainer.turn()
    resume.roll(trainer.state())
    with torch.no_grad():
        next(trainer.average.parameters())[0] = float("nan")  # no loss would ever show it
    with pytest.raises(
        UserError, match=r"average\..* is not finite at \d+ images .*at 32 images, is .*images-000000032"
    ):
        train_on(trainer, resume, params, Images())
    files = [path.name for path in (folder / ".resume").rglob("*") if path.is_file() and path.suffix != ".json"]
    assert files == ["images-000000032.safetensors"]
    good = make_trainer(params, Split("data/normalized/train"))
    good.load(*read_checkpoint(next((folder / ".resume").rglob("*.safetensors"))))
    good.check()


def test_the_families_are_told_without_params_or_data(tmp_path: Path) -> None:
    code, output = train(tmp_path, "--families")
    assert code == 0, output
    head, *rows = output.splitlines()
    assert head.split()[:2] == ["family", "paper"]
    assert [row.split()[0] for row in rows] == list(FAMILIES)
    assert all(FAMILIES[row.split()[0]].paper in row and "objective=" in row for row in rows)


def test_a_family_learns_by_the_papers_own_values_where_params_say_so_and_a_recipe_it_has_not_is_refused(
    tmp_path: Path,
) -> None:
    folder = workspace(tmp_path)
    write_params(folder, SHORT | {"train.family": "gan", "train.variant": "lecture", "train.recipe.batch_size": None})
    run_train_stage(folder)
    recipe = read_json(folder / "provenance/train.json")["recipe"]
    assert (recipe["batch_size"], recipe["generator"]["learning_rate"]) == (32, 1e-4)
    write_params(folder, SHORT | {"train.family": "cgan", "train.variant": "lecture"})
    sentence = refused(folder)
    assert "train.variant = 'lecture' is none of 'cgan': it has short, modulated, paper" in sentence


def test_nothing_trains_on_data_that_failed_the_gate(tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    (folder / "reports/validation.json").write_text('{"success": false}')
    assert "did not pass the gate" in refused(folder)
    (folder / "reports/validation.json").unlink()
    assert "validation.json is missing" in refused(folder)
