"""Lines of text: a file, a folder or an archive of them, a column of a table, or rows of numbers that stand for words.

It is read twice: once to count the words, for the vocabulary, and once for the lines.
"""

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.common.errors import UserError, counted
from stages.common.params import Ingest
from stages.common.sections import Positive, Section
from stages.media.tokens import END, Tokens, Unit, between, units_of, unknown_of
from stages.sources import NOT_STATED, RawImage, Source
from stages.sources.text_files import Line, lines_in

_LONGEST_WORD = 100
"""Characters of the longest word; longer words are unknown."""


class Options(Section):
    unit: Unit = Field("words", description="what a line is a sequence of: words | characters")
    length: Annotated[int, Field(ge=2, le=128)] = Field(
        32, description="words of a sample: behind shorter lines stands <end>, over and over"
    )
    longer: Literal["leave_out", "windows"] = Field(
        "leave_out", description="lines of more words: leave_out | windows of `length`, on one side of the split"
    )
    vocabulary: Annotated[int, Field(ge=3, le=100_000)] = Field(
        10_000, description="words at most, the most frequent ones, <end> and <unknown> among them"
    )
    lowercase: bool = Field(False, description="whether capitals are made small")
    encoding: str = Field("utf-8", description="of the files, by Python's names")
    column: str | None = Field(None, description="of a CSV, the column that holds text; null: the one called text")
    max_ratio: Positive = Field(100.0, description="times its own size that an archive may unpack to (or it is a bomb)")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            "".encode(name)
            return codecs.lookup(name).name
        except LookupError:
            raise ValueError("there is no encoding of text of this name: such as utf-8, latin-1 or utf-16") from None


def medium_by(options: Options) -> Tokens:
    """The medium, without the vocabulary, which is only known from the lines."""
    return Tokens([END, unknown_of(options.unit)], options.length, options.unit)


def read(params: Ingest, options: Options) -> Source:
    """The lines of one file, or of text files in folders, with classes and a test set as in source `folder`.

    In a CSV a column called `label`, `class` or `category` is the class. Lines that differ only in capitals, marks and
    numbers are one group. Memory: a file, and the words. Raises UserError as sources `folder` and `archive` do, on
    files that are no text or in another encoding, and if no line is left.
    """
    if params.pairs is not None:
        raise UserError(
            "pairs-not-supported", "ingest.pairs is of pictures, and these are lines of text: set it to null"
        )
    text = lines_in(params, options.encoding, options.column, options.max_ratio)
    counts = _counts(_cut(text.lines(), options, tally := _Tally()))
    if not tally.lines:
        raise UserError("text-empty", f"{params.path} holds no line with a word in it: name another file")
    if not tally.taken:
        raise UserError(
            "text-lines-too-long",
            f"all {tally.lines} lines of {params.path} are longer than ingest.options.length ({options.length} "
            f"{options.unit}): raise it, or set longer to windows",
        )
    vocabulary = [END, unknown_of(options.unit), *_most_frequent(counts, options)]
    return Source(
        name="text",
        license=NOT_STATED,
        origin=params.path,
        classes=text.classes,
        images=_images(_cut(text.lines(), options, _Tally()), options.unit, text.classes),
        notes=[*text.notes, *tally.notes(counts, vocabulary, options)],
        layout=text.layout,
        medium=Tokens(vocabulary, options.length, options.unit),
        count=tally.taken,
        grouped=True,
        domains=text.domains,
    )


@dataclass
class _Tally:
    lines: int = 0
    longer: int = 0
    taken: int = 0
    """How many samples were taken, lines or windows of lines."""

    def notes(self, counts: Counter[str], vocabulary: list[str], options: Options) -> list[str]:
        notes = [f"a vocabulary of {len(vocabulary):,} {options.unit}"]
        if rare := counts.total() - sum(counts[word] for word in vocabulary):
            share = 100 * rare / counts.total()
            notes[0] += f", beside which {share:.2g}% of the text are unknown (ingest.options.vocabulary)"
        if self.longer:
            became = "left out" if options.longer == "leave_out" else "cut into windows"
            than = f"longer than {options.length} {options.unit} (ingest.options.length)"
            notes.append(f"{became} {counted(self.longer, 'line')} {than}")
        return notes


@dataclass(frozen=True)
class _Part:
    """A sample: a line, or a window of a line."""

    line: Line
    words: list[str]
    number: int | None = field(default=None)
    """The window's number in its line; None for a whole line."""


def _cut(lines: Iterable[Line], options: Options, tally: _Tally) -> Iterator[_Part]:
    for line in lines:
        words = units_of(line.text.lower() if options.lowercase else line.text, options.unit)
        tally.lines += bool(words)
        if len(words) <= options.length:
            tally.taken += bool(words)
            yield from [_Part(line, words)] if words else []
            continue
        tally.longer += 1
        if options.longer == "windows":
            starts = range(0, len(words), options.length)
            tally.taken += len(starts)
            parts = (words[start : start + options.length] for start in starts)
            yield from (_Part(line, part, number) for number, part in enumerate(parts))


def _counts(parts: Iterable[_Part]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.words)
    return counts


def _most_frequent(counts: Counter[str], options: Options) -> list[str]:
    """The most frequent words; equals in alphabetical order, so that the order of lines does not matter."""
    named = {END, unknown_of(options.unit)}
    words = [word for word in counts if word not in named and len(word) <= _LONGEST_WORD]
    return sorted(words, key=lambda word: (-counts[word], word))[: options.vocabulary - len(named)]


def _images(parts: Iterable[_Part], unit: Unit, classes: list[str] | None) -> Iterator[RawImage]:
    index = {name: label for label, name in enumerate(classes or [])}
    for part in parts:
        text = between(unit).join(part.words)
        key = part.line.key if part.number is None else f"{part.line.key}#{part.number:04d}"
        label = index[part.line.label] if isinstance(part.line.label, str) else part.line.label
        stamp = sha256(text.encode()).hexdigest()[:16]
        image = RawImage(key, f"{key.rpartition('/')[2]}.txt", text.encode(), label, part.line.split, stamp=stamp)
        yield replace(image, group=_alike(part.line.text), domain=part.line.domain)


def _alike(line: str) -> str:
    """A key that is equal for lines that differ only in capitals, marks, numbers and spaces."""
    letters = "".join(filter(str.isalpha, line.casefold()))
    return sha256((letters or line).encode()).hexdigest()[:16]
