"""Images without a label in a source that has classes: left out and counted, or refused with the counts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from stages.common.errors import UserError, quoted
from stages.sources import RawImage, Source

_NO_LABEL = {"", "nan", "null", "none", "na", "n/a"}
"""What people and tools write for no label, in lower case."""


def is_mark(label: Any, labels: Iterable[Any]) -> bool:
    """Whether `label`, one of `labels`, means no label: null, an empty name, NaN, N/A, and -1 beside other numbers.

    If -1 and 1 are the only numbers, -1 is a class.
    """
    if _number(label) == -1:
        return {_number(other) for other in labels if not _says_none(other)} != {-1, 1}
    return _says_none(label)


def _number(label: Any) -> Any:
    """A name that is a whole number as that number, as in tables and arrays of text; anything else unchanged."""
    return int(label) if isinstance(label, str) and label.removeprefix("-").isdecimal() else label


def _says_none(label: Any) -> bool:
    return label is None or (isinstance(label, str) and label.strip().lower() in _NO_LABEL)


def only_labeled(source: Source, unlabeled: Literal["refuse", "leave_out"]) -> Source:
    """`source` without its images without a label, if others have one.

    If such images are refused, raises UserError once all are counted.
    """
    if source.classes is None:
        return source
    return replace(source, images=_labeled(source, unlabeled))


def _labeled(source: Source, unlabeled: Literal["refuse", "leave_out"]) -> Iterator[RawImage]:
    count: Counter[str | None] = Counter()
    without: Counter[str | None] = Counter()
    first = ""
    for image in source.images:
        count[image.split] += 1
        if image.label is None:
            first = first or image.key
            without[image.split] += 1
        elif not first or unlabeled == "leave_out":
            yield image
    if not first:
        return
    marks = f"(null, NaN, N/A, empty or -1{_by_split(count, without)})"
    found = f"{without.total()} of {count.total()} images have no label {marks}, such as {quoted(first)}"
    if without.total() == count.total():
        raise UserError(
            "labels-missing", f"{found}: set ingest.labels to false to train without classes, or to a file of labels"
        )
    if unlabeled == "refuse":
        raise UserError("labels-missing-some", f"{found}: label them, or set ingest.unlabeled to leave_out")
    source.notes.append(f"left out: {found}")


def _by_split(count: Counter[str | None], without: Counter[str | None]) -> str:
    if set(count) == {None}:
        return ""
    return "".join(f", {without[split]} of {count[split]} in {split}" for split in count if without[split])
