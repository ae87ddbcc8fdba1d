"""The page of an explorer that is open in a browser: what it shows, and what is done to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mintage.model_config import ModelConfig
from stages.common.errors import UserError
from stages.common.levels import Levels
from stages.gallery import runtime
from stages.media.medium import Medium
from tests.stages.explorable import IMAGES, Explorable, publish_model
from tests.stages.gallery_sites import Gallery
from tests.stages.webdriver import MARKS as BROWSER
from tests.stages.webdriver import Browser

MARKS = [*BROWSER, pytest.mark.slow]
Site = tuple[Gallery, dict[str, Explorable]]
"""A gallery, and its releases by name."""

PIXELS = """
const { width, height } = document.querySelector(given[0]);
const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
copy.drawImage(document.querySelector(given[0]), 0, 0);
return [...copy.getImageData(0, 0, width, height).data];
"""
SHOWN = """
document.getElementById("explore").scrollIntoView();
while (typeof explorer === "undefined") await new Promise((again) => setTimeout(again, 20)); // a busy machine's
await explorer.ready;
return [explorer.milliseconds, document.documentElement.scrollWidth];
"""
PLAYED = """
const wait = (selector) => new Promise((done) => {
  const look = () => document.querySelector(selector) ? done() : requestAnimationFrame(look);
  look();
});
await wait("#quiz-pair button");
const players = document.querySelectorAll("#quiz-pair audio").length;
for (let pair = 0; pair < given[0]; pair += 1) {
  document.querySelector(`#quiz-pair button[data-kind=${pair < given[1] ? "real" : "made"}]`).click();
}
return [players, document.getElementById("quiz-answer").textContent];
"""
NAMELESS = """
const fields = [...document.querySelectorAll("#explore :is(input, select, button, audio)")];
const named = (field) => field.labels?.length || field.ariaLabel || field.textContent.trim() ||
  field.querySelector("[aria-label]");
return fields.filter((field) => !named(field)).map((field) => field.outerHTML);
"""


def site_of(root: Path, models: Mapping[str, ModelConfig | tuple[ModelConfig, Medium]]) -> Site:
    """A site of them all; skips the test where there is no runtime."""
    gallery = Gallery(root)
    try:
        runtime.bring(gallery.site)
    except UserError as error:
        pytest.skip(f"no ONNX Runtime Web on this machine: {error}")
    (gallery.site / ".gallery").touch()
    made = {}
    for name, model in models.items():
        config, medium = model if isinstance(model, tuple) else (model, IMAGES)
        made[name] = publish_model(gallery, root / name, config, name, medium)
    assert gallery.build().left_out == []
    return gallery, made


class Page:
    """The explorer of one model, opened from the disk."""

    def __init__(self, window: Browser, models: Site, name: str, width: int = 1400):
        gallery, made = models
        self.window, self.model, self.config = window, made[name], made[name].generator.config
        window.open(gallery.site / "releases" / self.model.release / "index.html", width)
        self.milliseconds, self.needed = window.run(SHOWN)

    def levels(self, canvas: str = "#explore-picture", shape: tuple[int, ...] | None = None) -> npt.NDArray[np.int_]:
        """What is on a canvas: `[C,H,W]`."""
        channels, height, width = shape or self.config.image_shape
        pixels = np.array(self.window.run(PIXELS, canvas)).reshape(height, width, 4)
        assert (pixels[..., 3] == 255).all()
        return np.moveaxis(pixels[..., :channels], -1, 0)

    def canvas(self, canvas: str = "#explore-picture") -> npt.NDArray[np.int_]:
        """The same in all its colors, of whatever size it is: `[H,W,3]`."""
        size = f"const {{ width, height }} = document.querySelector('{canvas}'); return [height, width];"
        height, width = self.window.run(size)
        return np.array(self.window.run(PIXELS, canvas)).reshape(height, width, 4)[..., :3]

    def draw(self, **feeds: Any) -> npt.NDArray[np.int_]:
        """What the page draws of numbers that Python gives it."""
        given = {name: np.asarray(values, np.float64).flatten().tolist() for name, values in feeds.items()}
        script = """
        const rows = Object.entries(given[0]).map(([name, values]) => [name, Float32Array.from(values)]);
        await explorer.show(Object.fromEntries(rows));
        """
        self.window.run(script, given)
        return self.levels()

    def set(self, name: str, value: object) -> npt.NDArray[np.int_]:
        """Give a control of the form another value, as a reader does; what is then on the picture."""
        self.ask(name, value)
        return self.levels()

    def ask(self, name: str, value: object) -> None:
        script = """
        const field = document.getElementById("explore-form").elements[given[0]];
        field.value = given[1];
        const one = field instanceof RadioNodeList ? field[0] : field;
        one.dispatchEvent(new Event("input", { bubbles: true }));
        one.dispatchEvent(new Event("change", { bubbles: true }));
        await explorer.idle();
        """
        self.window.run(script, name, value)

    def status(self) -> str:
        return str(self.window.run('return document.getElementById("explore-status").textContent'))

    def play(self, pairs: int, found: int) -> tuple[int, str]:
        """Find the real one of so many pairs; how many sounds the first one has, and what is said at the end."""
        self.window.click("#quiz-start")
        players, answer = self.window.run(PLAYED, pairs, found)
        return players, answer

    def nameless(self) -> list[str]:
        """The controls that a reader who hears the page could not tell apart."""
        found: list[str] = self.window.run(NAMELESS)
        return found


def assert_alike(found: npt.NDArray[np.int_], expected: Levels) -> None:
    assert np.abs(found - expected.astype(int)).max() <= 1, "more than a level of 255 from torch"
