"""Labels from a CSV or JSON file, for images whose folders do not tell them."""

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from stages.common.errors import UserError, counted, quoted
from stages.common.params import Ingest
from stages.sources import RawImage, Source
from stages.sources.json_pairs import json_pairs
from stages.sources.lookup import Lookup
from stages.sources.names import composed, in_order, key_of
from stages.sources.one_hot import columns_of_classes
from stages.sources.steady import steady
from stages.sources.unlabeled import is_mark

Row = tuple[str, str]
"""A key and its class."""


def labeled(source: Source, params: Ingest) -> Source:
    """`source` with the labels of the file that `params.labels` names, if it names one; False removes all labels.

    CSV, TSV: a header, then key and class in the first two columns, or a column a class, one 1 in each row (one_hot).
    JSON: {key: class}; JSON lines: {"key": ..., "class": ...} with any two names, in this order; or a table that
    `tables` knows. A key is an image's key, with or without its extension. Memory: the names of the classes; keys are
    in a temporary file. Raises UserError on a file that cannot be read so, and, while images are read, on an image that
    is not in it.
    """
    if params.labels is None:
        return source
    if params.labels is False:
        return replace(source, classes=None, images=(replace(image, label=None) for image in source.images))
    from stages.sources.tables import labels_of  # imported here, since it builds on this module

    path = file_beside("ingest.labels", Path(params.labels), Path(params.path))
    said: list[str] = []
    with steady([path]):
        table = labels_of(path) or Labels(str(path), _rows(path, said))
    return with_table(replace(source, layout=[*source.layout, *said]), table, params)


def with_table(source: Source, table: "Labels", params: Ingest) -> Source:
    """`source` with the labels of a table, added while images are read."""
    images = _labeled(source.images, table, source.notes, params.unlabeled == "leave_out")
    return replace(source, classes=table.classes, images=images)


def file_beside(setting: str, path: Path, source: Path) -> Path:
    """A file that is named in `setting`: relative to the images' folder, or to the working directory."""
    beside = (source if source.is_dir() else source.parent) / path
    found = next((file for file in (beside, path) if file.is_file()), None)
    if found is None:
        raise UserError(
            "table-missing", f"{setting} = {str(path)!r} is not in {beside.parent}, nor in this folder: name a file"
        )
    return found


def find_image(keys: Lookup, key: str) -> int | None:
    """The number of an image among the keys of a table, which may leave out its extension."""
    key = key_of(key)
    found = keys.find(key)
    stem, dot, extension = key.rpartition(".")
    return keys.find(stem) if found is None and dot and "/" not in extension else found


@contextmanager
def open_table(setting: str, path: Path, what: str, ends: Iterable[str]) -> Iterator[TextIO]:
    """A text file whose name has one of these ends, opened; errors on it become a UserError."""
    if path.suffix.lower() not in ends:
        raise UserError(
            "table-format-unknown", f"{setting} = {str(path)!r} ends in none of {', '.join(ends)}: name such a file"
        )
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # spreadsheets begin a CSV with a byte order mark
            yield file
    except OSError as error:
        raise UserError("table-unreadable", f"{setting} = {str(path)!r} cannot be read ({error.strerror})") from None
    except (ValueError, csv.Error, RecursionError) as error:
        raise UserError("table-unreadable", f"{path} cannot be read as {what} ({error}): {mended_by(error)}") from None


def mended_by(error: Exception) -> str:
    """What to do about a table that cannot be read."""
    return "save it as UTF-8 (in a spreadsheet: CSV UTF-8)" if isinstance(error, UnicodeDecodeError) else "mend it"


def csv_rows(file: TextIO) -> Iterator[list[str]]:
    """The rows of a CSV from its start, without the empty cells, under no name, of commas at the ends of lines."""
    delimiter, width = delimiter_of(file), 0
    file.seek(0)
    for number, cells in enumerate(csv.reader(file, delimiter=delimiter)):
        if number == 0:
            width = max([2, *(place for place, name in enumerate(cells, 1) if name.strip())])
        yield cells if any(cell.strip() for cell in cells[width:]) else cells[:width]


def delimiter_of(file: TextIO) -> str:
    """What separates the cells of a CSV: commas, semicolons or tabs, by its header; tabs in a .tsv."""
    if str(getattr(file, "name", "")).lower().endswith(".tsv"):
        return "\t"
    file.seek(0)
    return max(",;\t", key=file.readline().count)


def _labeled(images: Iterable[RawImage], table: "Labels", notes: list[str], may_lack: bool) -> Iterator[RawImage]:
    count = 0
    for image, found in in_table(images, table.keys, table.place, "label", may_lack):
        yield replace(image, label=None if found is None else table.label(found))
        count += 1
    if len(table) > count:
        notes.append(f"{table.place} has {counted(len(table) - count, 'key')} without an image")


