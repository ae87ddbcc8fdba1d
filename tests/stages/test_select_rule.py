from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.params import Guard, Select, load_section
from stages.media.images import Images
from stages.selection.rule import choose, cost_of_last, passes, sentence, why
from stages.selection.verdicts import game
from tests.refusals import refused
from tests.stages.tiny_data import ROOT

FIGURE = st.floats(0, 1, allow_nan=False)
SOME = ["frechet_distance", "kernel_distance", "conditional_accuracy"]
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(SOME, FIGURE)), min_size=1, max_size=12)
GUARDS = st.lists(st.builds(Guard, metric=st.sampled_from(SOME), at_least=FIGURE), max_size=2)
PARAMS = load_section(Select, ROOT / "params.yaml")


def rule(metric: str = "frechet_distance", guards: list[Guard] | None = None, curve: str = "raw") -> Select:
    return PARAMS.model_copy(update={"metric": metric, "guards": guards or [], "curve": curve})


@given(ROWS, st.sampled_from(SOME), GUARDS)
def test_no_row_that_passes_the_guards_is_better_than_the_chosen_and_no_earlier_one_as_good(
    rows: list[dict[str, float]], metric: str, guards: list[Guard]
) -> None:
    passing = [index for index, row in enumerate(rows) if all(passes(row, guard) for guard in guards)]
    if not passing:
        with refused("guards-passed-by-none"):
            choose(rows, rule(metric, guards))
        return
    chosen = choose(rows, rule(metric, guards)).chosen
    assert chosen in passing
    sign = -1 if metric == "conditional_accuracy" else 1
    for index in passing:
        assert sign * rows[chosen][metric] <= sign * rows[index][metric]
        assert index >= chosen or rows[index][metric] != rows[chosen][metric]


@given(ROWS, st.sampled_from(SOME), st.sampled_from(["raw", "smoothed"]))
def test_the_last_costs_what_it_is_worse_than_the_chosen_and_never_less_than_nothing(
    rows: list[dict[str, float]], metric: str, curve: str
) -> None:
    params = rule(metric, curve=curve)
    choice = choose(rows, params)
    worse = abs(rows[-1][metric] - rows[choice.chosen][metric])
    cost = cost_of_last(rows, choice, params)
    assert cost == pytest.approx(worse, rel=1e-5) or (curve == "smoothed" and cost == 0)


def curve_of(*figures: float | None) -> list[dict[str, Any]]:
    """Rows of one metric; None is not measured."""
    known = {"frechet_floor": 0.5}
    return [{"images": 100 * i} | known | ({} if f is None else {"frechet_distance": f}) for i, f in enumerate(figures)]


@pytest.mark.parametrize(
    ("figures", "won"),
    [([9, 4, 3, 5], True), ([9, 3, 4, 5], False), ([9, 3, 3, 5], False), ([9, 3, None, None], None)],
)
def test_the_game_wins_where_its_best_checkpoint_is_better_than_the_best_before_it(
    figures: list[float | None], won: bool | None
) -> None:
    found = game(curve_of(*figures), rule(), Images(), first=100)
    assert (found and (found["won"], found["known"])) == (None if won is None else (won, True))


def test_higher_is_better_where_the_metric_says_so_and_a_game_alone_or_none_is_not_judged() -> None:
    rows = [{"images": 100, "conditional_accuracy": 0.8}, {"images": 200, "conditional_accuracy": 0.9}]
    found = game(rows, rule("conditional_accuracy"), Images(), first=150)
    assert found is not None
    assert found["won"]
    assert "90.0%" in found["sentence"]
    assert "80.0%" in found["sentence"]
    assert game(rows, rule("conditional_accuracy"), Images(), first=0) is None
    assert game(rows, rule("conditional_accuracy"), Images(), first=1e12) is None
    late = game(rows, rule("conditional_accuracy"), Images(), first=50)
    assert late is not None
    assert not late["known"]
    assert "set train.checkpoint_every to 50 or less" in late["sentence"]


def test_a_lucky_checkpoint_is_chosen_by_the_raw_curve_and_not_by_the_smoothed() -> None:
    rows = curve_of(9, 8, 1, 8, 4, 3, 4)
    assert choose(rows, rule()).chosen == 2
    smoothed = choose(rows, rule(curve="smoothed"))
    assert (smoothed.chosen, smoothed.runner_up) == (5, 4)
    assert choose(curve_of(50, 5, 10, 60), rule(curve="smoothed")).chosen == 1  # not the first, whose median it shares
    assert choose(curve_of(9, 4), rule(curve="smoothed")).chosen == 1


def test_a_checkpoint_of_which_the_metric_is_absent_is_never_chosen() -> None:
    rows = curve_of(None, 3, 2, None)
    choice = choose(rows, rule())
    assert choice.ranking == [2, 1]
    assert cost_of_last(rows, choice, rule()) is None
    with refused("metric-not-measured", "select.metric names 'frechet_distance'", "(too few)"):
        choose(curve_of(None, None), rule(), {"frechet_distance": "too few"})


def test_the_choice_is_told_with_its_floor_and_the_runner_up() -> None:
    rows = curve_of(3, 1, 2)
    words = "At 100 images the Frechet distance is 1.00 (real images: 0.500), the lowest Frechet distance"
    assert why(rows, choose(rows, rule()), rule()) == f"{words}; the next best is 2.00 at 200 images."
    assert why(rows[1:2], choose(rows[1:2], rule()), rule()) == f"{words}; it is the only checkpoint."


def test_where_no_checkpoint_passes_each_guard_is_named_with_the_best_that_was_reached() -> None:
    rows = [{"frechet_distance": f, "conditional_accuracy": a} for f, a in [(9.5, 0.5), (7.25, 0.75)]]
    guards = [Guard(metric="conditional_accuracy", at_least=0.9), Guard(metric="frechet_distance", at_most=2)]
    with refused("guards-passed-by-none") as error:
        choose(rows, rule(guards=guards))
    assert "conditional accuracy at least 0.9 (best reached: 0.75)" in str(error.value)
    assert "Frechet distance at most 2 (best reached: 7.25)" in str(error.value)


def test_the_rule_reads_as_a_sentence() -> None:
    guards = [Guard(metric="conditional_accuracy", at_least=0.8)]
    assert sentence(rule()) == "lowest Frechet distance"
    assert sentence(rule(guards=guards)) == "lowest Frechet distance among those with conditional accuracy at least 0.8"


# The stage.
