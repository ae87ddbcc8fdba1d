"""The explorer in real Chromium: drawn, dragged, chosen, and compared with what Python makes, from a plain folder."""

import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from mintage.latents import with_category
from mintage.model_config import ModelConfig
from mintage.sampling import latents_at
from stages.common.levels import Levels, in_range
from stages.images.fit import Geometry, fitted
from tests.stages import explorable
from tests.stages.explorable import Explorable
from tests.stages.explorer_pages import MARKS, Page, Site, assert_alike, site_of
from tests.stages.webdriver import Browser, browser

pytestmark = MARKS
MODELS = {
    "noise": explorable.NOISE,
    "classes": explorable.OF_CLASSES,
    "attributes": explorable.OF_ATTRIBUTES,
    "codes": explorable.OF_CODES,
    "edges": explorable.OF_EDGES,
    "domains": explorable.OF_DOMAINS,
    "holes": explorable.OF_HOLES,
    "small": explorable.OF_SMALL,
}
RIGHT = "\ue014"
"""The key of an arrow, as WebDriver has it."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(tmp_path_factory.mktemp("explorers"), MODELS)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def latents(config: ModelConfig) -> torch.Tensor:
    return latents_at(config, 0, 0)[:2]


def test_noise_from_python_becomes_the_picture_that_torch_makes(window: Browser, models: Any) -> None:
    page = Page(window, models, "noise")
    first, second = page.model.levels(latents(page.config))
    assert_alike(page.draw(latents=latents(page.config)[0]), first)
    assert_alike(page.draw(latents=latents(page.config)[1]), second)
    assert np.abs(first.astype(int) - second).max() > 50
    assert window.console() == []


def test_a_class_is_chosen_and_classes_are_mixed_as_torch_does(window: Browser, models: Any) -> None:
    page = Page(window, models, "classes")
    z = latents(page.config)
    for label in range(3):
        (expected,) = page.model.levels(z[:1], torch.tensor([label]))
        assert_alike(page.draw(latents=z[0], labels=np.eye(3)[label]), expected)
    zero = page.set("label", 0)
    assert page.status().startswith("Image 1 of the class bag")
    two = page.set("label", 2)
    assert np.abs(zero - two).max() > 3
    page.set("mixed", 0)
    half, whole = page.set("amount", 50), page.set("amount", 100)
    assert_alike(whole, zero.astype(np.uint8))
    assert np.abs(half - two).max() > 1
    kinds = window.run('return document.querySelectorAll("canvas.kind").length')
    assert kinds == 3
    assert_alike(page.levels("label:nth-child(1) canvas.kind"), zero.astype(np.uint8))
    assert window.console() == []


def test_attributes_are_asked_for(window: Browser, models: Any) -> None:
    page = Page(window, models, "attributes")
    z, asked = latents(page.config)[:1], torch.tensor([[0.5, -1.0, 1.0]])
    (expected,) = page.model.levels(z, asked)
    assert_alike(page.draw(latents=z, attributes=asked), expected)
    before = page.levels()
    with_glasses = page.set("attribute-0", 1)
    black = page.set("word-hair", 2)
    assert (before != with_glasses).any()
    assert (with_glasses != black).any()
    assert window.console() == []


def test_a_category_and_the_numbers_of_a_code_are_asked_for(window: Browser, models: Any) -> None:
    page = Page(window, models, "codes")
    z = with_category(page.config, latents(page.config), torch.tensor([2, 1]))
    (expected, _) = page.model.levels(z)
    assert_alike(page.draw(latents=z[0]), expected)
    before = page.levels()
    assert (page.set("category", 2) != before).any()
    before = page.levels()
    assert (page.set("number-1", 2) != before).any()
    assert window.console() == []


def test_a_slider_a_drag_and_a_walk_move_the_picture_and_come_back(window: Browser, models: Any) -> None:
    page = Page(window, models, "noise")
    start = page.set("seed", 5)
    right = page.set("across", 60)
    assert np.abs(right - start).max() > 5
    assert_alike(page.set("across", 0), start.astype(np.uint8))
    window.drag("#explore-picture", (0, 0), (60, 0), (120, -80))
    window.run("await explorer.idle()")
    moved = window.run('return ["across", "up"].map((n) => document.getElementById("explore-form").elements[n].value)')
    assert [float(value) > 10 for value in moved] == [True, True]
    assert np.abs(page.levels() - start).max() > 5
    page.set("across", 0)
    page.set("up", 0)
    page.set("to", 6)
    end = page.set("walk", 100)
    assert_alike(page.set("walk", 0), start.astype(np.uint8))
    assert_alike(page.levels("#explore-steps canvas:last-child"), end.astype(np.uint8))
    page.set("walk", 0)
    assert_alike(page.set("seed", 6), end.astype(np.uint8))
    assert (page.set("limit", 0.3) != end).any()
    window.click("#explore-new")
    window.run("await explorer.idle()")
    assert (page.levels() != end).any()
    assert window.console() == []


def test_the_picture_follows_the_keys_of_a_slider(window: Browser, models: Any) -> None:
    page = Page(window, models, "noise")
    start = page.set("across", 0)
    window.type("#explore-across", RIGHT * 20)
    window.run("await explorer.idle()")
    spoken = window.run('return document.getElementById("explore-across").getAttribute("aria-valuetext")')
    assert spoken == "20%"
    assert (page.levels() != start).any()


def test_a_walk_plays_until_it_is_stopped_and_goes_in_steps_for_who_wants_less_motion(
    window: Browser, models: Any
) -> None:
    page = Page(window, models, "noise")
    start = page.set("walk", 0)
    window.click("#explore-play")
    far = """
    const { walk } = document.getElementById("explore-form").elements;
    const passes = (look) => (Number(walk.value) >= 10 ? look() : requestAnimationFrame(() => passes(look)));
    await new Promise(passes);
    return document.getElementById("explore-play").textContent;
    """
    assert window.run(far) == "Stop"
    window.click("#explore-play")
    window.run("await explorer.idle()")
    assert (page.levels() != start).any()
    window.want_less_motion(True)
    try:
        page.set("walk", 0)
        window.click("#explore-play")
        window.click("#explore-play")
        window.run("await explorer.idle()")
        walked = window.run('return document.getElementById("explore-walk").value')
        assert walked == "20"
    finally:
        window.want_less_motion(False)
    assert window.console() == []


def test_a_drawing_becomes_what_torch_makes_of_the_same_pixels(window: Browser, models: Any) -> None:
    page = Page(window, models, "edges")
    size = (1, 8, 8)
    example = page.levels("#explore-source", size)
    assert_alike(page.levels(), translated(page, example))
    window.click("#explore-clear")
    window.run("await explorer.idle()")
    empty = page.levels("#explore-source", size)
    assert (empty == 0).all()
    window.drag("#explore-source", (-150, -150), (0, 0), (150, 100))
    window.run("await explorer.idle()")
    drawn = page.levels("#explore-source", size)
    assert (drawn > 60).sum() >= 7
    assert (drawn == 0).sum() >= 30
    assert_alike(page.levels(), translated(page, drawn))
    window.click("#explore-clear")
    window.type("#explore-source", " ")
    window.run("await explorer.idle()")
    lit = "return explorer.drawing.levels.filter((level) => level > 0).length"
    assert window.run(lit) == 1
    window.click("[name=erase]")
    window.type("#explore-source", " ")
    assert window.run(lit) == 0
    assert window.console() == []


def translated(page: Page, source: npt.NDArray[np.int_]) -> Levels:
    """By torch, of levels `[S,H,W]`."""
    return page.model.levels(torch.empty(1, 0), torch.from_numpy(in_range(source[None])))[:1]


def test_a_picture_of_ones_own_is_brought_to_size_and_translated(window: Browser, models: Any, tmp_path: Path) -> None:
    page = Page(window, models, "edges")
    colors = np.add.outer(np.arange(90), np.arange(120))[..., None] + np.array([0, 20, 45])
    Image.fromarray(colors.astype(np.uint8)).save(tmp_path / "mine.png")
    window.type("#explore-own", str(tmp_path / "mine.png"))
    window.run("await explorer.idle()")
    drawn = page.levels("#explore-source", (1, 8, 8))
    gray = np.asarray(Image.open(tmp_path / "mine.png").convert("L"))
    assert np.abs(drawn[0] - fitted(gray, Geometry(8, 8, "resize")).astype(int)).max() <= 1
    assert_alike(page.levels(), translated(page, drawn))
    (tmp_path / "none.png").write_text("no picture")
    window.type("#explore-own", str(tmp_path / "none.png"))
    window.run("await explorer.idle()")
    assert "cannot read that picture" in page.status()


def test_both_directions_between_two_domains_translate(window: Browser, models: Any) -> None:
    page = Page(window, models, "domains")
    source = page.levels("#explore-source", (1, 8, 8))
    assert_alike(page.levels(), translated(page, source))
    forth, back = page.model.generator, page.model.generator.back
    assert back is not None
    window.run('const way = document.getElementById("explore-way"); way.value = "back";')
    page.set("way", "back")
    source = page.levels("#explore-source", (1, 8, 8))
    page.model = Explorable(page.model.release, back)
    assert_alike(page.levels(), translated(page, source))
    page.model = Explorable(page.model.release, forth)


def test_the_lines_that_load_a_model_of_two_domains_name_the_one_to_make(models: Any) -> None:
    gallery, made = models
    page = (gallery.site / "releases" / made["domains"].release / "index.html").read_text()
    assert "model.translate(sources, to='drawing')" in unescape(page)


def test_a_small_picture_is_enlarged_as_torch_does(window: Browser, models: Any) -> None:
    page = Page(window, models, "small")
    small = page.levels("#explore-source", (1, 8, 8))
    assert small.std() > 20
    assert_alike(page.levels(), translated(page, small))


def test_a_hole_is_filled_as_torch_fills_it(window: Browser, models: Any) -> None:
    page = Page(window, models, "holes")
    source = np.array(window.run("return [...explorer.drawing.values()]")).reshape(2, 8, 8)
    assert (source[1] > 0).sum() == 16
    assert np.unique(source[0][source[1] > 0]).size == 1
    (expected,) = page.model.levels(torch.empty(1, 0), torch.from_numpy(source[None]).float())
    assert_alike(page.levels(), expected)


@pytest.mark.parametrize("name", ["classes", "edges"])
def test_the_game_counts_how_often_the_real_one_was_found(window: Browser, models: Any, name: str) -> None:
    _, answer = Page(window, models, name).play(10, found=7)
    assert "You found 7 of 10 real images, 70%." in answer
    assert "The discriminator, from which it learned, finds 87.1%, asked about 1000 such pairs." in answer
    assert window.console() == []


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", ["classes", "attributes", "edges"])
def test_the_explorer_fits_its_window_and_each_control_has_a_name(
    window: Browser, models: Any, name: str, width: int
) -> None:
    page = Page(window, models, name, width)
    assert page.needed == width
    assert page.nameless() == []
    silent = """
    const pictures = [...document.querySelectorAll("#explore canvas")];
    return pictures.filter((one) => !one.ariaLabel && !one.closest("[aria-hidden]")).map((one) => one.outerHTML);
    """
    assert window.run(silent) == []
    assert page.status().endswith(" ms.")
    assert window.console() == []


def test_first_pictures_are_seeds_of_the_browser_alone(window: Browser, models: Any) -> None:
    """Two visits of the same seed show the same picture, which a link or a friend can name."""
    first = Page(window, models, "noise").set("seed", 42)
    again = Page(window, models, "noise").set("seed", 42)
    np.testing.assert_array_equal(first, again)


def test_a_page_on_a_disk_whose_explorer_does_not_load_says_how_to_serve_it(
    models: Site, window: Browser, tmp_path: Path
) -> None:
    gallery, made = models
    page = shutil.copytree(gallery.site, tmp_path / "site") / "releases" / made["noise"].release
    (page / "explorer.js").unlink()
    window.open(page / "index.html", 1400)
    script = """
    document.getElementById("explore").scrollIntoView();
    await explorer.ready.catch(() => null);
    return document.getElementById("explore-status").textContent;
    """
    said = str(window.run(script))
    assert said.startswith("The explorer does not work in this browser: explorer.js is missing: ")
    assert said.endswith("run `python3 -m http.server` in the site's folder, and open http://localhost:8000")
