"""Labels in tables among the images, as common tools write them.

StyleGAN's dataset_tool.py: `dataset.json`, {"labels": [["00000/img00000000.png", 6], ...]}, or null for no labels;
any other `dataset.json`, such as COCO's, is ignored.
Hugging Face's ImageFolder: `metadata.csv` or `metadata.jsonl`, a column `file_name` and columns of any name.
Names of files are relative to the table's own folder; folders are no classes if a table has labels.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from stages.common.errors import UserError, quoted
from stages.sources.json_pairs import json_under
from stages.sources.labels import Labels, Row, csv_rows, json_lines, mended_by, row
from stages.sources.layout import Parts
from stages.sources.limits import is_image

STYLEGAN, METADATA_CSV, METADATA_LINES = "dataset.json", "metadata.csv", "metadata.jsonl"
NAMES = (STYLEGAN, METADATA_CSV, METADATA_LINES)
_CLASS_COLUMNS = ("label", "class", "category")
_ATTRIBUTES = "several values for one image are attributes: give each image one class, or a table to ingest.attributes"


class Found(NamedTuple):
    """What was found in the tables among the images."""

    labels: Labels | None
    folders_are_classes: bool
    said: list[str]
    """Sentences on how the tables were understood."""


def labels_among(place: str, tables: dict[Parts, bytes]) -> Found:
    """The labels in the tables of a tree, by the names of images in it.

    Raises UserError on a table that cannot be read, and on an image with several values.
    """
    read = [_Table(place, parts, content) for parts, content in tables.items()]
    with_labels = [table for table in read if table.rows is not None]
    said = [table.said for table in read]
    if not with_labels:
        return Found(None, not any(table.says_none for table in read), said)
    more = f" and {len(with_labels) - 1} more" if len(with_labels) > 1 else ""
    rows = (found for table in with_labels for found in table.rows or ())
    return Found(Labels(f"{with_labels[0].place}{more}", rows), False, said)


def labels_of(path: Path) -> Labels | None:
    """The labels in a file with the name and the form of a known table; else None."""
    if path.name.lower() not in NAMES or not os.access(path, os.R_OK):
        return None
    return labels_among(str(path.parent), {(path.name,): path.read_bytes()}).labels


class _Table:
    """A file that may have labels; `rows` is None if it has none."""

    def __init__(self, place: str, parts: Parts, content: bytes) -> None:
        self.place, self.name, self._folder = "/".join([place, *parts]), parts[-1].lower(), parts[:-1]
        self.said = f"took classes from {self.place}, and none from folders"
        self.says_none = False
        file = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
        with _refusing(self.place):
            found = {STYLEGAN: self._stylegan, METADATA_CSV: self._csv, METADATA_LINES: self._lines}[self.name](file)
        self.rows = None if found is None else self._named(found)

    def _stylegan(self, file: TextIO) -> Iterable[tuple[Any, Any]] | None:
        kind, found = json_under(self.place, file, "labels")
        if kind == "list":
            return (self._pair(value) for value in found)
        if kind == "object" and _are_numbers_of_images(found):
            file.seek(0)
            return json_under(self.place, file, "labels")[1]
        if kind == "null":
            self.says_none = True
            self.said = f"took {self.place} to say that there are no labels: folders are no classes"
        else:
            self.said = f"took nothing from {self.place}, which has no labels of StyleGAN's form"
        return None

    def _pair(self, value: Any) -> tuple[str, Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise UserError(
                "labels-invalid", f"{self.place}: {quoted(value)} is no pair of a file and its label: mend it"
            )
        name, label = value
        return name, self._one_hot(name, label) if isinstance(label, list) else label

    def _one_hot(self, name: str, values: list[Any]) -> int:
        if values.count(1) != 1 or values.count(0) != len(values) - 1:
            raise UserError(
                "labels-are-attributes", f"{self.place}: {quoted(name)} has the label {quoted(values)}: {_ATTRIBUTES}"
            )
        return values.index(1)

    def _csv(self, file: TextIO) -> Iterable[tuple[Any, Any]] | None:
        lines = csv_rows(file)
        header = next(lines, [])
        columns = self._columns(header)
        if columns is None:
            return None
        places = [header.index(column) for column in columns]
        return ((line[places[0]], line[places[1]]) for line in _whole(self.place, lines, max(places)))

    def _lines(self, file: TextIO) -> Iterable[tuple[Any, Any]] | None:
        objects = _objects(self.place, file)
        first = next(objects, {})
        columns = self._columns(list(first))
        if columns is None:
            return None
        name, label = columns
        return ((each.get(name), each.get(label)) for some in ([first], objects) for each in some)

    def _columns(self, header: list[str]) -> tuple[str, str] | None:
        """The column of file names and that of classes."""
        named = [column for column in header if column == "file_name"]
        named = named or [column for column in header if column.endswith("_file_name")]
        classes = [column for wanted in _CLASS_COLUMNS for column in header if column.strip().lower() == wanted]
        if len(named) == 1 and classes:
            return named[0], classes[0]
        missing = "column file_name" if len(named) != 1 else f"column of classes ({', '.join(_CLASS_COLUMNS)})"
        self.said = f"took nothing from {self.place}, which has no {missing} but {quoted(', '.join(header))}"
        return None

    def _named(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Row]:
        with _refusing(self.place):
            for name, label in pairs:
                key, class_name = row(self.place, name, label)
                inside = (part for part in key.replace("\\", "/").split("/") if part not in ("", "."))
                yield "/".join([*self._folder, *inside]), class_name


def _are_numbers_of_images(pairs: Iterable[tuple[str, Any]]) -> bool:
    """Whether a JSON object has images with whole numbers, and not classes with numbers, as {"cat": 0, "dog": 1}."""
    found = [is_image(name) and type(value) is int for name, value in pairs]
    return bool(found) and all(found)


def _whole(place: str, lines: Iterable[list[str]], last: int) -> Iterator[list[str]]:
    for number, line in enumerate(lines, 2):
        if line and len(line) <= last:
            raise UserError(
                "table-row-malformed", f"{place}, line {number}: it has fewer columns than the first line: mend it"
            )
        if line:
            yield line


def _objects(place: str, file: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, found in json_lines(file):
        if not isinstance(found, dict):
            raise UserError(
                "table-row-malformed", f"{place}, line {number}: a JSON object is needed, with a file_name: mend it"
            )
        yield found


@contextmanager
def _refusing(place: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, csv.Error, RecursionError) as error:
        raise UserError(
            "labels-unreadable", f"{place} cannot be read as labels ({error}): {mended_by(error)}, or rename it"
        ) from None
