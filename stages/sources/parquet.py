"""Parquet with encoded images in a column: the Hugging Face layout, this pipeline's own, or columns that you name."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from stages.common.errors import UserError, counted, one_line, quoted
from stages.common.params import Ingest
from stages.common.sections import Attributes, Section
from stages.sources import NOT_STATED, RawImage, Source
from stages.sources.attributes import SETTING, Column, attributes_of
from stages.sources.kinds import advice_on
from stages.sources.limits import checked
from stages.sources.names import SPLITS, Split, composed, in_order, of_system, split_of, splits_read
from stages.sources.steady import stamp, steady
from stages.sources.unlabeled import is_mark

_ROWS = 64
_BUFFER = 2**20


class Options(Section):
    image: str = Field("image", description="column of the images: encoded bytes, or a struct of bytes and path")
    label: str | None = Field("label", description="column of class numbers or names; null reads none")
    key: str | None = Field(None, description="column of unique names; null is the file's name and the row's number")
    split: str | None = Field(
        None, description="column of train and test; null goes by file names such as test-00000.parquet"
    )
    partner: str | None = Field(None, description="column of the images' partners, like that of the images")
    group: str | None = Field(None, description="column of what stays on one side of a random split: a person, a scene")


def paired_by(options: Options) -> bool:
    """Whether samples get partners."""
    return options.partner is not None


@dataclass(frozen=True)
class Table:
    """A Parquet file, wherever it is."""

    name: str
    file: Any
    """A path, or a file object that can seek."""
    stamp: str


def read(params: Ingest, options: Options) -> Source:
    """The images of the file at `params.path`, or of all Parquet files below that folder, in the order of names.

    Class names: those of a ClassLabel feature in the schema, else the distinct values in order. Memory: some rows.
    """
    paths = _paths(Path(params.path))
    root = Path(params.path) if Path(params.path).is_dir() else Path(params.path).parent
    tables = [Table(path.relative_to(root).as_posix(), path, stamp(path)) for path in paths]
    return table_source("parquet", params.path, tables, params, options)


def _paths(path: Path) -> list[Path]:
    found = [path]
    if path.is_dir():
        below = ((file, file.relative_to(path).as_posix()) for file in sorted(path.rglob("*.parquet")))
        found = [file for file, name in below if is_table(name)]
    if not found or not all(file.is_file() for file in found):
        advice = advice_on(path, but="parquet") or "set ingest.path to one"
        raise UserError("source-missing", f"{path} is no Parquet file, and no folder with some: {advice}")
    return found


def is_table(name: str) -> bool:
    """Whether a path inside the source is that of a Parquet file, and not hidden or a system's."""
    return name.endswith(".parquet") and not any(map(of_system, name.split("/")))


def table_source(name: str, origin: str, tables: list[Table], params: Ingest, options: Options) -> Source:
    """The images in Parquet files."""
    if params.labels is not None:  # a file has the labels, or none are wanted
        options = options.model_copy(update={"label": None})
    asked = params.attributes if params.attributes and params.attributes.file is None else None
    columns = _Columns(options, tables, asked)
    return Source(
        name, NOT_STATED, origin, columns.names, _images(tables, columns, params.max_pixels), count=columns.count,
        paired=paired_by(options), grouped=options.group is not None, layout=columns.layout,
        attributes=columns.attributes.names if columns.attributes else None,
    )  # fmt: skip


