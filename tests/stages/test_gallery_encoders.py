"""What the page of a release with an encoder shows: held-out images, and what came back of them."""

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from stages.common.marks import mark_in
from tests.stages.gallery_sites import MARK, ROWS, TITLE, Gallery, sheet_again, with_encoder


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path)


def embedded_pictures(gallery: Gallery, release: str) -> list[dict[str, str | None]]:
    """The pictures of a page that come with it."""
    found = gallery.page_of(release).found
    return [given for tag, given in found if tag == "img" and (given.get("src") or "").startswith("data:")]


@pytest.mark.parametrize("side", [8, 128])
def test_the_sheet_stands_on_the_page_with_its_mark_words_and_names_of_rows(gallery: Gallery, side: int) -> None:
    release = gallery.publish(files=with_encoder(image_shape=[1, side, side]))
    assert gallery.build().left_out == []
    page, (picture,) = gallery.page_of(release), embedded_pictures(gallery, release)
    assert TITLE in page.text
    assert "below each what comes back" in page.text
    assert all(name in page.text for name in ROWS)
    assert picture["alt"] == f"{TITLE}: {', '.join(ROWS)}"
    png = base64.b64decode((picture["src"] or "").partition(",")[2])
    assert mark_in(png) == MARK
    with Image.open(io.BytesIO(png)) as found, Image.open(io.BytesIO(sheet_again(side=side))) as whole:
        assert found.size == (whole.size if side == 8 else (1_100, round(whole.height * 1_100 / whole.width)))


def test_its_lines_encode_and_make_again_and_those_of_others_do_not(gallery: Gallery) -> None:
    encoder = gallery.publish("one", files=with_encoder())
    other = gallery.publish("two", family="gan")
    gallery.build()
    assert "model.encode(pictures)" in gallery.page_of(encoder).text
    assert "model.reconstruct(pictures)" in gallery.page_of(encoder).text
    assert "model.encode" not in gallery.page_of(other).text
    assert TITLE not in gallery.page_of(other).text
    assert embedded_pictures(gallery, other) == []


@pytest.mark.parametrize("shape", [[], [1, 0, 0], [1, 8], [1, -8, 8]])
def test_a_shape_that_no_picture_has_takes_the_sheet_alone_from_the_page(gallery: Gallery, shape: list[int]) -> None:
    made = with_encoder() | {"config.json": json.dumps({"image_shape": shape, "encodes": True}).encode()}
    release = gallery.publish(files=made)
    assert gallery.build().left_out == []
    assert embedded_pictures(gallery, release) == []


def test_hostile_words_of_a_sheet_are_text(gallery: Gallery) -> None:
    release = gallery.publish(files=with_encoder(caption="<script>alert(1)</script><b>"))
    gallery.build()
    page = gallery.page_of(release)
    assert "<script>alert(1)</script><b>" in page.text
    assert not [tag for tag, _ in page.found if tag in ("b", "script")]


def test_facts_that_are_none_leave_the_release_out(gallery: Gallery) -> None:
    gallery.publish(files=with_encoder() | {"metrics/latent.json": b'{"pictures": 5}'})
    assert "metrics/latent.json" in gallery.build().left_out[0]
