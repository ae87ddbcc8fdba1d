"""The report in a real browser: nothing on the console, nothing asked of any host, nothing wider than the window.

The slider slides, the headings sort.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.report import render
from stages.reporting.inputs import read_inputs
from tests.stages.browser import asked_for, look_at, onlooker
from tests.stages.photographs import photographs
from tests.stages.report_inputs import CHECKPOINTS, SELECTED, write_inputs
from tests.stages.summary_tables import pictured
from tests.stages.webdriver import MARKS, Browser

pytestmark = MARKS
Look = Callable[[str, int], tuple[dict[str, Any], list[str]]]


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with onlooker() as opened:
        yield opened


@pytest.fixture
def look(window: Browser, tmp_path: Path) -> Look:
    """What is seen of a page in a frame of some width, and what comes on the console."""
    return lambda html, width: look_at(window, page_of(tmp_path, html), tmp_path, width)


def page_of(folder: Path, html: str) -> Path:
    page = folder / "report.html"
    page.write_text(html)
    return page


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    names = ["a rather long name of a class that goes on", "Donaudampfschifffahrtsgesellschaftskapitän", *"cdefghij"]
    return render(read_inputs(write_inputs(tmp_path_factory.mktemp("inputs"), names)), "Mintage")


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_fits_its_width_and_the_console_stays_empty(width: int, html: str, look: Look) -> None:
    seen, console = look(html, width)
    assert console == []
    assert seen["inner"] == width
    assert seen["needed"] <= width
    assert seen["wide"] == []
    assert seen["images"] > len(CHECKPOINTS)
    assert seen["broken"] == 0


@pytest.mark.parametrize(
    ("width", "direction", "wider"),
    [
        (400, "ltr", {"Table of all checkpoints", "Table of classes", "Table of thresholds"}),
        (1400, "ltr", {"Table of all checkpoints"}),
        (1400, "rtl", {"Table of all checkpoints"}),
    ],
)
def test_only_tables_that_sort_are_wider_than_the_window(
    width: int, direction: str, wider: set[str], html: str, look: Look
) -> None:
    opened = html.replace("<details", "<details open").replace("<html", f'<html dir="{direction}"')
    seen = look(opened, width)[0]
    assert set(seen["scrolled"]) <= wider
    assert seen["scrolled"], "the widest table has more columns than the window has room for"
    assert seen["needed"] <= width


@pytest.mark.parametrize("width", [400, 1400])
def test_the_gate_s_page_with_pictures_fits_its_width(width: int, look: Look, tmp_path: Path) -> None:
    real = photographs()
    pictured(tmp_path, np.concatenate([real[:60], real[:6]]), holdout=10)
    html = (tmp_path / "reports/validation.html").read_text()
    seen = look(html, width)[0]
    assert (seen["inner"], seen["needed"], seen["wide"]) == (width, width, [])
    assert (seen["images"], seen["broken"]) == (html.count("<img "), 0)
    assert seen["images"] > 10


def test_the_slider_shows_one_grid_and_begins_at_the_selected_one(html: str, look: Look) -> None:
    seen, _ = look(html, 400)
    assert seen["at_first"] == [f"{SELECTED:,} images"]
    assert seen["after_sliding"] == [f"{CHECKPOINTS[0]:,} images"]
    assert seen["spoken"].startswith(f"{CHECKPOINTS[0]:,} images Frechet distance ")


def test_without_its_script_the_page_shows_all_grids(html: str, look: Look) -> None:
    seen, _ = look(re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL), 400)
    assert seen["at_first"] == [f"{images:,} images" for images in CHECKPOINTS]
    assert seen["needed"] <= 400


def test_a_script_that_is_not_the_page_s_own_does_not_run(html: str, look: Look) -> None:
    bad = html.replace("<h1>", "<script>document.querySelector('.film').remove()</script><h1 onclick='1'>")
    seen, console = look(bad, 400)
    assert seen["at_first"] == [f"{SELECTED:,} images"]
    assert any("Content Security Policy" in line for line in console)


def test_no_request_leaves_the_page_even_where_its_policy_would_let_it(html: str, tmp_path: Path) -> None:
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert free != html
    assert asked_for(page_of(tmp_path, free), tmp_path) == set()
    spying = free.replace("<h1>", '<img src="https://example.invalid/spy.png"><h1>')
    assert asked_for(page_of(tmp_path, spying), tmp_path) == {"https://example.invalid/spy.png"}


def test_a_heading_sorts_the_checkpoints_and_says_how(html: str, look: Look) -> None:
    seen, console = look(html, 1400)
    assert console == []
    assert seen["headings"][:2] == ["images seen", "Frechet distance ↓"]
    by_images = [f"{images:,}" for images in CHECKPOINTS]
    assert seen["order"] == by_images
    best_first, worst_first, again = seen["sorted"]
    near = sorted(CHECKPOINTS, key=lambda images: abs(images - SELECTED))
    far = sorted(near, key=lambda images: -abs(images - SELECTED))  # two are as far: equals keep their order
    assert best_first == ["ascending", 1, [f"{images:,}" for images in near]]
    assert worst_first == ["descending", 1, [f"{images:,}" for images in far]]
    assert again == ["ascending", 1, by_images]
