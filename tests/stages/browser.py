"""Pages in a real browser: what is seen of them in a window of some width, and what they ask of the network."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.stages.webdriver import CHROMIUM, FLAGS, Browser, browser

# A window has a least width, a frame has none: a page is opened in a frame, and looked at from outside.
FRAME = """<!DOCTYPE html><body>
<iframe src="ADDRESS" style="width: WIDTHpx; height: 3000px; border: 0"></iframe></body>"""
SEEN = """
const page = document.querySelector("iframe").contentDocument;
const come = (image) => image.complete || new Promise((done) => (image.onload = image.onerror = done));
for (const image of page.images) image.loading = "eager";
await Promise.all([...page.images].map(come));
await new Promise((done) => setTimeout(done, 100)); // for what scripts do after it was loaded
const shown = () => [...page.querySelectorAll(".film li")].filter((frame) => frame.offsetParent)
  .map((frame) => frame.querySelector("strong").textContent);
const all = [...page.querySelectorAll("body *")];
const boxed = (element) => element.closest(".pan, .scroll, pre, .window, svg");
const seen = {
  inner: page.documentElement.clientWidth,
  needed: page.documentElement.scrollWidth,
  wide: all.filter((e) => !boxed(e) && e.getBoundingClientRect().right > page.documentElement.clientWidth + 1)
    .map((e) => e.outerHTML.slice(0, 80)),
  scrolled: [...page.querySelectorAll(".scroll")].filter((box) => box.scrollWidth > box.clientWidth + 1)
    .map((box) => box.getAttribute("aria-label")),
  wrapped: [...page.querySelectorAll(".chip.level")]
    .filter((chip) => chip.offsetHeight > 2.5 * parseFloat(getComputedStyle(chip).fontSize))
    .map((chip) => chip.textContent),
  broken: [...page.images].filter((image) => !image.naturalWidth).length,
  images: page.images.length,
  sources: [...page.images].map((image) => image.src.slice(0, 300)),
  at_first: shown(),
};
const slider = page.querySelector("input[type=range]");
if (slider) {
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  seen.after_sliding = shown();
  seen.spoken = slider.getAttribute("aria-valuetext");
  const table = page.querySelector("#quality table.sortable");
  const buttons = [...table.querySelectorAll("th button")];
  const order = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
  const press = (button) => {
    button.click();
    return [button.closest("th").getAttribute("aria-sort"), table.querySelectorAll("[aria-sort]").length, order()];
  };
  seen.headings = buttons.map((button) => button.textContent);
  seen.order = order();
  seen.sorted = buttons.length ? [press(buttons[1]), press(buttons[1]), press(buttons[0])] : [];
}
return seen;
"""


@contextmanager
def onlooker() -> Iterator[Browser]:
    """A browser that sees into frames, for `look_at`; else a file is no business of another's script."""
    with browser("--allow-file-access-from-files") as opened:
        yield opened


def look_at(
    window: Browser, page: Path, folder: Path, width: int, fragment: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """Open a page in a frame of `width` pixels: what was seen, and what came on the console. Writes in `folder`."""
    frame = folder / "frame.html"
    frame.write_text(FRAME.replace("ADDRESS", f"{page.as_uri()}{fragment}").replace("WIDTH", str(width)))
    window.open(frame)
    seen: dict[str, Any] = window.run(SEEN)
    return seen, window.console()


def asked_for(page: Path, folder: Path) -> set[str]:
    """The addresses that a page, not the browser by itself, asks of the network. Writes in `folder`."""
    assert CHROMIUM is not None
    own = [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'net.json'}"]
    command = [CHROMIUM, *FLAGS, "--virtual-time-budget=20000", "--dump-dom", *own, page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    events = [event.get("params", {}) for event in json.loads((folder / "net.json").read_text())["events"]]
    return {words["url"] for words in events if words.get("initiator", "not an origin") != "not an origin"}
