"""The gallery's own scripts: which releases are shown, in which order, and how two are compared."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stages.gallery.pages import breakable
from tests.stages.gallery_sites import Gallery, in_node, node


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path)


CARDS = [
    {"family": family, "data": data, "level": level, "text": f"{family} on {data}", "published": place}
    | {"distance": distance, "figures": {"recall": ["", "", recall]} if recall else {}}
    for place, (family, data, level, distance, recall) in enumerate(
        [("gan", "shoes", "poor", 9, 0.01), ("cgan", "shoes", "good", 1.2, 0.09), ("cgan", "bags", "good", None, None)],
        start=1,
    )
]
NOTHING = {"q": "", "family": "", "data": "", "level": "", "metric": "", "order": ""}


@node
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [3, 2, 1]),
        ({"order": "oldest"}, [1, 2, 3]),
        ({"order": "best"}, [2, 1, 3]),
        ({"family": "cgan", "data": "shoes"}, [2]),
        ({"level": "poor"}, [1]),
        ({"q": "SHOES  gan"}, [2, 1]),
        ({"q": "nothing"}, []),
        ({"metric": "recall", "order": "best", "higher": True}, [2, 1]),
        ({"metric": "recall", "order": "best", "higher": False}, [1, 2]),
    ],
)
def test_filters_and_orders_choose_the_cards(wanted: dict[str, Any], expected: list[int]) -> None:
    chosen = in_node("gallery.js", "m.choose(g.cards, g.wanted)", cards=CARDS, wanted=NOTHING | wanted)
    assert [card["published"] for card in chosen] == expected


@node
def test_what_is_asked_for_stands_in_the_address_whatever_its_letters() -> None:
    wanted = NOTHING | {"q": "a&b=c #d", "family": "שלום"}
    assert in_node("gallery.js", "m.parse('#' + m.address(g.wanted))", wanted=wanted) == wanted


@node
def test_two_releases_are_compared_by_all_figures_and_by_the_params_that_differ(gallery: Gallery) -> None:
    first = gallery.publish("one", params={"seed": 1, "images": 5, "crop_position": "centre"})  # an older version
    second = gallery.publish("two", params={"seed": 2, "images": 5, "crop_position": "center", "more": True})
    gallery.build()
    found = re.search(r'id="data">(.*?)</script>', (gallery.site / "compare.html").read_text(), re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    sides = {"left": data["releases"][first], "right": data["releases"][second]}
    rows = in_node("compare.js", "m.paramRows(g.usual, g.left, g.right)", usual=data["usual"], **sides)
    assert rows == [["train.more", "–", "true"], ["train.seed", "1", "2"]]
    figures = in_node("compare.js", "m.figureRows(g.metrics, g.left, g.right)", metrics=data["metrics"], **sides)
    assert ["Frechet distance", "9.81", "9.81", "0.523 (0.401 to 0.777)", ""] in figures


@node
def test_of_two_figures_the_better_one_is_told_apart_by_the_direction_of_its_metric() -> None:
    metrics = {"far": ["Far", "min"], "near": ["Near", "max"], "none": ["None", "max"]}
    left = {"figures": {"far": ["1", "0", 1, "Far in its words"], "near": ["1", "2", 1]}}
    right = {"figures": {"far": ["2", "0", 2], "near": ["3", "2", 3]}}
    rows = in_node("compare.js", "m.figureRows(g.metrics, g.left, g.right)", metrics=metrics, left=left, right=right)
    assert rows == [["Far in its words", "1", "2", "0", "left"], ["Near", "1", "3", "2", "right"]]
    right["figures"]["far"][1] = "50"  # what real data reach elsewhere
    rows = in_node("compare.js", "m.figureRows(g.metrics, g.left, g.right)", metrics=metrics, left=left, right=right)
    assert [row[-1] for row in rows] == ["", ""], "figures of other data are not better"


@node
@pytest.mark.parametrize(("asked", "pair"), [("#b,c", ["b", "c"]), ("#c", ["c", "a"]), ("#x,<b>", ["a", "b"])])
def test_the_address_names_the_two_and_what_it_does_not_name_is_the_newest(asked: str, pair: list[str]) -> None:
    assert in_node("compare.js", "m.pairOf(g.asked, ['a', 'b', 'c'])", asked=asked) == pair


@node
def test_a_param_s_name_ends_a_line_behind_a_dot_or_an_underscore_alone() -> None:
    assert in_node("compare.js", "m.broken(g.name)", name="normalize.channels") == ["normalize.", "channels"]
    assert in_node("compare.js", "m.broken(g.name)", name="recipe.prior_weight") == ["recipe.", "prior_", "weight"]
    assert breakable("a.<b_c>") == "a.<wbr>&lt;b_<wbr>c&gt;"
