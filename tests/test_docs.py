"""What the pages hold together by: links, anchors, headings, and code that names what there is."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mintage.__main__ import COMMANDS, OF_RELEASES
from mintage.families import FAMILIES
from tests import settings

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOMS = ("mintage", "stages", "flows", "benchmarks", "tests")
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


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"))


def commands(page: Path) -> Iterator[list[str]]:
    """The commands that a page tells to type, each as its words."""
    for block in blocks(page, "console"):
        for line in re.findall(r"(?m)^\$ (.*)$", block.replace("\\\n", " ")):
            for command in re.split(r"&&|[|;]", line.partition(" #")[0]):
                yield command.split()


@cache
def params() -> set[str]:
    values = YAML(typ="safe", pure=True).load(settings.FILE)
    return {f"{section}.{key}" for section, keys in values.items() for key in keys}


def source_of(module: str) -> str | None:
    """The program that `python -m` starts; None if it is none of this repository's, such as `dvc`."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8") if path.exists() else None


def unknown(words: list[str]) -> list[str]:
    """What a command names that there is not: a command, a module, a target of make, a param, an option."""
    match words:
        case ["dvc", "exp", "run", *given]:
            return [key for key in re.findall(r"-S '?([a-z]+\.\w+)", " ".join(given)) if key not in params()]
        case ["make", *targets]:
            known = re.findall(r"(?m)^([\w-]+)(?=[ :])", (ROOT / "Makefile").read_text(encoding="utf-8"))
            return [target for target in targets if re.fullmatch(r"[\w-]+", target) and target not in known]
        case ["mintage", name, *given]:
            module = COMMANDS[name].module if name in COMMANDS else name
        case ["python", "-m", module, *given] if module.partition(".")[0] in ROOMS:
            pass
        case _:
            return []
    source = source_of(module)
    if source is None:
        return [module]
    strange = [word for word in given[:1] if module == "stages.releases" and word not in OF_RELEASES]
    options = [word.partition("=")[0] for word in given if word.startswith("--") and word != "--help"]
    return strange + [option for option in options if f'"{option}"' not in source]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_of_a_page_names_what_there_is(page: Path) -> None:
    found = {" ".join(words): wrong for words in commands(page) if (wrong := unknown(words))}
    assert found == {}


def test_a_command_target_module_or_option_that_is_not_there_is_found() -> None:
    wrong = {
        "mintage trian": "trian",
        "mintage releases publsih": "publsih",
        "mintage gallery --ulr x": "--ulr",
        "make exmaple NAME=x": "exmaple",
        "python -m stages.trian": "stages.trian",
        "dvc exp run -S train.imagse=3": "train.imagse",
    }
    assert {typed: unknown(typed.split()) for typed in wrong} == {typed: [name] for typed, name in wrong.items()}
    assert unknown(["make", "run"]) == unknown(["dvc", "exp", "run", "-S", "train.images=3"]) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


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


def test_each_example_has_a_line_with_what_came_out() -> None:
    table = re.findall(r"(?m)^\| `(\w+)` \|", (ROOT / "docs/gallery.md").read_text(encoding="utf-8"))
    assert {path.stem for path in (ROOT / "examples").glob("*.yaml")} - set(table) == set()
