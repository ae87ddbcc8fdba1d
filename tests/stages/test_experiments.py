"""What was tried, in a table that fits a terminal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stages.experiments import Row, experiments, table
from tests.programs import python
from tests.refusals import refused


def row(name: str, **params: str) -> Row:
    """As `dvc exp show --csv` gives it, less most of its columns."""
    measured = {"verdict.level": "fair", "frechet_distance": "0.469388", "frechet_floor": "0.37"}
    measured |= {"conditional_accuracy": "0.993", "metrics/selection.json:images": "100032", "last.images": "200000"}
    known = {
        "train.seed": "0",
        "train.images": "200000",
        "train.recipe.generator.learning_rate": "",
        "ingest.source": "digits",
    }
    tried = {key.replace("__", "."): value for key, value in params.items()}
    return {
        "Experiment": name,
        "rev": "0123abc",
        "typ": "branch_commit",
        **measured,
        **known,
        **tried,
        "data/raw": "ab",
    }


def test_an_experiment_has_its_figures_and_the_params_in_which_it_differs() -> None:
    lines = table([row(""), row("lr-1", train__seed="1"), row("lr-2", train__seed="2")]).splitlines()
    assert lines[0].split() == ["experiment", "verdict", "Frechet", "accuracy", "images", "train.seed"]
    assert lines[1].split() == ["0123abc", "fair", "0.469", "99.3%", "100,032", "0"]
    assert lines[3].split()[0::5] == ["lr-2", "2"]


def test_distances_of_other_data_stand_beside_those_of_their_real_images_and_are_not_to_be_compared() -> None:
    lines = table([row(""), row("clothes", frechet_floor="0.12"), row("same", frechet_floor="")]).splitlines()
    assert lines[0].split()[:5] == ["experiment", "verdict", "Frechet", "of", "real"]
    assert [line.split()[2:4] for line in lines[1:4]] == [["0.469", "0.370"], ["0.469", "0.120"], ["0.469", "–"]]
    assert lines[-1] == "  Frechet distances compare only where that of real images is the same"


def test_what_was_not_measured_is_a_dash_and_a_param_that_is_not_set_too() -> None:
    lines = table(
        [row("", frechet_distance="", verdict__level=""), row("a", train__recipe__generator__learning_rate="0.1")]
    )
    assert lines.splitlines()[1].split() == ["0123abc", "–", "–", "99.3%", "100,032", "–"]


def test_a_model_that_was_not_judged_is_called_so_as_everywhere() -> None:
    assert " not judged " in table([row("", verdict__level="unknown")]).splitlines()[1]


def test_a_commit_from_before_the_first_run_has_dashes() -> None:
    """DVC's mark for what it does not find."""
    before = row("", frechet_distance="!", verdict__level="!", conditional_accuracy="!")
    before["metrics/selection.json:images"] = "!"
    assert table([row("a"), before]).splitlines()[2].split() == ["0123abc", "–", "–", "–", "–"]


@pytest.mark.tried(
    "`python -m stages.experiments`, of experiments in which 12 params differ",
    "11 more params differ: dvc exp show --only-changed",
)
def test_many_params_and_long_names_fit_100_columns_and_the_rest_is_counted(read: Callable[[str], None]) -> None:
    many = {f"train__a_param_with_a_name_{number}": "" for number in range(12)}
    other = dict.fromkeys(many, "[{name: r1, weight: 1.0, interval: 16}]")
    text = table([row("", **many), row("a-name-that-goes-on-and-on-and-on", **other)])
    assert max(map(len, text.splitlines())) <= 100
    read(text.splitlines()[-1])
    narrow = table([row("", **many), row("a-name-that-goes-on-and-on-and-on", **other)], 80)
    assert max(map(len, narrow.splitlines())) <= 80
    assert "[{name: r1, weight:…" in text


@pytest.mark.tried(
    "`python -m stages.experiments` outside of git",
    "dvc cannot show experiments: you are not inside of a DVC repository...",
)
def test_outside_of_git_it_is_one_sentence_of_dvc_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    with refused("experiments-unavailable") as refusal:
        experiments(["--num", "1"])
    read(str(refusal.value))


@pytest.mark.tried(
    "`python -m stages.experiments --no-such-option`", "error: unrecognized arguments: --no-such-option: ..."
)
def test_an_option_that_it_does_not_know_is_refused(tmp_path: Path, read: Callable[[str], None]) -> None:
    done = python("-m", "stages.experiments", "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    read(done.stderr)
