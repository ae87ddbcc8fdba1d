"""The report of some inputs, and what a reader sees of it."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from stages.common.files import read_json, write_json
from stages.report import render
from stages.reporting.inputs import read_inputs


class Elements(HTMLParser):
    """Every element with its attributes, in order, and the words a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(root: Path, title: str = "Mintage") -> str:
    return render(read_inputs(root), title)


def text_of(root: Path) -> str:
    return Elements(page(root)).text


def change(path: Path, **values: Any) -> None:
    write_json(path, read_json(path) | values)
