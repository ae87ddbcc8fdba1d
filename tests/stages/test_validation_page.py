"""The gate's page: self-contained, readable, and never markup from the data."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common.levels import to_uint8
from stages.media.images import Images
from stages.validation.judge import Verdict
from stages.validation.thumbnails import thumbnails
from tests.stages.summary_tables import CLASSES, judged, manifest_of, noise, valid_stats, written

FAILED = Verdict("a rule", "expect_something", "std", False, "critical", 0.5, 0.0, "share", [], False)


class Page(HTMLParser):
    """What a page loads, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(folder: Path) -> tuple[str, Page]:
    html = (folder / "reports/validation.html").read_text()
    return html, Page(html)


def test_the_page_needs_no_network_and_tells_expectations_classes_and_broken_images(tmp_path: Path) -> None:
    stats = valid_stats()
    manifest = manifest_of(stats, CLASSES)
    manifest["counts"]["broken"], manifest["broken"] = 1, [{"key": "torn.png", "reason": "truncated"}]
    verdicts = judged(tmp_path, stats, manifest)
    html, page = page_of(tmp_path)
    assert page.loads == []
    assert "script" not in page.tags
    assert "@import" not in html
    assert "url(" not in html
    for words in [*(verdict.name for verdict in verdicts), *CLASSES, "torn.png", "truncated", "CC0-1.0"]:
        assert words in page.text


@pytest.mark.parametrize(("broken", "left_out"), [(1, "1 of 51 was left out ('torn.png');"), (2, "2 of 52 were")])
def test_too_many_broken_images_are_told_in_numbers_and_by_name(tmp_path: Path, broken: int, left_out: str) -> None:
    stats = valid_stats(50)
    manifest = manifest_of(stats, CLASSES)
    manifest["counts"]["broken"], manifest["broken"] = broken, [{"key": "torn.png", "reason": "truncated"}]
    judged(tmp_path, stats, manifest)
    assert left_out in page_of(tmp_path)[1].text


def test_points_are_judged_in_words_that_fit_them(tmp_path: Path) -> None:
    stats = valid_stats().assign(channels=1, height=1, width=2)
    points = {"name": "points", "centers": [[0.0, 1.0]], "std": 0.1, "scale": 1.0}
    judged(tmp_path, stats, manifest_of(stats, CLASSES) | {"medium": points, "shape": [1, 1, 2]})
    _, page = page_of(tmp_path)
    text = page.text.partition("Expectations")[2]
    assert "points are equal in all coordinates" in text
    assert "Every label is one of 3 classes" in text
    assert not re.search("bright|contrast|black|color", text)


def test_names_from_the_data_are_text_in_the_page_and_never_markup(tmp_path: Path) -> None:
    stats = valid_stats()
    hostile = "<script>alert(1)</script>"
    manifest = manifest_of(stats, [hostile, "dog", "owl"])
    stats.loc[0, "key"], stats.loc[0, "min"] = "<img src=x onerror=alert(1)>", -2.0
    judged(tmp_path, stats, manifest)
    _, page = page_of(tmp_path)
    assert "script" not in page.tags
    assert [load[:22] for load in page.loads] == ["data:image/png;base64,"]  # the picture of the image of that name
    assert hostile in page.text
    assert "<img src=x onerror=alert(1)>" in page.text


def test_of_very_many_classes_the_page_draws_the_largest_and_the_smallest(tmp_path: Path) -> None:
    stats = valid_stats(images=1500, classes=100)
    judged(tmp_path, stats, manifest_of(stats, [f"kind {n}" for n in range(100)]))
    html, page = page_of(tmp_path)
    assert html.count('<div class="class">') == 40
    assert "60 more classes" in page.text


def test_each_example_of_what_failed_has_its_picture_and_what_holds_shows_none(tmp_path: Path) -> None:
    stats = valid_stats()
    stats.loc[:3, "std"] = 0.0
    judged(tmp_path, stats, manifest_of(stats, CLASSES))
    html, page = page_of(tmp_path)
    assert len(page.loads) == page.tags.count("img") == 4
    assert all(
        re.search(rf'<img src="data:image/png;base64,[^"]+" alt="">\s*<code>image-00{n}</code>', html) for n in range(4)
    )


def test_pictures_are_the_pixels_of_the_image_and_of_a_large_one_a_small_one(tmp_path: Path) -> None:
    large = noise(1)[:, :, :, :1].repeat(200, axis=3).repeat(25, axis=2)  # 200 x 200
    stats = valid_stats(1).assign(key="only")
    failed = replace(FAILED, examples=["only"])
    small = thumbnails([failed], stats, written(tmp_path / "large", stats, {}, large), Images())["only"]
    assert picture(small.uri).size == (67, 67)  # every third pixel
    images = noise(1)
    exact = thumbnails([failed], stats, written(tmp_path / "small", stats, {}, images), Images())["only"]
    assert np.array_equal(np.moveaxis(np.asarray(picture(exact.uri)), -1, 0), to_uint8(images)[0])
    assert exact.split == "train"


def picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


def test_a_page_with_warnings_only_says_that_the_data_may_be_trained_on(tmp_path: Path) -> None:
    stats = valid_stats()
    stats.loc[:3, "mean"] = 0.9
    judged(tmp_path, stats, manifest_of(stats, CLASSES))
    _, page = page_of(tmp_path)
    assert "Warnings: 1 of 26 expectations" in page.text
    assert "The data may be trained on" in page.text
    assert "Nothing trains" not in page.text


def test_a_range_that_holds_is_rounded_and_one_that_does_not_keeps_what_is_wrong(tmp_path: Path) -> None:
    stats = valid_stats()
    stats["max"] = np.linspace(0.74902, 1, len(stats))
    assert found(judged(tmp_path / "holds", stats, manifest_of(stats, CLASSES)), "max") == "0.749 to 1"
    stats.loc[0, "max"] = 1.00001
    assert found(judged(tmp_path / "fails", stats, manifest_of(stats, CLASSES)), "max").endswith(" to 1.00001")


def found(verdicts: list[Verdict], column: str) -> str:
    return next(one.format(one.observed) for one in verdicts if one.column == column)
