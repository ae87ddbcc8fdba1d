"""The gallery in a real browser: each kind of page fits a phone and a desk, with its pictures and an empty console."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.examples import FOLDER, load_all
from stages.releases.channels import promote
from stages.releases.manifest import release_in
from tests.stages.browser import look_at, onlooker
from tests.stages.gallery_sites import Gallery, with_encoder
from tests.stages.webdriver import MARKS, Browser

pytestmark = MARKS
LONG = "Donaudampfschifffahrtsgesellschaftskapitaensmuetzen_and_more_of_a_name_without_a_blank"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of long and right-to-left names, many classes, a long param, a museum, and a channel that moved."""
    root = Path(__file__).parents[2] / FOLDER
    gallery = Gallery(tmp_path_factory.mktemp("gallery"), [one for one in load_all(root) if "digits_w" in one.name])
    gallery.publish("examples/digits_wgan", family="wgan", data="ספרות בכתב יד", curves=True)
    gallery.publish("team/production", family="מחולל", data="digits", verdict={"level": "unknown"})
    long = gallery.publish(
        "long", family="cgan", data=LONG, classes=[f"{LONG} {n}" for n in range(120)], params={"url": LONG * 3}
    )
    gallery.publish("encoder", family="vae", files=with_encoder())
    promote(gallery.store, "team/production", release_in(gallery.store, long).manifest().id)
    gallery.build()
    return gallery.site


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with onlooker() as opened:
        yield opened


@pytest.mark.parametrize("width", [400, 1400])
def test_each_page_fits_its_width_shows_its_pictures_and_whole_verdicts_and_leaves_the_console_empty(
    width: int, site: Path, window: Browser, tmp_path: Path
) -> None:
    pages = sorted(site.rglob("*.html"))
    assert {"index.html", "compare.html", "museum.html", "team~production.html"} <= {page.name for page in pages}
    for page in pages:
        seen, console = look_at(window, page, tmp_path, width)
        assert console == [], page
        assert (seen["inner"], seen["needed"], seen["wide"]) == (width, width, []), page
        assert seen["broken"] == 0, page
        assert seen["wrapped"] == [], page
        assert seen["images"] > 0 or page.parent.name == "channels", page


def test_a_comparison_shows_the_two_that_its_address_names(site: Path, window: Browser, tmp_path: Path) -> None:
    first, second = (path.name for path in sorted((site / "releases").iterdir())[:2])
    seen, console = look_at(window, site / "compare.html", tmp_path, 400, f"#{second},{first}")
    assert console == []
    assert (seen["images"], seen["broken"]) == (2, 0)
    assert [source.split("/")[-2] for source in seen["sources"]] == [second, first]


FILTERED = """
const form = document.getElementById("filters");
form.elements.family.value = given[0];
form.dispatchEvent(new Event("input"));
const cards = [...document.getElementById("releases").children];
return [cards.map((card) => card.dataset.family), document.getElementById("count").textContent];
"""
PICKED = """
document.querySelector(`[data-family="${given[0]}"] .pick input`).click();
return document.getElementById("chosen").querySelector("a")?.hash;
"""
SHOWN = """
const form = document.getElementById("filters");
form.elements.metric.value = given[0];
form.dispatchEvent(new Event("input"));
const names = [...document.querySelectorAll(".card")[0].querySelectorAll("dt")];
return names.filter((name) => name.offsetParent).map((name) => name.textContent);
"""
CHECKED = (
    "return [...document.querySelectorAll('.pick input:checked')].map((box) => box.closest('.card').dataset.family);"
)


def test_cards_that_are_filtered_out_come_back_in_their_order_with_what_was_chosen_meanwhile(
    site: Path, window: Browser
) -> None:
    window.open(site / "index.html")
    everything, _ = window.run(FILTERED, "")
    assert everything == ["vae", "cgan", "מחולל", "wgan"]
    window.run(PICKED, "vae")
    assert window.run(FILTERED, "cgan") == [["cgan"], "1 shown"]
    assert window.run(PICKED, "cgan") is not None
    assert window.run(FILTERED, "wgan") == [["wgan"], "1 shown"]
    window.run(PICKED, "wgan")  # in place of the first, which is not there to be seen
    assert window.run(FILTERED, "") == [everything, "4 shown"]
    assert window.run(CHECKED) == ["cgan", "wgan"]
    assert window.console() == []


def test_the_figure_that_is_asked_for_stands_in_place_of_the_cards_own(site: Path, window: Browser) -> None:
    window.open(site / "index.html")
    own = window.run(SHOWN, "")
    assert len(own) == 3
    assert window.run(SHOWN, "recall") == ["Recall"]
    assert window.run(SHOWN, "") == own
