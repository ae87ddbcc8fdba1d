"""Judging costs in proportion to the training: the default length is judged in full, a shorter one by less.

What `select` leaves out then: test_select_chosen.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from mintage.budget import FULL, LEAST, USUAL, images_beside
from stages.common.files import read_json
from stages.common.params import Evaluator, Select, load_section, load_value
from stages.evaluator import evaluator, summary, within_budget
from stages.media import medium_of
from stages.media.sounds import Sounds
from stages.selection import budget
from tests.stages.tiny_data import ROOT, write_digits, write_params


def test_at_the_default_length_nothing_is_left_out() -> None:
    params, training = load_section(Evaluator, ROOT / "params.yaml"), load_value("train.images", ROOT / "params.yaml")
    decided, notice = within_budget(params, training)
    assert (decided.images, notice) == (120_000, None)
    asked = load_section(Select, ROOT / "params.yaml")
    given = budget.within_budget(asked, training)
    assert (given.classifier_images, given.truncation) == (120_000, [0.25, 0.5, 1.0, 2.0])
    assert budget.left_out(asked, training, classifiers=True, truncation=True) is None


@pytest.mark.parametrize(
    ("training", "images"), [(5000, 12_000), (50_000, 30_000), (200_000, 120_000), (10**7, 120_000)]
)
def test_a_budget_follows_the_training_between_two_ends(training: int, images: int) -> None:
    assert images_beside(training) == images
    assert LEAST <= images_beside(training) <= FULL
    assert (images_beside(training) == FULL) == (training >= USUAL)


def test_a_number_in_params_wins_and_nothing_is_said(tmp_path: Path) -> None:
    asked = {"evaluator.images": 7000, "select.classifier_images": 9000, "select.truncation": [0.5]}
    write_params(tmp_path, asked)
    params = load_section(Evaluator, tmp_path / "params.yaml")
    assert within_budget(params, 5000) == (params, None)
    select = load_section(Select, tmp_path / "params.yaml")
    assert budget.within_budget(select, 5000) == select
    assert budget.left_out(select, 5000, classifiers=True, truncation=True) is None


@pytest.mark.tried(
    "a training of 5,000 images: what `select` left out",
    "Left out, since the training is of 5,000 images: the classification accuracy score and other classifiers "
    "(select.classifier_images).... To get them, set these params.",
)
def test_what_a_short_training_lacks_is_told_where_there_could_be_such_a_thing(read: Callable[[str], None]) -> None:
    asked = load_section(Select, ROOT / "params.yaml")
    given = budget.within_budget(asked, 5000)
    assert (given.classifier_images, given.truncation) == (0, [])
    facts = {
        kinds: budget.left_out(asked, 5000, classifiers="c" in kinds, truncation="t" in kinds)
        for kinds in ("ct", "c", "t", "")
    }
    assert facts[""] is None
    read(str(facts["c"]))
    assert "truncation" not in str(facts["c"])
    read(str(facts["ct"]))
    assert "since the training is of 1 image: " in str(budget.left_out(asked, 1, classifiers=True, truncation=True))
    assert budget.left_out(asked, 50_000, classifiers=False, truncation=True) is None


@pytest.mark.tried(
    "a training of 5,000 images: its evaluator",
    "The evaluator was shown 12,000 images in place of 120,000, since the training is of 5,000 images "
    "(evaluator.images: a number overrides).",
)
def test_a_short_training_gets_a_short_evaluator_which_is_told(tmp_path: Path, read: Callable[[str], None]) -> None:
    write_digits(tmp_path, train=300, holdout=100)
    write_params(tmp_path, {"train.images": 5000, "train.checkpoint_every": 5000})
    figures = evaluator(load_section(Evaluator, tmp_path / "params.yaml"), tmp_path)
    assert figures["images"] == LEAST
    read(read_json(tmp_path / "metrics/evaluator.json")["turned_down"])
    assert figures["holdout_accuracy"] > 0.8, "short, and still a judge"
    assert "held-out images; the evaluator was shown" in summary(figures, medium_of({})), "one sentence"
    of_sounds = summary(figures, Sounds())
    assert (
        "was shown 12,000 sounds in place of 120,000, since the training is of 5,000 sounds (evaluator.images"
        in of_sounds
    )
