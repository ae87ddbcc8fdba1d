"""Reads a JSON object of any length, or a list or an object inside it, a piece of its file at a time."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, Literal, TextIO

from stages.common.errors import UserError

_PIECE = 2**17  # characters that are read at once; no single key or value has more
_SPACE = re.compile(r"[ \t\n\r]*")
_IN_NUMBERS = "0123456789.eE+-"
_DECODER = JSONDecoder()

Kind = Literal["list", "object", "null", "other"]
_KINDS: dict[str, Kind] = {"[": "list", "{": "object", "n": "null"}


def json_under(place: str, file: TextIO, key: str) -> tuple[Kind, Iterator[Any]]:
    """The kind of what is under `key` of the object in `file`, and a list's values or an object's pairs, in order.

    The kind is "other" if there is no such key. Raises UserError on damage, at once or while it is read.
    """
    text = _Text(file)
    with _sentences(place, text):
        kind = _KINDS.get(text.next(), "other") if _is_at(text, key) else "other"
        if kind == "null":
            text.value()
    return kind, _read(place, text, kind)


def json_pairs(path: Path, file: TextIO) -> Iterator[tuple[str, Any]]:
    """The keys and values of the object in `file`, in order. Raises UserError if it is no object, or damaged."""
    text = _Text(file)
    with _sentences(path, text):
        if text.next() != "{":
            if text.ended:
                text.value()  # raises if it is no JSON at all
            raise UserError(
                "labels-invalid", f"{path} is no JSON object of keys and classes: write {{key: class, ...}}"
            )
        yield from _pairs(text)
        if text.next():
            raise text.wrong("Extra data")


@contextmanager
def _sentences(place: str | Path, text: "_Text") -> Iterator[None]:
    try:
        yield
    except JSONDecodeError as error:
        raise UserError(
            "labels-unreadable", f"{place} cannot be read as labels ({text.explain(error)}): mend it"
        ) from None


def _is_at(text: "_Text", key: str) -> bool:
    """Go to the value of `key`; whether there is one."""
    text.take("{")
    while text.next() != "}":
        found = text.value()
        text.take(":")
        if found == key:
            return True
        text.skip()
        if text.next() != "}":
            text.take(",")
    return False


def _read(place: str, text: "_Text", kind: Kind) -> Iterator[Any]:
    with _sentences(place, text):
        if kind == "list":
            yield from _values(text)
        if kind == "object":
            yield from _pairs(text)


def _values(text: "_Text") -> Iterator[Any]:
    text.take("[")
    while text.next() != "]":
        yield text.value()
        if text.next() != "]":
            text.take(",")


def _pairs(text: "_Text") -> Iterator[tuple[str, Any]]:
    text.take("{")
    while text.next() != "}":
        if text.next() != '"':
            raise text.wrong("Expecting property name enclosed in double quotes")
        key = text.value()
        text.take(":")
        yield key, text.value()
        if text.next() != "}":
            text.take(",")
            if text.next() == "}":
                raise text.wrong("Expecting property name enclosed in double quotes")
    text.take("}")


class _Text:
    """The unread rest of a file, a part of it in memory."""

    def __init__(self, file: TextIO) -> None:
        self.ended = False
        self._file, self._text, self._at = file, "", 0
        self._lines = self._characters = 0  # before the text in memory

    def next(self) -> str:
        """The next character after whitespace; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, sign: str) -> None:
        if self.next() != sign:
            raise self.wrong(f"Expecting {sign!r} delimiter")
        self._at += 1

    def value(self) -> Any:
        self.next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except JSONDecodeError:
                if len(self._text) - self._at >= _PIECE or not self._more():
                    raise
                continue
            follows = self._text[end : end + 1]
            if (follows and follows not in _IN_NUMBERS) or not self._more():  # the start of 1.5e9 is a number too
                self._at = end
                return value

    def skip(self) -> None:
        """Skip a value of any length."""
        try:
            self.value()
        except JSONDecodeError:
            end = {"[": "]", "{": "}"}.get(self.next())
            if end is None:
                raise
            self._at += 1
            while self.next() != end:
                if end == "}":
                    self.value()
                    self.take(":")
                self.skip()
                if self.next() != end:
                    self.take(",")
            self._at += 1

    def wrong(self, what: str) -> JSONDecodeError:
        return JSONDecodeError(what, self._text, self._at)

    def explain(self, error: JSONDecodeError) -> str:
        return f"{error.msg}: line {self._lines + error.lineno} (char {self._characters + error.pos})"

    def _more(self) -> bool:
        """Read the next piece; whether there was one."""
        if self.ended:
            return False
        piece = self._file.read(_PIECE)
        self._lines += self._text.count("\n", 0, self._at)
        self._characters += self._at
        self._text, self._at, self.ended = self._text[self._at :] + piece, 0, len(piece) < _PIECE
        return bool(piece)
