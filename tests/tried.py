"""The table of docs/tried.md: what was tried, and what one reads then; `python -m tests.tried` writes it.

A test that shows what a user reads is marked `@pytest.mark.tried(WHAT, READ)`, once for each such text, and hands the
texts that it got to the fixture `read`, which finds READ in them. `...` in READ stands for what differs or is left out.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tried.md"
HEAD = """\
# Tried

If you see a message that you do not understand, search it here: what was tried on unusual machines and with unusual
data, and the message then. Each row is a test that reads that very text; `...` is what differs or is left out.
`python -m tests.tried` writes this page.

Two tests try more. `tests/test_chaos.py` runs the short pipeline in random surroundings (locale, terminal, time zone,
proxy, user, home, umask, path, git, links): it works, or is refused with one sentence before anything runs.
`tests/stages/test_hostile_inputs.py` has a hundred damaged or malicious folders, archives and tables, each with its
message.
"""
TABLE = """
## {}

| tried | one reads | test |
| --- | --- | --- |
"""
# By heading: the names of the files of tests; those of the last one are all others.
THEMES: dict[str, frozenset[str]] = {
    "Data": frozenset(
        ("classes_of_tables", "depth", "frames", "ingest_resume", "layouts", "names", "together", "validate_copies")
    ),
    "Before anything runs": frozenset(("check", "foresight", "params", "places", "precision", "windows")),
    "The machine": frozenset(("environment", "git_states", "place", "server", "setup", "surroundings")),
    "Runs and results": frozenset(),
}


class Trial(NamedTuple):
    what: str
    read: str
    test: str


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    rows = dict.fromkeys(THEMES, "")
    for what, read, test in trials():
        rows[_theme(test)] += f"| {cell(what)} | {cell(read)} | `{test}` |\n"
    return HEAD + "".join(TABLE.format(theme) + lines for theme, lines in rows.items())


def trials(folder: Path = ROOT / "tests") -> Iterator[Trial]:
    """Every mark in the tests, in the order of files and lines; the files are parsed, not run."""
    for path in sorted(set(folder.rglob("test_*.py")) - {folder / "test_tried.py"}):
        name = path.relative_to(folder).with_suffix("").as_posix()
        text = path.read_text(encoding="utf-8")
        for function in ast.walk(ast.parse(text if "mark.tried(" in text else "")):
            if isinstance(function, ast.FunctionDef):
                for what, read in _marks(function):
                    assert "read" in ast.unparse(function.args), (
                        f"{function.name} is marked and hands nothing to `read`"
                    )
                    yield Trial(what, read, f"{name}::{function.name}")


def _marks(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """The arguments of each `tried` in the decorators, those of single parameters among them."""
    for node in (node for decorator in function.decorator_list for node in ast.walk(decorator)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "tried":
            what, read = (ast.literal_eval(argument) for argument in node.args)
            yield what, read


def _theme(test: str) -> str:
    name = test.partition("::")[0].rpartition("test_")[2]
    return next((theme for theme, names in THEMES.items() if name in names), [*THEMES][-1])


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def is_read(read: str, text: str) -> bool:
    """Whether the text holds what a mark says, however it is broken into lines."""
    pattern = r".*?".join(re.escape(" ".join(part.split())) for part in read.split("..."))
    return re.search(pattern, " ".join(text.split())) is not None


if __name__ == "__main__":
    main()
