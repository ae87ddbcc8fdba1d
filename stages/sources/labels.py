"""Labels from a CSV or JSON file, for images whose folders do not tell them."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from stages.common.errors import UserError, shown
from stages.common.params import Ingest
from stages.sources import RawImage, Source
from stages.sources.json_pairs import json_pairs
from stages.sources.lookup import Lookup
from stages.sources.names import composed, in_order
from stages.sources.steady import steady

Row = tuple[str, str]
"""A key and its class."""


def labelled(source: Source, params: Ingest) -> Source:
    """`source` with the labels of the file that `params.labels` names, where it names one.

    CSV: a header, then key and class in the first two columns. JSON: {key: class}; JSON lines: {"key": ..., "class":
    ...} by any two names, in this order; or a table as `tables` knows them. A key is an image's own, with or without
    its extension. Memory: the names of the classes; keys are in a temporary file. Raises UserError on a file that
    cannot be read so, and while images are read on an image that is not in it.
    """
    if params.labels is None:
        return source
    from stages.sources.tables import labels_of  # which builds on this module

    path = _labels_at(Path(params.labels), Path(params.path))
    with steady([path]):
        table = labels_of(path) or Labels(str(path), _rows(path))
    return with_labels(source, table)


def with_labels(source: Source, table: "Labels") -> Source:
    """`source` with the labels of a table, as it is read."""
    return replace(source, classes=table.classes, images=_labelled(source.images, table, source.notes))


def _labels_at(path: Path, source: Path) -> Path:
    """Beside the images, or from the working directory on."""
    beside = (source if source.is_dir() else source.parent) / path
    found = next((file for file in (beside, path) if file.is_file()), None)
    if found is None:
        raise UserError(f"ingest.labels = {str(path)!r} is no file, neither in {beside.parent} nor from here on")
    return found


def _labelled(images: Iterable[RawImage], table: "Labels", notes: list[str]) -> Iterator[RawImage]:
    count = 0
    for image in images:
        yield replace(image, label=table.label(image.key))
        count += 1
    if len(table) > count:
        notes.append(f"{table.place} has {len(table) - count} keys of which there is no image")


class Labels:
    """Class indices by key."""

    def __init__(self, place: str, rows: Iterable[Row]) -> None:
        self.place = place
        names: dict[str, int] = {}
        self._keys = Lookup((key, names.setdefault(name, len(names))) for key, name in rows)
        if not names:
            raise UserError(f"{place} holds no labels: write a key and a class in each line")
        twice = self._keys.twice()
        if twice is not None:
            raise UserError(f"{place} names a key twice ({shown(twice)}): keep one of the lines")
        self.classes = in_order(list(names))
        rank = {name: label for label, name in enumerate(self.classes)}
        self._labels = [rank[name] for name in names]

    def __len__(self) -> int:
        return len(self._keys)

    def label(self, key: str) -> int:
        stem, dot, extension = key.rpartition(".")
        for tried in (key, stem) if dot and "/" not in extension else (key,):
            found = self._keys.find(tried)
            if found is not None:
                return self._labels[found]
        raise UserError(f"{self.place} has no label for the image {shown(key)}: add one, or remove the image")


def _rows(path: Path) -> Iterator[Row]:
    readers = {".csv": _csv_rows, ".json": _json_rows, ".jsonl": _json_line_rows}
    if path.suffix.lower() not in readers:
        raise UserError(f"ingest.labels = {str(path)!r} ends in none of {', '.join(readers)}: name such a file")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # spreadsheets begin a CSV with a byte order mark
            yield from readers[path.suffix.lower()](path, file)
    except OSError as error:
        raise UserError(f"ingest.labels = {str(path)!r} cannot be read ({error.strerror})") from None
    except (ValueError, csv.Error, RecursionError) as error:
        raise UserError(f"{path} cannot be read as labels ({error}): mend it") from None


def _csv_rows(path: Path, file: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(csv.reader(file), 1):
        if line and len(line) < 2:
            raise UserError(f"{path}, line {number}: a key and a class are needed, with a comma between")
        if line and number > 1:
            yield row(path, line[0], line[1])


def _json_rows(path: Path, file: TextIO) -> Iterator[Row]:
    for key, name in json_pairs(path, file):
        yield row(path, key, name)


def _json_line_rows(path: Path, file: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        values = json.loads(line) if line.strip() else {}
        if line.strip() and (not isinstance(values, dict) or len(values) < 2):
            raise UserError(f"{path}, line {number}: a JSON object with a key and a class is needed")
        if values:
            key, name, *_ = values.values()
            yield row(path, key, name)


def row(place: str | Path, key: Any, name: Any) -> Row:
    """Raises UserError on what is no key, or no class."""
    if not isinstance(key, str) or not isinstance(name, str | int) or isinstance(name, bool) or not str(name).strip():
        raise UserError(
            f"{place}: {shown(key)} has the class {shown(name)}, which is no name and no whole number: mend it"
        )
    return composed(key), composed(str(name).strip())