def in_table(
    images: Iterable[RawImage], keys: Lookup, place: str | Path, what: str, may_lack: bool
) -> Iterator[tuple[RawImage, int | None]]:
    """Each image with its number among the keys of a table; None for a missing image, if images may be missing.

    Raises UserError on a missing image if none may be, and on a table that names none of the images.
    """
    missing, matches = "", False
    for image in images:
        found = find_image(keys, image.key)
        missing, matches = missing or image.key * (found is None), matches or found is not None
        if missing and matches and not may_lack:
            raise UserError(
                "table-row-missing",
                f"{place} has no {what} for the image {quoted(missing)}: add one, remove the image, or set "
                "ingest.unlabeled to leave_out",
            )
        if found is not None or may_lack:
            yield image, found
    if missing and not matches:
        raise matches_nothing(place, what, keys, missing)


def matches_nothing(place: str | Path, what: str, keys: Lookup, image: str) -> UserError:
    """The error on a table that names none of the images; `image` is an example of one."""
    held = f", such as {quoted(image)}, and holds {quoted(keys.first())}" if len(keys) else ""
    return UserError(
        "table-matches-nothing",
        f"{place} has a {what} for none of the images: its first column must hold their names{held}",
    )


class Labels:
    """Class indices by key."""

    def __init__(self, place: str, rows: Iterable[Row]) -> None:
        self.place = place
        names: dict[str, int] = {}
        self.keys = Lookup((key, names.setdefault(name, len(names))) for key, name in rows)
        marks = {name for name in names if is_mark(name, names)}
        if names.keys() == marks:
            raise UserError("labels-missing", f"{place} holds no labels: write a key and a class in each line")
        twice = self.keys.twice()
        if twice is not None:
            raise UserError("key-twice", f"{place} names a key twice ({quoted(twice)}): keep one of the lines")
        self.classes = in_order(name for name in names if name not in marks)
        rank = {name: label for label, name in enumerate(self.classes)}
        self._labels = [rank.get(name) for name in names]

    def __len__(self) -> int:
        return len(self.keys)

    def label(self, found: int) -> int | None:
        """The label of the key with the number `found`; None if the file says that it has no label."""
        return self._labels[found]


def _rows(path: Path, said: list[str]) -> Iterator[Row]:
    """The rows of a file; notes on how it was understood are added to `said`."""
    readers = {".csv": _csv_rows, ".tsv": _csv_rows, ".json": _json_rows, ".jsonl": _json_line_rows}
    with open_table("ingest.labels", path, "labels", readers) as file:
        yield from readers[path.suffix.lower()](path, file, said)


def _csv_rows(path: Path, file: TextIO, said: list[str]) -> Iterator[Row]:
    if one_hot := columns_of_classes(path, csv_rows(file)):
        yield from (row(path, key, name) for key, name in one_hot.rows(path, csv_rows(file)))
        return
    for number, line in enumerate(csv_rows(file), 1):
        if line and len(line) < 2:
            raise UserError(
                "table-row-malformed", f"{path}, line {number}: a key and a class are needed, with a comma between"
            )
        if number == 1:
            said += _unread(path, line)
        elif line:
            yield row(path, line[0], line[1])


def _unread(path: Path, header: list[str]) -> list[str]:
    """A note on the columns after the class, which are not read."""
    if len(header) < 3:
        return []
    others = ", ".join(map(quoted, header[2:5])) + ", ..." * (len(header) > 5)
    return [f"took {quoted(header[1])} of {path} for the class, and read no other column ({others})"]


def _json_rows(path: Path, file: TextIO, _said: list[str]) -> Iterator[Row]:
    for key, name in json_pairs(path, file):
        yield row(path, key, name)


def _json_line_rows(path: Path, file: TextIO, said: list[str]) -> Iterator[Row]:
    if one_hot := columns_of_classes(path, cells(file)):
        file.seek(0)
        yield from (row(path, key, name) for key, name in one_hot.rows(path, cells(file)))
        return
    file.seek(0)
    for number, values in json_lines(file):
        if not isinstance(values, dict) or len(values) < 2:
            raise UserError(
                "table-row-malformed", f"{path}, line {number}: a JSON object with a key and a class is needed"
            )
        said += [] if said else _unread(path, list(values))
        key, name, *_ = values.values()
        yield row(path, key, name)


def json_lines(file: Iterable[str]) -> Iterator[tuple[int, Any]]:
    """The values in JSON lines, each with the number of its line; ValueError on a line that is no JSON."""
    return ((number, json.loads(line)) for number, line in enumerate(file, 1) if line.strip())


def cells(file: Iterable[str]) -> Iterator[list[str]]:
    """JSON lines as rows of a CSV, names first; a line with other names has only one cell."""
    header: list[str] | None = None
    for _, values in json_lines(file):
        if isinstance(values, dict):
            if header is None:
                yield (header := list(values))
            yield [str(values[name]) for name in header] if values.keys() == set(header) else [""]


def row(place: str | Path, key: Any, name: Any) -> Row:
    """A key and a class, where an empty class is none. Raises UserError on values that are no key, or no class."""
    known = isinstance(name, str | int | None) and not isinstance(name, bool)
    if not isinstance(key, str) or not known:
        raise UserError(
            "labels-invalid",
            f"{place}: {quoted(key)} has the class {quoted(name)}, which is no name and no whole number: mend it",
        )
    return key_of(key), "" if name is None else composed(str(name).strip())
