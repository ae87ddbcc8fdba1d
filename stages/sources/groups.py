"""What images are of (a person, a patient, a scene), by a column of a table: it stays on one side of a random split."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from stages.common.errors import UserError, quoted
from stages.common.params import Ingest
from stages.common.sections import Groups
from stages.sources import RawImage, Source
from stages.sources.labels import csv_rows, file_beside, find_image, json_lines, matches_nothing, open_table
from stages.sources.lookup import Lookup
from stages.sources.names import check_printable, composed, key_of
from stages.sources.steady import steady


def grouped(source: Source, params: Ingest) -> Source:
    """`source` with the groups of the table that `params.groups` names, if it names one.

    CSV with a header, or JSON lines; the first column has keys, like those of `ingest.labels`. An image that is not in
    the table, or has an empty cell, is its own group. Raises UserError on a table that cannot be read so, or that names
    none of the images.
    """
    if params.groups is None:
        return source
    path = file_beside("ingest.groups.file", Path(params.groups.file), Path(params.path))
    with steady([path]):
        names: dict[str, int] = {}
        rows = ((key_of(key), composed(name)) for key, name in _rows(path, params.groups))
        table = Lookup((key, names.setdefault(name, len(names))) for key, name in rows if name)
        for name in names:
            check_printable(str(path), name)
        if (torn := table.torn()) is not None:
            raise UserError("key-twice", f"{path} has two groups for a key ({quoted(torn)}): keep one of the lines")
    return replace(source, images=_grouped(source, table, list(names), path), grouped=True)


def _grouped(source: Source, table: Lookup, names: list[str], path: Path) -> Iterator[RawImage]:
    alone, count, first = 0, 0, ""
    for image in source.images:
        found = find_image(table, image.key)
        alone, count, first = alone + (found is None), count + 1, first or image.key
        yield replace(image, group=None if found is None else names[found])
    if alone and alone == count:
        raise matches_nothing(path, "group", table, first)
    if alone:
        source.notes.append(f"{alone} of {count} images have no group in {path}: each is on its own")


def _rows(path: Path, groups: Groups) -> Iterator[tuple[str, str]]:
    readers = {".csv": _csv_rows, ".tsv": _csv_rows, ".jsonl": _json_line_rows}
    with open_table("ingest.groups.file", path, "groups", readers) as file:
        yield from readers[path.suffix.lower()](path, file, composed(groups.column))


def _csv_rows(path: Path, file: TextIO, column: str) -> Iterator[tuple[str, str]]:
    reader = csv_rows(file)
    header = [composed(name) for name in next(reader, [])]
    if column not in header[1:]:
        raise _no_column(path, column, header[1:])
    place = header.index(column, 1)
    for row in reader:
        if row:
            yield row[0], row[place].strip() if place < len(row) else ""


def _json_line_rows(path: Path, file: TextIO, column: str) -> Iterator[tuple[str, str]]:
    for number, read in json_lines(file):
        values = {composed(name): value for name, value in read.items()} if isinstance(read, dict) else {}
        if column not in list(values)[1:]:
            raise _no_column(path, column, list(values), f", line {number}")
        yield str(next(iter(values.values()))), "" if values[column] is None else str(values[column]).strip()


def _no_column(path: Path, column: str, known: list[str], line: str = "") -> UserError:
    return UserError(
        "table-column-missing",
        f"{path}{line} has no column {quoted(column)} behind the one of keys, but {', '.join(known) or 'no other'}: "
        "name one in ingest.groups.column",
    )
