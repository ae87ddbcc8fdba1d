"""Lines of text from any container: text files in a tree or alone, a column of a CSV, rows of numbers."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.media.cells import STARTS, array_in
from stages.media.endings import TEXTS
from stages.media.medium import UnusableError
from stages.media.tokens import END, UNKNOWN, Tokens
from stages.sources import content_of
from stages.sources.archive import archive_tree
from stages.sources.folder import Folder
from stages.sources.labels import csv_rows
from stages.sources.names import check_printable
from stages.sources.packed import is_archive_name
from stages.sources.tree import Tree, Wanted, tree_source

_TABLES, _ARRAYS = (".csv", ".tsv"), (".npy", ".npz")
_CLASSES = ("label", "class", "category")
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_WHOLE = re.compile(r"\s*-?\d+\s*")


@dataclass(frozen=True)
class Line:
    key: str
    text: str
    label: int | str | None = None
    """The number of its class, or the class itself."""
    split: str | None = None
    domain: int | None = None


@dataclass(frozen=True)
class Text:
    """All lines, which can be read more than once."""

    lines: Callable[[], Iterator[Line]]
    classes: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    layout: list[str] = field(default_factory=list)
    domains: list[str] | None = None


def lines_in(params: Ingest, encoding: str, column: str | None, max_ratio: float) -> Text:
    """The lines at `params.path`; nothing of a file of lines is read yet. Raises UserError."""
    path = Path(params.path)
    if path.is_dir() or is_archive_name(path.name):
        return _of_tree(params, encoding, max_ratio)
    if not path.is_file():
        raise UserError(
            "source-missing", f"{path} is not there: set ingest.path to a text file, a folder or an archive of them"
        )
    content = Folder(path.parent, params.max_pixels).find(path.name)
    assert content is not None
    if path.suffix.lower() in _ARRAYS:
        return Text(partial(_of_numbers, path, content, params.max_pixels))
    if path.suffix.lower() in _TABLES:
        return _of_table(path, content, params, encoding, column)
    return Text(lambda: _of_file(path.name, decoded(str(path), content(), encoding)))


def decoded(place: str, content: bytes, encoding: str) -> str:
    """The text of a file's content. Raises UserError if it is no text, or in another encoding."""
    try:
        text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeError as error:
        where = f", at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise UserError(
            "text-encoding",
            f"{place} is not in {encoding}{where}: set ingest.options.encoding to what it is in, such as latin-1 or "
            "utf-16",
        ) from None
    if found := _NO_TEXT.search(text):
        raise UserError(
            "text-binary",
            f"{place} is no text in {encoding}, since it holds the control character {ord(found[0])}: name a text "
            "file, or set ingest.options.encoding",
        )
    return text


def _of_file(key: str, text: str, **facts: int | str | None) -> Iterator[Line]:
    for number, line in enumerate(text.splitlines(), 1):
        yield Line(f"{key}#{number:07d}", line, **facts)  # type: ignore[arg-type]


def _of_tree(params: Ingest, encoding: str, max_ratio: float) -> Text:
    path, wanted = Path(params.path), Wanted(Tokens([END, UNKNOWN], 0), TEXTS)

    def tree() -> Tree:
        if path.is_dir():
            return Folder(path, params.max_pixels)
        return archive_tree(path, params.max_pixels, max_ratio, wanted.extensions)

    def lines() -> Iterator[Line]:
        for file in tree_source("text", tree(), params, wanted=wanted).images:
            text = decoded(f"{path}/{file.key}", content_of(file.content), encoding)
            yield from _of_file(file.key, text, label=file.label, split=file.split, domain=file.domain)

    names = tree_source("text", tree(), params, wanted=wanted)
    return Text(lines, names.classes, names.notes, names.layout, names.domains)


def _of_table(path: Path, content: Callable[[], bytes], params: Ingest, encoding: str, column: str | None) -> Text:
    rows = partial(_rows, path, content, encoding)
    header = next(rows(), [])
    if column is None and header and all(map(_WHOLE.fullmatch, header)):
        return Text(
            lambda: (Line(f"{path.name}#{n:07d}", " ".join(_until_below_0(row))) for n, row in enumerate(rows(), 1))
        )
    names = [name.strip() for name in header]
    wanted = "text" if column is None else column
    if wanted not in names:
        raise UserError(
            "text-column-missing",
            f"{path} has no column {wanted!r} but {', '.join(names)[:200] or '(none)'}: name the one that holds text "
            "in ingest.options.column",
        )
    place = names.index(wanted)
    of_class = None
    if params.labels is None:
        of_class = next((names.index(name) for name in _CLASSES if name in names and name != wanted), None)

    def lines() -> Iterator[Line]:
        table = rows()
        next(table, None)
        for number, row in enumerate(table, 2):
            if len(row) > max(place, of_class or 0):
                label = None if of_class is None else row[of_class].strip()
                yield Line(f"{path.name}#{number:07d}", " ".join(row[place].split()), label)

    classes = None if of_class is None else sorted({str(line.label) for line in lines()})
    for name in classes or ():
        check_printable(str(path), name)
    return Text(lines, classes)


def _rows(path: Path, content: Callable[[], bytes], encoding: str) -> Iterator[list[str]]:
    file = io.StringIO(decoded(str(path), content(), encoding), newline="")
    file.name = path.name  # its ending shows whether it has tabs
    try:
        yield from csv_rows(file)
    except csv.Error as error:
        raise UserError("table-unreadable", f"{path} cannot be read as a CSV ({error}): mend it") from None


def _until_below_0(row: list[str]) -> list[str]:
    """The numbers of words in a row; any numbers below 0 that fill it up are left out."""
    words = [cell.strip() for cell in row]
    ends = [number for number, word in enumerate(words) if not word or word.startswith("-")]
    return words[: ends[0]] if ends else words


def _of_numbers(path: Path, content: Callable[[], bytes], most: int) -> Iterator[Line]:
    """The lines of an array `[N,T]` of words' numbers."""
    found = content()
    try:
        if not found.startswith(STARTS):
            raise UnusableError("it is no NumPy array")
        array = array_in(found, most)
    except UnusableError as error:
        raise UserError("arrays-damaged", f"{path}: {error}: write it again by numpy.save") from None
    if array.ndim != 2 or array.dtype.kind not in "iu" or not array.size:
        raise UserError(
            "arrays-shape",
            f"{path} is {array.dtype} of the shape {array.shape}: numbers of words are whole, and [N,T], those below 0 "
            "behind the end of a line",
        )
    for number, row in enumerate(np.asarray(array).tolist(), 1):
        yield Line(f"{path.name}#{number:07d}", " ".join(_until_below_0(list(map(str, row)))))
