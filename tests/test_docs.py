"""What the pages hold together by: links, anchors, headings."""

import re
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mintage.families import FAMILIES
from tests import settings

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_CODE = re.compile(r"(?ms)^```.*?^```$")


@cache
def anchors(page: Path) -> set[str]:
    """The places of a page that GitHub lets a link name."""
    headings = re.findall(r"(?m)^#+ (.+)$", _CODE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """The links of a page, pictures among them, that lead to nothing of this repository."""
    text = re.sub(r"`[^`\n]*`", "", _CODE.sub("", page.read_text(encoding="utf-8")))
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in links if not link.startswith("http") and not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert broken(page) == []


def test_a_link_to_a_missing_file_or_heading_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# A heading, of `two` words\n```\n# none\n```\n")
    links = "[](b.md) [](b.md#a-heading-of-two-words) [](c.md) [](b.md#none) `[](d.md)`"
    (tmp_path / "a.md").write_text(links)
    assert broken(tmp_path / "a.md") == ["c.md", "b.md#none"]


def test_each_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= set(
        re.findall(r"\]\((\w+\.md)\)", index)
    )


def test_the_reading_path_has_less_than_a_thousand_lines() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    path = page.partition("## A reading path")[2].partition("| together")[0]
    listed = {name: int(lines) for name, lines in re.findall(r"(?m)^\| `([^`]+)`[^|]*\| (\d+) \|", path)}
    whole = {name: len((ROOT / name).read_text().splitlines()) for name in listed if name.endswith(".py")}
    assert len(whole) == 5
    assert sum((listed | whole).values()) < 1_000
    assert all(abs(listed[name] - lines) <= 10 for name, lines in whole.items()), whole


def test_the_page_of_params_is_up_to_date() -> None:
    assert settings.PAGE.read_text(encoding="utf-8") == settings.page(), "run `python -m tests.settings`"


def test_the_page_of_params_has_each_key_of_the_file_with_what_it_means() -> None:
    values, meanings = YAML(typ="safe", pure=True).load(settings.FILE), settings.comments()
    for section, keys in values.items():
        page = settings.page().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        for key in keys:
            assert re.search(rf"\| `{key}[`.]", page), f"{section}.{key}"
            assert meanings[f"{section}.{key}"], f"{section}.{key}"


def test_the_readme_is_short_and_has_the_headings_that_people_look_for() -> None:
    assert len(README.splitlines()) <= 150
    wanted = "Install", "Quick start", "Your own images", "Use from Python", "The families", "Share", "Links"
    assert re.findall(r"(?m)^## (.+)$", README) == [*wanted, "Contributing", "License", "Citation"]


def test_the_readme_has_a_line_for_each_family() -> None:
    table = re.findall(r"(?m)^\| `(\w+)`", README)
    assert len(table) == len(set(table))
    assert set(table) == FAMILIES.keys()
