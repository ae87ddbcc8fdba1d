"""Tables with a column for each class, with 0 and 1 (or -1 and 1) and a single 1 in each row, as ISIC's have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.common.errors import UserError, quoted

_NOTHING = 2
"""The value of an empty cell."""
_VALUES = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "-1": -1, "-1.0": -1, "false": 0, "true": 1}
_VALUES |= {"0,0": 0, "1,0": 1, "-1,0": -1}  # as Excel writes numbers in much of Europe
_VALUES |= dict.fromkeys(("", "nan", "none", "null"), _NOTHING)
_NAMES_OF_A_LABEL = {"label", "labels", "class", "target", "category", "y", "kind"}
"""A second column of such a name is the class, whatever columns follow."""


@dataclass(frozen=True)
class OneHot:
    """A table whose columns after the keys are classes."""

    classes: list[str]

    def rows(self, path: Path, table: Iterable[list[str]]) -> Iterator[tuple[str, str]]:
        """The key and the class of each row. Raises UserError on a row without a 1, or with several."""
        for number, row in enumerate(table, 1):
            if number == 1 or not row:
                continue
            ones = [name for name, value in zip(self.classes, row[1:], strict=True) if _VALUES[_plain(value)] == 1]
            if len(ones) > 1:
                raise UserError(
                    "labels-are-attributes",
                    f"{path}: {quoted(row[0])} has a 1 in {_some(ones)}: several ones in a row are attributes: name "
                    "this file in ingest.attributes, or each image's one class in a second column called label",
                )
            if not ones:
                raise UserError(
                    "labels-invalid",
                    f"{path}: {quoted(row[0])} has a 1 in none of {_some(self.classes)}: add a column for such images, "
                    "or name each image's one class in a second column called label",
                )
            yield row[0], ones[0]


def columns_of_classes(path: Path, table: Iterable[list[str]]) -> OneHot | None:
    """The classes, if two or more columns follow the keys and have only 0 and 1; None for any other table.

    Memory: a row. Raises UserError if some of these cells are empty.
    """
    rows = iter(table)
    names = [name.strip() for name in next(rows, [])][1:]
    if len(names) < 2 or names[0].lower() in _NAMES_OF_A_LABEL:
        return None
    columns: list[set[int | None]] = [set() for _ in names]
    for row in filter(None, rows):
        if len(row) != len(names) + 1:
            return None
        for column, value in zip(columns, row[1:], strict=True):
            column.add(_VALUES.get(_plain(value)))
        found = set[int | None]().union(*columns)
        if None in found or {-1, 0} <= found:
            return None
    if not any(1 in column for column in columns) or {_NOTHING} in columns:
        return None
    if any(_NOTHING in column for column in columns):
        raise UserError(
            "table-cells-empty",
            f"{path} has empty cells among columns of 0 and 1: fill them, or name each image's one class, in a second "
            "column called label",
        )
    if len(set(names)) < len(names):
        raise UserError("table-column-twice", f"{path} has two columns of one name in its header: rename one")
    return OneHot(names)


def _plain(value: str) -> str:
    return value.strip().lower()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + ", ..." * (len(names) > 3)