class _Columns:
    """The columns, and what is found in them before images are read."""

    def __init__(self, options: Options, tables: list[Table], asked: Attributes | None) -> None:
        self.count = 0
        self.marks: set[Any] = set()
        """Values of the column of labels that mean no label."""
        with _opened(tables[0]) as file:
            schema: pa.Schema = file.schema_arrow
        self.image, self.partner, self.key, self.group = options.image, options.partner, options.key, options.group
        self.label = options.label if options.label in schema.names or "label" in options.model_fields_set else None
        wanted = [self.image, self.label, self.key, options.split, self.partner, self.group]
        self.wanted = [column for column in wanted if column is not None]
        columns = _chosen(asked, tables[0], schema, self.wanted) if asked else []
        self.wanted = list(dict.fromkeys([*self.wanted, *columns]))
        self.split_column = options.split
        self.layout: list[str] = []
        self.splits = self._splits_by_name(tables) if options.split is None else {}
        if options.split is None and "split" in schema.names:
            self.layout.append("left the column 'split' aside: '+ingest.options.split=split' takes the splits from it")
        for table in tables:
            with _opened(table) as file:
                _check_columns(table, file.schema_arrow, self)
                _check_classes(table, file.schema_arrow, tables[0], schema, self.wanted)
                self.count += file.metadata.num_rows
        self.attributes = _OfAttributes(columns, tables, schema) if columns else None
        self.layout += self.attributes.ranges if self.attributes else []
        self.names, self.index = self._classes(tables, schema)

    def _classes(self, tables: list[Table], schema: pa.Schema) -> tuple[list[str] | None, dict[Any, int]]:
        """Class names by label, and the label of each value of the column."""
        if self.label is None:
            return None, {}
        names = _class_label(schema, self.label)
        if names is not None:
            self.marks = {None, -1}
            return names, {number: number for number in range(len(names))}
        named = {value: composed(value) if isinstance(value, str) else value for value in _distinct(tables, self.label)}
        self.marks = {None, *(value for value in named if is_mark(value, named))}
        distinct = {name for value, name in named.items() if value not in self.marks}
        values = in_order(distinct) if all(isinstance(value, str) for value in distinct) else sorted(distinct)
        rank = {value: label for label, value in enumerate(values)}
        labels = {value: rank[name] for value, name in named.items() if value not in self.marks}
        return ([str(value) for value in values] or None), labels

    def _splits_by_name(self, tables: list[Table]) -> dict[str, Split]:
        """Splits by the start of a file's or a folder's name, as on hubs; empty unless all names have one."""
        first = {table.name: _split_in(table.name) for table in tables}
        found = {name for name in first.values() if name is not None}
        if {split_of(name) for name in found} != {"train", "test"}:
            return {}
        unnamed = next((name for name, split in first.items() if split is None), None)
        if unnamed is not None:
            self.layout.append(f"took {' and '.join(sorted(found))} for no splits, as {unnamed} is of none")
            return {}
        self.layout.append(splits_read(found))
        return {name: split for name, start in first.items() if start is not None and (split := split_of(start))}


class _OfAttributes:
    """Columns that become attributes; they are read once before the images, to find their values."""

    def __init__(self, names: list[str], tables: list[Table], schema: pa.Schema) -> None:
        self.columns = {name: Column(composed(name), commas=False) for name in names}
        self._words = {name: _class_label(schema, name) for name in self.columns}
        for table in tables:
            for batch in _batches(table, names):
                with _refusing(table):  # text may be no UTF-8
                    for name, column in self.columns.items():
                        for value in batch[name].unique().to_pylist():
                            column.add(self._text(name, value))
        self.names, self.ranges = attributes_of(list(self.columns.values()), tables[0].name)

    def values(self, row: dict[str, Any]) -> list[float]:
        return [value for name, column in self.columns.items() for value in column.values(self._text(name, row[name]))]

    def _text(self, name: str, value: Any) -> str:
        """A value as in a table of text; for a ClassLabel its name."""
        plain, words = _plain(value), self._words[name]
        if plain is None or (words is not None and plain not in range(len(words))):
            return ""
        return composed(str(plain if words is None else words[plain]).strip())


def _chosen(asked: Attributes, table: Table, schema: pa.Schema, taken: list[str]) -> list[str]:
    """The names of the columns that become attributes; for `all`, those that can and are not `taken`."""
    able = [field.name for field in schema if _says_something(field.type) and field.name not in taken]
    wanted = able if asked.columns == "all" else asked.columns
    if missing := next((name for name in wanted if name not in able), "" if wanted else "any"):
        raise UserError(
            "table-column-missing",
            f"{table.name} has no column {missing!r} of bits, numbers or words but {', '.join(able) or 'no other'}: "
            f"name one in {SETTING}.columns",
        )
    return wanted


def _says_something(kind: pa.DataType) -> bool:
    """Whether a column's type is bits, numbers or text."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    types = pa.types
    kinds = (types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_large_string)
    return any(is_such(inner) for is_such in kinds)


def _class_label(schema: pa.Schema, column: str) -> list[str] | None:
    """The names of a ClassLabel feature, as `datasets` writes them into the schema."""
    try:
        about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = about["info"]["features"][column]["names"]
    except (ValueError, KeyError, TypeError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def _distinct(tables: list[Table], column: str) -> set[Any]:
    found: set[Any] = set()
    for table in tables:
        for batch in _batches(table, [column]):
            with _refusing(table):  # text may be no UTF-8
                found.update(_plain(value) for value in batch[column].unique().to_pylist())
    if any(isinstance(value, float) for value in found):
        raise UserError(
            "labels-invalid", f"{tables[0].name}: column {column!r} holds fractions, no class number and no name"
        )
    if len({isinstance(value, str) for value in found - {None}}) > 1:
        raise UserError(
            "labels-invalid",
            f"{tables[0].name} and the files beside it: column {column!r} holds numbers in some and names in others: "
            "write it alike in all",
        )
    return found - {None}


def _plain(value: Any) -> Any:
    """A class number or name; pandas writes whole numbers beside empty cells as fractions, and the cells as NaN."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else None if math.isnan(value) else value


