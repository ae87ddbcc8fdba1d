"""What a sweep makes before anything runs: grids, worktrees and their files; and how it compares what came out."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from flows.graph import load_graph
from flows.grid import grid, read_list
from flows.once import work_of
from flows.overrides import apply
from flows.ranking import Ending, as_text, foreseen, main_columns, printed, reasons, table, verdict
from flows.trials import Sweep, has_moved, name_for, open_sweep, save_experiment
from stages.common.params import Params, load_params
from tests.flows.sweep_toy import commit, dvc, make_repository
from tests.flows.toy import ROOT
from tests.programs import git
from tests.refusals import refused


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "toy")


@pytest.mark.parametrize(
    ("overrides", "trials", "expected"),
    [
        (["train.seed=1,2", "+train.recipe.width=8,16"], [], ["1 8", "1 16", "2 8", "2 16"]),
        (["train.seed=range(1,4)"], [], ["1", "2", "3"]),
        (["train.seed=1,1"], [], ["1"]),
        ([], [["train.seed=1"], ["train.seed=2", "+train.recipe.width=8"]], ["1", "2 8"]),
        (["+train.recipe.width=8,16"], [["train.seed=1"]], ["8 1", "16 1"]),
        (["params.yaml:train.seed=1,2"], [], ["1", "2"]),
        ([], [[], ["train.seed=1"]], ["", "1"]),
        ([], [], []),
    ],
)
def test_a_grid_is_every_combination_once(overrides: list[str], trials: list[list[str]], expected: list[str]) -> None:
    found = [" ".join(override.partition("=")[2] for override in trial) for trial in grid(overrides, trials)]
    assert found == expected


def test_a_choice_may_be_a_list_or_a_text_with_a_comma() -> None:
    guards = "select.guards=[{metric: conditional_accuracy, at_least: 0.8}],[]"
    assert len(grid([guards], [])) == 2
    assert len(grid(["report.title='one, two'"], [])) == 1


def test_a_sweep_cannot_rank_by_a_metric_that_rewards_a_bad_model(repository: Path) -> None:
    with refused("params-invalid", "select.metric: 'density' can only be a guard, since one image made over"):
        open_sweep(repository, "s", grid(["select.metric=coverage,density"], []))


@pytest.mark.parametrize("override", ["train.seed", "train.seed=1,", "train.seed=glob(*)", "train.seed=interval(0,1)"])
def test_an_override_of_another_form_is_refused_in_a_sentence(override: str) -> None:
    with refused("override-malformed", "overrides train", " are not of the form section.key=value,value: ") as refusal:
        grid([override], [])
    assert "\n" not in str(refusal.value)


def test_overrides_go_into_a_copy_that_may_be_written_where_params_yaml_may_only_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    modes: list[int] = []
    params.chmod(0o444)
    monkeypatch.setattr("dvc.utils.hydra.apply_overrides", lambda copy, _: modes.append(copy.stat().st_mode & 0o200))
    apply(params, ["train.seed=1"])
    assert modes == [0o200]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- [train.seed=1]\n- [train.seed=2, +train.recipe.width=8]", None),
        ("- train.seed=1", "grid-invalid"),
        ("- [train.seed: 1]", "grid-invalid"),
        ("- [", "grid-invalid"),
        (None, "grid-unreadable"),
    ],
)
def test_a_list_of_trials_is_read_or_refused_in_a_sentence(tmp_path: Path, text: str | None, code: str | None) -> None:
    path = tmp_path / "trials.yaml"
    if text is not None:
        path.write_text(text)
    if code is None:
        assert read_list(path) == [["train.seed=1"], ["train.seed=2", "+train.recipe.width=8"]]
    else:
        with refused(code, "trials.yaml"):
            read_list(path)


def test_two_trials_do_the_same_work_up_to_where_their_params_differ(repository: Path) -> None:
    graph, params = load_graph(repository), load_params(repository / "params.yaml")
    other = params.model_copy(update={"train": params.train.model_copy(update={"seed": 7})})
    one, two = work_of(graph, params), work_of(graph, other)
    assert [name for name in graph if one[name] == two[name]] == ["data"]
    assert len(set(one.values())) == len(graph)


def test_a_trial_shares_the_cache_and_has_the_settings_that_git_does_not_have(repository: Path) -> None:
    dvc(repository, "remote", "add", "--default", "--local", "store", "../store")
    trial = open_sweep(repository, "s", [["train.seed=1"]]).trials[0]
    with Repo(str(trial.workspace)) as there, Repo(str(repository)) as here:
        assert there.cache.local_cache_dir == here.cache.local_cache_dir
        assert there.config["core"]["remote"] == "store"
        assert there.config["remote"]["store"]["url"] == str(repository.parent / "store")
    assert (trial.workspace / ".dvc" / "config.local").stat().st_mode & 0o077 == 0
    assert git(trial.workspace, "status", "--porcelain") == "M params.yaml"


def test_a_git_hook_does_not_run_in_a_new_trial(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"  # as `dvc install` makes one
    hook.write_text(f"#!/bin/sh\ntouch {repository}/hooked\n")
    hook.chmod(0o755)
    open_sweep(repository, "s", [["train.seed=1"]])
    assert not (repository / "hooked").exists()


def test_images_are_linked_code_is_copied_and_outputs_are_left_out(repository: Path, tmp_path: Path) -> None:
    source = repository / "data" / "source"
    (source / "cat.png").write_bytes(b"cat")
    (source / "more").mkdir()
    (source / "more" / "new.py").write_text("git could have it")
    (tmp_path / "elsewhere").mkdir()
    (source / "far").symlink_to("../../../elsewhere")
    (repository / "models").mkdir()
    (repository / "models" / "evaluator").write_text("old")
    trial = open_sweep(repository, "s", [["train.seed=1"]]).trials[0].workspace
    its = trial / "data" / "source"
    assert (its / "cat.png").samefile(source / "cat.png")
    assert (its / "more" / "new.py").read_text() == "git could have it"
    assert not (its / "more" / "new.py").samefile(source / "more" / "new.py")
    assert (its / "far").resolve() == tmp_path / "elsewhere"
    assert not (trial / "models").exists()


def test_images_may_be_in_another_place_for_each_trial(repository: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (repository / name).mkdir()
        (repository / name / f"{name}.png").touch()
    sweep = open_sweep(repository, "s", [["ingest.path=one"], ["ingest.path=two"]])
    found = [sorted(path.name for path in trial.workspace.glob("*/*.png")) for trial in sweep.trials]
    assert found == [["one.png"], ["two.png"]]


def test_a_place_outside_named_from_the_main_checkout_on_is_refused(repository: Path) -> None:
    (repository.parent / "images").mkdir()
    with refused("path-outside-checkout", "dvc.yaml reads '../images', outside of the checkout, ", " absolute path"):
        open_sweep(repository, "s", [["ingest.path=../images"]])
    assert not (repository / ".flow" / "sweeps" / "s").exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert open_sweep(repository, "s", [[f"ingest.path={repository.parent / 'images'}"]]).trials


@pytest.mark.parametrize(
    ("name", "overrides", "code", "sentence"),
    [
        ("s", ["train.sed=1"], "override-refused", "did you mean 'train.seed'"),
        ("s", ["ingest.options.points=9"], "override-refused", "'+ingest.options.points=9'"),
        ("s", ["train.width=9"], "override-refused", "'+train.recipe.width=9'"),
        ("s", ["train.recipe.width=9"], "override-refused", "'+train.recipe.width=9'"),
        ("s", ["train.seed=-1"], "params-invalid", "with the overrides, params.yaml: train.seed = -1"),
        ("s", [], "sweep-unknown", "'s'"),
        ("a/b", ["train.seed=1"], "sweep-name-invalid", "'a/b'"),
        ("..", ["train.seed=1"], "sweep-name-invalid", "'..'"),
        ("-n", ["train.seed=1"], "sweep-name-invalid", "'-n'"),
    ],
)
def test_what_is_wrong_with_one_trial_is_said_before_any_is_made(
    repository: Path, name: str, overrides: list[str], code: str, sentence: str
) -> None:
    with refused(code, sentence):
        open_sweep(repository, name, [["train.seed=5"], overrides] if overrides else [])
    assert not list(repository.glob(".flow/sweeps/*"))
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_folder_without_git_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    with refused("git-checkout-needed"):
        open_sweep(tmp_path, "s", [["train.seed=1"]])


def test_trials_are_added_under_the_same_name_and_what_is_there_stays(repository: Path) -> None:
    first = open_sweep(repository, "s", [["train.seed=1"]]).trials[0]
    (first.workspace / "made").touch()
    both = open_sweep(repository, "s", [["train.seed=2"], ["train.seed=1"]])
    assert both.overrides == [["train.seed=1"], ["train.seed=2"]]
    assert (first.workspace / "made").exists()
    assert open_sweep(repository, "s", []) == both


def test_a_trial_has_the_changes_that_are_not_committed_as_with_dvc_exp_run(repository: Path) -> None:
    params = (repository / "params.yaml").read_text()
    (repository / "params.yaml").write_text(params.replace("  recipe: {} ", "  recipe: {width: 16} "))
    (repository / "toy.py").write_text("changed\n")
    (repository / "dvc.lock").write_text("schema: '2.0'\n")  # not committed yet either
    sweep = open_sweep(repository, "s", [["train.seed=4"]])
    trial = sweep.trials[0]
    train = load_params(trial.workspace / "params.yaml").train
    assert (train.seed, train.recipe) == (4, {"width": 16})
    assert (trial.workspace / "toy.py").read_text() == "changed\n"
    save_experiment(sweep, trial)
    reference = git(repository, "for-each-ref", "--format", "%(refname)", "refs/exps")
    changed = git(repository, "diff", "--name-only", "HEAD", reference).split()
    assert changed == ["dvc.lock", "params.yaml", "toy.py"]
    assert git(repository, "rev-parse", f"{reference}^") == git(repository, "rev-parse", "HEAD")
    assert git(repository, "stash", "list") == ""


def test_a_sweep_stays_with_the_files_it_was_begun_with(repository: Path) -> None:
    (repository / "toy.py").write_text("not committed\n")
    begun = open_sweep(repository, "s", [["train.seed=2"]])
    (repository / "dvc.lock").write_text("schema: '2.0'\n")
    assert not has_moved(begun)
    (repository / "toy.py").write_text("another\n")
    commit(repository)
    git(repository, "gc", "--quiet", "--prune=now")
    again = open_sweep(repository, "s", [["train.seed=3"]])
    assert has_moved(again)
    assert again.commit == begun.commit != git(repository, "rev-parse", "HEAD")
    assert (again.trials[1].workspace / "toy.py").read_text() == "not committed\n"


def test_the_same_overrides_on_the_same_files_have_the_same_name(repository: Path) -> None:
    wanted = [["train.seed=1"], ["train.seed=2"]]
    name = name_for(repository, wanted)
    (repository / "dvc.lock").write_text("a run has been here\n")
    assert name_for(repository, wanted) == name
    assert name_for(repository, wanted[:1]) != name
    (repository / "toy.py").write_text("another\n")
    assert name_for(repository, wanted) != name


def test_a_checkout_that_was_half_made_when_the_sweep_was_killed_is_made_anew(repository: Path) -> None:
    sweep = open_sweep(repository, "s", [["train.seed=1"]])
    (sweep.folder / "sweep.json").unlink()  # it is written when all are made
    (sweep.trials[0].workspace / "toy.py").unlink()
    again = open_sweep(repository, "s", [["train.seed=2"]]).trials[0]
    assert load_params(again.workspace / "params.yaml").train.seed == 2
    assert (again.workspace / "toy.py").exists()


def test_overrides_of_a_run_going_on_in_the_main_checkout_are_not_the_sweep_s(repository: Path) -> None:
    users = (repository / "params.yaml").read_text()
    (repository / ".flow").mkdir()
    (repository / ".flow" / "params.yaml").write_text(users)
    (repository / "params.yaml").write_text(users.replace("  recipe: {} ", "  recipe: {width: 64} "))
    trial = open_sweep(repository, "s", [["train.seed=1"]]).trials[0]
    assert load_params(trial.workspace / "params.yaml").train.recipe == {}


def test_a_pipeline_in_a_folder_of_a_larger_repository_is_swept_there(tmp_path: Path) -> None:
    inner = make_repository(tmp_path / "outer" / "inner")
    (inner / ".git").rename(tmp_path / "outer" / ".git")
    git(tmp_path / "outer", "add", "--all")
    git(tmp_path / "outer", "commit", "--quiet", "--message", "moved")
    sweep = open_sweep(inner, "s", [["train.seed=5"]])
    trial = sweep.trials[0]
    assert trial.workspace == inner / ".flow" / "sweeps" / "s" / "1" / "inner"
    assert load_params(trial.workspace / "params.yaml").train.seed == 5
    (trial.workspace / "dvc.lock").write_text("schema: '2.0'\n")
    save_experiment(sweep, trial)
    assert "s-1" in dvc(inner, "exp", "list")


def test_a_checkout_that_was_copied_is_swept(repository: Path, tmp_path: Path) -> None:
    """Git's index then holds the inodes of the files that were copied, which ends `git stash create` in silence."""
    copy = shutil.copytree(repository, tmp_path / "copy", symlinks=True)
    sweep = open_sweep(copy, "s", [["train.seed=5"]])
    assert load_params(sweep.trials[0].workspace / "params.yaml").train.seed == 5


