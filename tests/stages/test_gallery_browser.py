"""The gallery in a real browser: each kind of page fits a phone and a desk, with its pictures and an empty console."""

from pathlib import Path

import pytest

from stages.examples import FOLDER, load_all
from stages.releases.channels import promote
from stages.releases.manifest import release_in
from tests.stages.browser import CHROMIUM, look_at
from tests.stages.gallery_sites import Gallery, with_encoder

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the gallery is not opened in a browser"),
]
LONG = "Donaudampfschifffahrtsgesellschaftskapitaensmuetzen_and_more_of_a_name_without_a_blank"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of long and right-to-left names, many classes, a long param, a museum, and a channel that moved."""
    root = Path(__file__).parents[2] / FOLDER
    gallery = Gallery(tmp_path_factory.mktemp("gallery"), [one for one in load_all(root) if "digits_w" in one.name])
    gallery.publish("examples/digits_wgan", family="wgan", data="ספרות בכתב יד", curves=True)
    gallery.publish("team/production", family="מחולל", data="digits")
    long = gallery.publish(
        "long", family="cgan", data=LONG, classes=[f"{LONG} {n}" for n in range(120)], params={"url": LONG * 3}
    )
    gallery.publish("encoder", family="vae", files=with_encoder())
    promote(gallery.store, "team/production", release_in(gallery.store, long).manifest().id)
    gallery.build()
    return gallery.site


@pytest.mark.parametrize("width", [400, 1400])
def test_each_page_fits_its_width_shows_its_pictures_and_leaves_the_console_empty(
    width: int, site: Path, tmp_path: Path
) -> None:
    pages = sorted(site.rglob("*.html"))
    assert {"index.html", "compare.html", "museum.html", "team~production.html"} <= {page.name for page in pages}
    for page in pages:
        seen, console = look_at(page, tmp_path, width)
        assert console == [], page
        assert (seen["inner"], seen["needed"], seen["wide"]) == (width, width, []), page
        assert seen["broken"] == 0, page
        assert seen["images"] > 0 or page.parent.name == "channels", page


def test_a_comparison_shows_the_two_that_its_address_names(site: Path, tmp_path: Path) -> None:
    first, second = (path.name for path in sorted((site / "releases").iterdir())[:2])
    seen, console = look_at(site / "compare.html", tmp_path, 400, f"#{second},{first}")
    assert console == []
    assert (seen["images"], seen["broken"]) == (2, 0)
    assert [source.split("/")[-2] for source in seen["sources"]] == [second, first]
