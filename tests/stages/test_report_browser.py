"""The report in a real browser: nothing on the console, nothing wider than the window, the slider slides."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from stages.report import render
from stages.reporting.inputs import read_inputs
from tests.stages.report_inputs import CHECKPOINTS, SELECTED, write_inputs

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files"),
    *("--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"),
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the report is not opened in a browser"),
]

# A window has a least width, a frame has none: the report is opened in a frame, and looked at from outside.
FRAME = """<!DOCTYPE html><body><iframe src="report.html" style="width: WIDTHpx; height: 3000px; border: 0"></iframe>
<script>
window.onload = () => {
  const page = document.querySelector("iframe").contentDocument;
  const shown = () => [...page.querySelectorAll(".film li")].filter((frame) => frame.offsetParent)
    .map((frame) => frame.querySelector("strong").textContent);
  const all = [...page.querySelectorAll("body *")];
  const boxed = (element) => element.closest(".pan, .scroll, pre, .window, svg");
  const seen = {
    inner: page.documentElement.clientWidth,
    needed: page.documentElement.scrollWidth,
    wide: all.filter((e) => !boxed(e) && e.getBoundingClientRect().right > page.documentElement.clientWidth + 1)
      .map((e) => e.outerHTML.slice(0, 80)),
    broken: [...page.images].filter((image) => !image.naturalWidth).length,
    images: page.images.length,
    at_first: shown(),
  };
  const slider = page.querySelector("input[type=range]");
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  seen.after_sliding = shown();
  seen.spoken = slider.getAttribute("aria-valuetext");
  document.title = JSON.stringify(seen);
};
</script></body>"""


def look(folder: Path, html: str, width: int) -> tuple[dict[str, Any], list[str]]:
    """Open a page in a frame of `width` pixels; what was seen of it, and what came on the console."""
    assert CHROMIUM is not None
    (folder / "report.html").write_text(html)
    (folder / "frame.html").write_text(FRAME.replace("WIDTH", str(width)))
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", (folder / "frame.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None, done.stderr
    return json.loads(unescape(title[1])), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


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
