"""The report of some inputs, and what a reader sees of it."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from stages.common.files import read_json, write_json
from stages.report import render
from stages.reporting import curves, truncation
from stages.reporting.charts import line_chart
from stages.reporting.inputs import read_inputs

_drawn: dict[bytes, Markup] = {}


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
    with charts_drawn_once():
        return render(read_inputs(root), title)


@contextmanager
def charts_drawn_once() -> Iterator[None]:
    """Within, a chart of the same lines is the one that was drawn of them: most tests change what stands beside it."""

    def draw_once(*arguments: Any, **options: Any) -> Markup:
        lines = pickle.dumps((arguments, options))
        if lines not in _drawn:
            _drawn[lines] = line_chart(*arguments, **options)
        return _drawn[lines]

    with pytest.MonkeyPatch.context() as patch:
        for module in (curves, truncation):
            patch.setattr(module, "line_chart", draw_once)
        yield


def text_of(root: Path) -> str:
    return Elements(page(root)).text


def change(path: Path, **values: Any) -> None:
    write_json(path, read_json(path) | values)
