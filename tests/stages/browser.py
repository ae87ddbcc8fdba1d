"""Pages in a real browser: what is seen of them in a window of some width, and what comes on the console."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files"),
    *("--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", "--host-resolver-rules=MAP * ~NOTFOUND"),
]

# A window has a least width, a frame has none: a page is opened in a frame, and looked at from outside.
FRAME = """<!DOCTYPE html><body><iframe src="ADDRESS" style="width: WIDTHpx; height: 3000px; border: 0"></iframe>
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
  document.title = JSON.stringify(seen);
};
</script></body>"""


def look_at(page: Path, folder: Path, width: int, fragment: str = "") -> tuple[dict[str, Any], list[str]]:
    """Open a page in a frame of `width` pixels: what was seen, and what came on the console. Writes in `folder`."""
    assert CHROMIUM is not None
    address = f"{page.as_uri()}{fragment}"
    (folder / "frame.html").write_text(FRAME.replace("ADDRESS", address).replace("WIDTH", str(width)))
    own = [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'net.json'}"]
    command = [CHROMIUM, *FLAGS, *own, (folder / "frame.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None, done.stderr
    return json.loads(unescape(title[1])), [line for line in done.stderr.splitlines() if "CONSOLE" in line]
