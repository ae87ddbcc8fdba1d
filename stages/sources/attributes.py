"""Attributes of each image from columns of a table: bits, numbers, and words, each of which becomes a bit.

`mintage.attributes` explains how a model uses them. A column of 0 and 1 (or -1 and 1, true and false, yes and no) is a
bit. Other numbers are scaled from their lowest value, -1, to their highest, 1. A column of words is a bit a word.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TextIO

import numpy as np

from stages.common.errors import UserError, quoted
from stages.common.params import Ingest
from stages.common.sections import Attributes
from stages.sources import RawImage, Source
from stages.sources.labels import cells, csv_rows, delimiter_of, file_beside, in_table, open_table
from stages.sources.lookup import Lookup
from stages.sources.names import composed, key_of
from stages.sources.steady import steady

MOST_WORDS = 100
"""Most words in a column; a column of more is no attribute, but texts or names."""
SETTING = "ingest.attributes"
_BITS = {"0": -1.0, "1": 1.0, "-1": -1.0, "false": -1.0, "true": 1.0, "no": -1.0, "yes": 1.0}
_NO_VALUE = {"", "nan", "null"}
_READERS: dict[str, Callable[[TextIO], Iterator[list[str]]]] = {".csv": csv_rows, ".tsv": csv_rows, ".jsonl": cells}


@dataclass
class Column:
    """The values found in a column."""

    name: str
    commas: bool
    """Whether numbers may have a comma in place of the point."""
    texts: set[str] = field(default_factory=set)
    """The different values, until there are too many to be words."""
    low: float = math.inf
    high: float = -math.inf
    numbers: bool = True
    gaps: bool = False
    """Whether there are cells without a value."""

    def add(self, text: str) -> None:
        self.gaps = self.gaps or text.lower() in _NO_VALUE
        if len(self.texts) <= MOST_WORDS:
            self.texts.add(text)
        if self.numbers:
            number = self._number(text)
            self.numbers = number is not None
            self.low, self.high = min(self.low, number or 0.0), max(self.high, number or 0.0)

    @cached_property
    def bit(self) -> bool:
        """Whether the column is a bit. This and what follows is known once all values are added."""
        plain = {text.lower() for text in self.texts}
        return plain <= _BITS.keys() and len({_BITS[text] for text in plain}) == len(plain)

    @property
    def same(self) -> bool:
        """Whether all values are equal in any spelling: 1 and 1.0, yes and Yes."""
        if self.numbers and not self.bit:
            return self.low >= self.high
        return len({text.lower() for text in self.texts} if self.bit else self.texts) < 2

    @property
    def names(self) -> list[str]:
        """The names of the attributes that it becomes."""
        return [self.name] if self.bit or self.numbers else [f"{self.name}={word}" for word in self._rows]

    @cached_property
    def _rows(self) -> dict[str, list[float]]:
        """The values of each word, in order."""
        words = sorted(self.texts)
        return {text: [1.0 if text == word else -1.0 for word in words] for text in words}

    def values(self, text: str) -> list[float]:
        if self.bit:
            return [_BITS[text.lower()]]
        if self.numbers:
            return [2 * ((self._number(text) or 0.0) - self.low) / (self.high - self.low) - 1]
        return self._rows[text]

    def _number(self, text: str) -> float | None:
        try:
            number = float(text.replace(",", ".") if self.commas else text)
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def problem(self) -> str | None:
        """Why nothing can be learned from it."""
        if self.gaps:
            return "has cells without a value: fill them"
        if self.same:
            return "says the same of all images"
        if not self.bit and not self.numbers and len(self.texts) > MOST_WORDS:
            return f"has more than {MOST_WORDS} different words, as names and texts have"
        if "=" in self.name:
            return "has a '=' in its name, which joins a column and its word: rename it"
        return None


def attributes_of(columns: list[Column], where: str) -> tuple[list[str], list[str]]:
    """The names of the attributes that columns become, and a sentence on the range of each column of numbers.

    Raises UserError if nothing can be learned from a column.
    """
    if problems := [f"column {quoted(one.name)} {problem}" for one in columns if (problem := one.problem())]:
        raise UserError("attributes-invalid", f"{where}: {'; '.join(problems[:3])}; name others in {SETTING}.columns")
    ranges = [
        f"{column.name} is -1 at {column.low:g} and 1 at {column.high:g}"
        for column in columns
        if column.numbers and not column.bit
    ]
    return [name for column in columns for name in column.names], ranges


def with_attributes(source: Source, params: Ingest) -> Source:
    """`source` with attributes from the table in `params.attributes`, if it names one, in place of classes.

    A source with attributes in its own columns is unchanged.

    CSV with a header, or JSON lines; the first column holds keys, like those of `ingest.labels`. Memory: the words of
    the columns; values are in a temporary file. Raises UserError on a table that cannot be read so, and, while images
    are read, on an image that is not in the table, unless `params.unlabeled` leaves such images out.
    """
    if params.attributes is None or source.attributes is not None:
        return source
    if params.attributes.file is None:
        raise UserError(
            "attributes-without-table",
            f"{SETTING}.file is null, and only Parquet has attributes in its own columns: name a table of them",
        )
    path = file_beside(f"{SETTING}.file", Path(params.attributes.file), Path(params.path))
    with steady([path]):
        table = _Table(path, params.attributes)
    images = _images(source, table, may_lack=params.unlabeled == "leave_out")
    return replace(source, classes=None, attributes=table.names, images=images, layout=[*source.layout, *table.layout])


def _images(source: Source, table: "_Table", *, may_lack: bool) -> Iterator[RawImage]:
    left_out, count, first = 0, 0, ""
    for image, found in in_table(source.images, table.keys, table.path, "row", may_lack):
        count += 1
        if found is None:
            left_out, first = left_out + 1, first or image.key
        else:
            yield replace(image, label=None, attributes=table.values(found))
    if left_out:
        source.notes.append(f"left out {left_out} of {count} images without a row in {table.path}, such as {first}")


class _Table:
    """The values of each key, in a temporary file."""

    def __init__(self, path: Path, asked: Attributes) -> None:
        self.path = path
        names = _chosen(path, asked)
        commas = _may_stand_in_numbers(path)
        columns = [Column(composed(name), commas) for name in names]
        for _, texts in _rows(path, columns):
            for column, text in zip(columns, texts, strict=True):
                column.add(text)
        self.names, self.layout = attributes_of(columns, str(path))
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - as long as the table
        self.keys = Lookup((key, number) for number, key in enumerate(self._written(columns)))
        if (twice := self.keys.twice()) is not None:
            raise UserError("key-twice", f"{path} names a key twice ({quoted(twice)}): keep one of the rows")

    def _written(self, columns: list[Column]) -> Iterator[str]:
        """The keys, in order, while their values are written."""
        for key, texts in _rows(self.path, columns):
            values = [value for column, text in zip(columns, texts, strict=True) for value in column.values(text)]
            self._file.write(np.array(values, "<f4").tobytes())
            yield key

    def values(self, found: int) -> list[float]:
        """The values of the key with the number `found`."""
        size = 4 * len(self.names)
        self._file.seek(found * size)
        values: list[float] = np.frombuffer(self._file.read(size), "<f4").tolist()
        return values


def _chosen(path: Path, asked: Attributes) -> list[str]:
    """The names of the columns to read."""
    with _lines(path) as lines:
        known = [composed(name) for name in next(lines, [])][1:]
    wanted = known if asked.columns == "all" else [composed(name) for name in asked.columns]
    if twice := next((name for name in wanted if known.count(name) > 1), None):
        raise UserError("table-column-twice", f"{path} has two columns called {quoted(twice)}: rename one")
    if missing := next((name for name in wanted if name not in known), None):
        raise UserError(
            "table-column-missing",
            f"{path} has no column {quoted(missing)} behind the one of keys, but {', '.join(known) or 'no other'}: "
            f"name one in {SETTING}.columns",
        )
    return wanted


def _rows(path: Path, columns: list[Column]) -> Iterator[tuple[str, list[str]]]:
    """The key of each row, and its cells in the columns."""
    with _lines(path) as lines:
        header = [composed(name) for name in next(lines, [])]
        places = [header.index(column.name, 1) for column in columns]
        for number, row in enumerate(lines, 2):
            if row and len(row) != len(header):
                raise UserError(
                    "table-row-malformed",
                    f"{path}, line {number}: it has {len(row)} cells, the first {len(header)}: mend it",
                )
            if row:
                yield key_of(row[0]), [composed(row[place].strip()) for place in places]


def _may_stand_in_numbers(path: Path) -> bool:
    """Whether numbers may have commas, as Excel writes them in much of Europe: if commas do not separate cells."""
    with open_table(f"{SETTING}.file", path, "attributes", _READERS) as file:
        return path.suffix.lower() != ".jsonl" and delimiter_of(file) != ","


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[list[str]]]:
    """The rows of a table as lists of cells, its header first."""
    with open_table(f"{SETTING}.file", path, "attributes", _READERS) as file:
        yield _READERS[path.suffix.lower()](file)