def test_a_checkout_that_cannot_be_written_is_told_in_git_s_own_words(repository: Path) -> None:
    (repository / ".git/index.lock").touch()
    os.utime(repository / "params.yaml", (0, 0))
    with refused("git-failed", "fatal: Unable to create ", "index.lock"):
        open_sweep(repository, "s", [["train.seed=5"]])


def test_an_experiment_needs_no_git_identity_and_holds_what_git_tracks_of_a_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("user.name", "user.email"):
        git(repository, "config", "--unset", key)
    git(repository, "config", "user.useConfigOnly", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    stages = (repository / "dvc.yaml").read_text()
    (repository / "dvc.yaml").write_text(stages.replace("- metrics/selection.json", "- score.json: {cache: false}", 1))
    sweep = open_sweep(repository, "s", [["train.seed=5"]])
    trial = sweep.trials[0]
    (trial.workspace / "dvc.lock").write_text("schema: '2.0'\n")
    for name in ("score.json", "notes.txt"):
        (trial.workspace / name).write_text("{}")
    save_experiment(sweep, trial)
    reference = git(repository, "for-each-ref", "--format", "%(refname)", "refs/exps")
    kept = git(repository, "diff", "--name-only", "HEAD", reference).split()
    assert kept == ["dvc.lock", "dvc.yaml", "params.yaml", "score.json"]
    assert git(repository, "log", "-1", "--format=%s", reference) == "sweep s, trial 1: train.seed=5"


def ending(distance: float, **measured_by: Any) -> Ending:
    rule = {"select.metric": "frechet_distance", **measured_by}
    figures = {"images": 9, "frechet_distance": distance, "frechet_floor": 0.5, "samples": 200}
    about = {"metric": "frechet_distance", "rule": "lowest Frechet distance", "floor_images": 9, "holdout_images": 9}
    return Ending("finished", 1.0, [], "", {**figures, **about, "checkpoints": 1, "last": figures}, rule)


def three(repository: Path) -> Sweep:
    return Sweep(repository, "s", "HEAD", "HEAD", [["train.seed=1"], ["train.seed=2"], []])


def test_the_best_is_the_lowest_or_the_highest_as_the_rule_says(repository: Path) -> None:
    endings = {1: ending(3.0), 2: ending(1.0), 3: Ending("failed", 2.0, [], "no")}
    assert verdict(three(repository), endings) == "best by the rule 'lowest Frechet distance': s-2 (train.seed=2)"
    highest = {number: ending(value, **{"select.metric": "coverage"}) for number, value in ((1, 3.0), (2, 1.0))}
    assert "s-1" in verdict(three(repository), highest)
    assert verdict(three(repository), {1: endings[3]}) == "no trial was measured, so none is the best"


def test_trials_that_were_measured_differently_are_not_compared_and_it_says_why(repository: Path) -> None:
    endings = {
        1: ending(3.0, **{"models/evaluator": "a", "select.samples": 200}),
        2: ending(1.0, **{"models/evaluator": "b", "select.samples": 200}),
        3: ending(2.0, **{"models/evaluator": "a", "select.samples": 200}),
    }
    assert verdict(three(repository), endings) == (
        "trials were measured with different models/evaluator, so their figures do not compare; "
        "the best of those measured alike: s-2 (train.seed=2), s-3 (params.yaml as it is)"
    )
    marks = [row["best"] for row in table(three(repository), endings)]
    assert marks == ["", "*", "*"]


def test_trials_whose_evaluators_will_differ_are_told_before_they_run() -> None:
    params = load_params(ROOT / "params.yaml")

    def params_of(training: int, images: int | None = None) -> Params:
        train = params.train.model_copy(update={"images": training})
        evaluator = params.evaluator.model_copy(update={"images": images})
        return params.model_copy(update={"train": train, "evaluator": evaluator})

    assert foreseen([params_of(200_000), params_of(5_000), params_of(300_000)]) == (
        "trials will be measured by evaluators of 12,000 and 120,000 images, so their figures may not compare: "
        "stop, and add -S evaluator.images=120000"
    )
    assert not foreseen([params_of(200_000), params_of(10**6)])
    assert not foreseen([params_of(5_000, 9_000), params_of(50_000, 9_000)])


def test_a_terminal_shows_what_was_varied_the_metric_and_the_verdict_within_its_width(repository: Path) -> None:
    long = " ".join(f"train.recipe.generator.axis_{number}=0.001" for number in range(5))
    swept = replace(three(repository), overrides=[["train.seed=1"], [long], ["train.seed=3"]])
    endings = {1: ending(3.0), 2: ending(1.0), 3: Ending("failed", 2.0, [], "no luck")}
    rows = table(swept, endings)
    lines = printed(main_columns(rows, endings)).splitlines()
    columns = [name.strip() for name in re.split(r"\s{2,}", lines[0])]
    assert columns == ["trial", "overrides", "Frechet distance (real)", "verdict", "best"]
    assert [line.split() for line in lines if line.startswith("s-")][2] == ["s-3", "train.seed=3", "failed"]
    assert lines[2].split()[-1] == "*"
    assert max(map(len, lines)) <= 100
    assert "".join(" ".join(lines).split()).count("axis_") == 5
    assert reasons(rows) == "s-3: no luck"
    assert len(as_text(rows).splitlines()[0].split("\t")) == len(rows[0]) == 8
