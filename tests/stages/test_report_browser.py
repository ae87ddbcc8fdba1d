"""The report in a real browser: nothing on the console, nothing asked of any host, nothing wider than the window.

The slider slides, the headings sort.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.report import render
from stages.reporting.inputs import read_inputs
from tests.stages.browser import CHROMIUM, look_at
from tests.stages.photographs import photographs
from tests.stages.report_inputs import CHECKPOINTS, SELECTED, write_inputs
from tests.stages.summary_tables import pictured

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the report is not opened in a browser"),
]


def look(folder: Path, html: str, width: int) -> tuple[dict[str, Any], list[str]]:
    (folder / "report.html").write_text(html)
    return look_at(folder / "report.html", folder, width)


def asked_for(folder: Path) -> set[str]:
    """The addresses that the page, not the browser by itself, asked of the network while `look` looked."""
    events = [event.get("params", {}) for event in json.loads((folder / "net.json").read_text())["events"]]
    return {words["url"] for words in events if words.get("initiator", "not an origin") != "not an origin"}


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    names = ["a rather long name of a class that goes on", "Donaudampfschifffahrtsgesellschaftskapitän", *"cdefghij"]
    return render(read_inputs(write_inputs(tmp_path_factory.mktemp("inputs"), names)), "Mintage")


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_fits_its_width_and_the_console_stays_empty(width: int, html: str, tmp_path: Path) -> None:
    seen, console = look(tmp_path, html, width)
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
    width: int, direction: str, wider: set[str], html: str, tmp_path: Path
) -> None:
    opened = html.replace("<details", "<details open").replace("<html", f'<html dir="{direction}"')
    seen = look(tmp_path, opened, width)[0]
    assert set(seen["scrolled"]) <= wider
    assert seen["scrolled"], "the widest table has more columns than the window has room for"
    assert seen["needed"] <= width


@pytest.mark.parametrize("width", [400, 1400])
def test_the_gate_s_page_with_pictures_fits_its_width(width: int, tmp_path: Path) -> None:
    real = photographs()
    pictured(tmp_path, np.concatenate([real[:60], real[:6]]), holdout=10)
    html = (tmp_path / "reports/validation.html").read_text()
    seen = look(tmp_path, html, width)[0]
    assert (seen["inner"], seen["needed"], seen["wide"]) == (width, width, [])
    assert (seen["images"], seen["broken"]) == (html.count("<img "), 0)
    assert seen["images"] > 10


def test_the_slider_shows_one_grid_and_begins_at_the_selected_one(html: str, tmp_path: Path) -> None:
    seen, _ = look(tmp_path, html, 400)
    assert seen["at_first"] == [f"{SELECTED:,} images"]
    assert seen["after_sliding"] == [f"{CHECKPOINTS[0]:,} images"]
    assert seen["spoken"].startswith(f"{CHECKPOINTS[0]:,} images Frechet distance ")


def test_without_its_script_the_page_shows_all_grids(html: str, tmp_path: Path) -> None:
    seen, _ = look(tmp_path, re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL), 400)
    assert seen["at_first"] == [f"{images:,} images" for images in CHECKPOINTS]
    assert seen["needed"] <= 400


def test_a_script_that_is_not_the_page_s_own_does_not_run(html: str, tmp_path: Path) -> None:
    bad = html.replace("<h1>", "<script>document.querySelector('.film').remove()</script><h1 onclick='1'>")
    seen, console = look(tmp_path, bad, 400)
    assert seen["at_first"] == [f"{SELECTED:,} images"]
    assert any("Content Security Policy" in line for line in console)


def test_no_request_leaves_the_page_even_where_its_policy_would_let_it(html: str, tmp_path: Path) -> None:
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert free != html
    look(tmp_path, free, 1400)
    assert asked_for(tmp_path) == set()
    look(tmp_path, free.replace("<h1>", '<img src="https://example.invalid/spy.png"><h1>'), 1400)
    assert asked_for(tmp_path) == {"https://example.invalid/spy.png"}


def test_a_heading_sorts_the_checkpoints_and_says_how(html: str, tmp_path: Path) -> None:
    seen, console = look(tmp_path, html, 1400)
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
