"""The museum: the gallery's page of the examples, and the pages of the releases that they published."""

from pathlib import Path

import pytest

from stages.examples import FOLDER, load_all
from stages.gallery import pages
from stages.releases.channels import read_channel
from tests.stages.gallery_sites import Gallery, broken_links, requests

ROOT = Path(__file__).parents[2]


@pytest.fixture
def museum(tmp_path: Path) -> Gallery:
    """A gallery of three of the repository's examples, of which two were published, the later one first."""
    gallery = Gallery(tmp_path)
    by_name = {example.name: example for example in load_all(ROOT / FOLDER)}
    gallery.examples = [by_name["digits_gan"], by_name["digits_cgan"], by_name["digits_wgan"]]
    gallery.publish("examples/digits_cgan")
    gallery.publish("examples/digits_gan", family="gan")
    gallery.publish("latest", family="dcgan")
    return gallery


def test_the_page_of_a_release_that_an_example_published_begins_with_its_idea(museum: Gallery) -> None:
    museum.build()
    released = read_channel(museum.store, "examples/digits_gan").release
    text = museum.page_of(str(released)).text
    example = museum.examples[0]
    begun = [text.index(words) for words in (example.idea[0], "Goodfellow et al. 2014", "gan on digits Published")]
    assert begun == sorted(begun)
    assert "L D = −E x [log D(x)]" in text  # its lower indices are elements of their own
    other = read_channel(museum.store, "latest").release
    assert example.idea[0] not in museum.page_of(str(other)).text


def test_the_museum_shows_the_examples_in_their_order_with_verdicts_and_says_which_are_missing(
    museum: Gallery,
) -> None:
    museum.build()
    page = museum.page("museum.html")
    rooms = [given["id"] for tag, given in page.found if tag == "section"]
    assert rooms == ["digits_gan", "digits_cgan", "digits_wgan"]
    assert page.text.count("6.2 times what real images reach by chance") == 2
    assert "Nobody has published it here yet: make example NAME=digits_wgan" in page.text
    assert broken_links(museum) == []
    assert requests(museum) == []


def test_the_rooms_go_from_the_first_gan_to_music_sound_and_text() -> None:
    rooms = load_all(ROOT / FOLDER)
    assert "digits_gan" in [room.name for room in rooms[:2]]
    late = [room.params["ingest"]["source"] in ("tunes", "tones", "sentences") for room in rooms]
    assert late == sorted(late)
    assert any(late)
    order = [room.name for room in rooms]
    assert all(order.index(room.after) < order.index(room.name) for room in rooms if room.after)


def test_an_example_whose_text_changes_changes_its_own_page_alone(museum: Gallery) -> None:
    museum.build()
    before = museum.written()
    released = str(read_channel(museum.store, "examples/digits_gan").release)
    other = load_all(ROOT / FOLDER)
    changed = next(example for example in other if example.name == "digits_gan")
    museum.examples[0] = changed.model_copy(update={"idea": ["New.", "Second.", "Third."]})
    museum.examples[0]._text = "another file"
    assert museum.build().written == 1
    after = museum.written()
    pages_changed = {name for name in before if name.endswith(".html") and after[name] != before[name]}
    assert pages_changed == {f"releases/{released}/index.html", "museum.html"}


def test_a_store_without_examples_has_no_museum(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    gallery.publish()
    gallery.build()
    assert not (gallery.site / "museum.html").exists()


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("E_x[a^2]", "E<sub>x</sub>[a<sup>2</sup>]"),
        ("x_{i,j} < y & z", "x<sub>i,j</sub> &lt; y &amp; z"),
        ("_{<script>}", "<sub>&lt;script&gt;</sub>"),
    ],
)
def test_a_formula_has_its_indices_and_nothing_else_of_html(source: str, html: str) -> None:
    assert pages.formula(source) == html
