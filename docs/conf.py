"""Sphinx, for `make docs`: README and docs/ as a site, with the library's reference from its docstrings."""

import re
from pathlib import Path
from shutil import copyfile
from typing import Any

project = "Mintage"
author = "the authors of Mintage"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# Pages lie where the repository shows them, so that links between them hold in both.
include_patterns = ["*.md", "docs/*.md", "docs/*.rst"]
root_doc = "README"
myst_heading_anchors = 4
autodoc_typehints = "description"
html_theme = "furo"
html_title = project
html_show_sphinx = False

_INDEX = Path(__file__).parent / "README.md"


def contents() -> str:
    """The site's contents: the pages that docs/README.md names, by its headings."""
    parts = []
    for section in _INDEX.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        linked = re.findall(r"\[[^\]]+\]\(([\w./]+)\.(?:md|rst)\)", text)
        pages = [name.removeprefix("../") if name.startswith("../") else f"docs/{name}" for name in linked]
        parts.append("\n".join(["```{toctree}", ":hidden:", f":caption: {heading}", "", *pages, "```"]))
    return "\n\n".join(["```{toctree}\n:hidden:\n\ndocs/README\n```", *parts])


def setup(app: Any) -> None:
    """The first page gets the contents at its end, and the name that servers look for."""

    def add_contents(_: Any, name: str, source: list[str]) -> None:
        if name == root_doc:
            source[0] += "\n\n" + contents()

    def name_first_page(built: Any, error: Exception | None) -> None:
        if error is None:
            copyfile(Path(built.outdir) / f"{root_doc}.html", Path(built.outdir) / "index.html")

    app.connect("source-read", add_contents)
    app.connect("build-finished", name_first_page)