def _check_columns(table: Table, schema: pa.Schema, columns: _Columns) -> None:
    if missing := [column for column in columns.wanted if column not in schema.names]:
        raise UserError(
            "table-column-missing",
            f"{table.name} has no column {missing[0]!r} but {', '.join(schema.names)}: name it in ingest.options",
        )
    if twice := [column for column in columns.wanted if schema.names.count(column) > 1]:
        raise UserError("table-column-twice", f"{table.name} has two columns called {twice[0]!r}: rename one")
    for column in filter(None, (columns.image, columns.partner)):
        kind = schema.field(column).type
        inner = kind.field("bytes").type if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
        if not (pa.types.is_binary(inner) or pa.types.is_large_binary(inner) or pa.types.is_binary_view(inner)):
            raise UserError(
                "table-column-kind",
                f"{table.name}: column {column!r} is {kind}, not encoded images: name another in ingest.options",
            )
    if columns.label is not None and not _says_something(kind := schema.field(columns.label).type):
        raise UserError(
            "table-column-kind",
            f"{table.name}: column {columns.label!r} is {kind}, no class number and no name: name another in "
            "ingest.options.label, or set it to null",
        )


def _check_classes(table: Table, schema: pa.Schema, first: Table, known: pa.Schema, wanted: list[str]) -> None:
    """Refuse files with different names for the same number of a column: 0 would be a cat and a dog."""
    for column in wanted:
        names, others = _class_label(known, column), _class_label(schema, column)
        if names and others and names != others:
            raise UserError(
                "split-classes-differ",
                f"{table.name}: the classes of column {column!r} are {quoted(', '.join(others))}, and in {first.name} "
                f"{quoted(', '.join(names))}: write both with the same names in the same order",
            )


def _split_in(name: str) -> str | None:
    for part in reversed(name.removesuffix(".parquet").split("/")):
        start = part.replace("_", "-").partition("-")[0].lower()
        if split_of(start):
            return start
    return None


def _images(tables: list[Table], columns: _Columns, max_pixels: int) -> Iterator[RawImage]:
    for table in tables:
        number = 0
        for batch in _batches(table, columns.wanted):
            with _refusing(table):
                rows = batch.to_pylist()
            for row in rows:
                yield _image(table, number, row, columns, max_pixels)
                number += 1


def _image(table: Table, number: int, row: dict[str, Any], columns: _Columns, max_pixels: int) -> RawImage:
    where = f"{table.name}, row {number}"
    key = f"{table.name}-{number:06d}" if columns.key is None else str(row[columns.key])
    content, path = _content(where, row[columns.image], max_pixels)
    partner = None if columns.partner is None else _content(where, row[columns.partner], max_pixels)[0]
    label = None if columns.names is None else _label(where, _plain(row[columns.label or ""]), columns)
    split = _split(where, row, columns, table)
    of = None if columns.group is None else _plain(row[columns.group])
    group = None if of is None else composed(str(of))
    attributes = columns.attributes.values(row) if columns.attributes else None
    return RawImage(key, path or key.rpartition("/")[2], content, label, split, partner, table.stamp, group, attributes)


def _content(where: str, value: Any, max_pixels: int) -> tuple[bytes, str]:
    content, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if content is None:
        at = f" but the path {path!r}, which is never followed" if path else ""
        raise UserError("image-empty", f"{where} has no image in it{at}: write the table with the images' bytes")
    return checked(where, content, max_pixels), str(path or "")


def _label(where: str, value: Any, columns: _Columns) -> int | None:
    if value in columns.marks:
        return None
    if value not in columns.index:
        raise UserError(
            "label-out-of-range",
            f"{where} has the label {value!r}, but there are {counted(len(columns.index), 'class')}: mend the table",
        )
    return columns.index[value]


def _split(where: str, row: dict[str, Any], columns: _Columns, table: Table) -> str | None:
    if columns.split_column is None:
        return columns.splits.get(table.name)
    split = split_of(str(row[columns.split_column]))
    if split is None:
        raise UserError(
            "split-unknown",
            f"{where} has the split {row[columns.split_column]!r}, none of {', '.join(SPLITS)}: mend it",
        )
    return split


@contextmanager
def _opened(table: Table) -> Iterator[pq.ParquetFile]:
    with _refusing(table), pq.ParquetFile(table.file, pre_buffer=False, buffer_size=_BUFFER) as file:
        yield file


@contextmanager
def _refusing(table: Table) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(
            "source-damaged",
            f"{table.name} cannot be read as Parquet ({one_line(error, 200)}): fetch or copy it again",
        ) from None


def _batches(table: Table, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with steady([table.file] if isinstance(table.file, Path) else []), _opened(table) as file:
        yield from file.iter_batches(_ROWS, columns=columns)
