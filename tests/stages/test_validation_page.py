"""The gate's page: self-contained, readable, and never markup from the data."""

from html.parser import HTMLParser
from pathlib import Path

from tests.stages.summary_tables import CLASSES, judged, manifest_of, valid_stats


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
    for told in [*(verdict.name for verdict in verdicts), *CLASSES, "torn.png", "truncated", "CC0-1.0"]:
        assert told in page.text


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
