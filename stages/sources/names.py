"""Names of files, folders and classes as people read them: in one Unicode form, in order, and what they mean."""

import re
from collections.abc import Iterable
from typing import Literal
from unicodedata import normalize

from stages.common.errors import UserError, quoted

Split = Literal["train", "test"]

FINDER_ICON = "Icon\r"
"""The file in which macOS keeps a folder's icon: the only known name with a control character."""
OF_SYSTEMS = (
    "lost+found", "@eaDir", "#recycle", "@Recycle", "@__thumb", "$RECYCLE.BIN", "RECYCLER",
    "System Volume Information", "__MACOSX", "Thumbs.db", "ehthumbs.db", "desktop.ini", FINDER_ICON,
)  # fmt: skip
"""Names that disks, file servers and file managers leave among files, beside hidden ones (.Trash-1000, .DS_Store)."""
_OF_SYSTEMS = {name.casefold() for name in OF_SYSTEMS}
_OF_FILE_MANAGERS = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", FINDER_ICON.casefold()}
_ON_DATA = {"readme", "license", "licence", "copying", "notice", "citation"}
_TRAIN = ("train", "training")
_TEST = ("test", "testing")
VALIDATION = ("val", "valid", "validation", "eval", "dev")
SPLITS: dict[str, Split] = {**dict.fromkeys(_TRAIN, "train"), **dict.fromkeys(_TEST + VALIDATION, "test")}
"""The usual names of splits, in lower case: test and validation are one split here."""
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and surrogates: bytes that Python could not decode."""
_BEHIND_A_SPLIT = re.compile(r"[ _-]?(set|data|images|(19|20)\d\d)\Z")
"""What may follow a split's name: Kaggle's training_set, COCO's train2017."""


def check_printable(place: str, name: str) -> None:
    """Refuse a name that cannot be shown in one line, or not at all."""
    if _UNPRINTABLE.search(name):
        raise UserError(
            "name-unprintable",
            f"{place}: {quoted(name)} has a name with control characters, or not in UTF-8: rename it",
        )


def composed(name: str) -> str:
    """The name in Unicode's form NFC: macOS writes accents as separate characters, most others do not."""
    return name if name.isascii() else normalize("NFC", name)


def parts_of(name: str) -> tuple[str, ...]:
    """The composed parts of a name, without empty ones."""
    return tuple(composed(part) for part in name.split("/") if part)


def names_in(place: str, content: bytes) -> list[str]:
    """The names of classes in a file of them, one a line. Raises UserError if it is no text, or names one twice."""
    try:
        names = [line.strip() for line in content.decode().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise UserError("source-not-text", f"{place} cannot be read as text ({error})") from None
    if len(set(names)) < len(names):
        raise UserError("class-twice", f"{place} names a class twice: write one name a line, each once")
    return names


def key_of(name: str) -> str:
    """A table's name as a source has it: composed, without ./ before it, and with / in place of Windows' separator."""
    return composed(name).replace("\\", "/").removeprefix("./")


def in_order(names: Iterable[str]) -> list[str]:
    """Names sorted by value if all are numbers, else alphabetically."""
    found = list(names)
    if all(name.isascii() and name.isdigit() for name in found):
        return sorted(found, key=lambda name: (int(name), name))
    return sorted(found)


def split_of(name: str) -> Split | None:
    """The split of a folder or a file of this name; None if it names no split."""
    return SPLITS.get(_BEHIND_A_SPLIT.sub("", name.casefold()))


def splits_read(names: Iterable[str]) -> str:
    """A sentence on how the names of splits were understood."""
    found = sorted(names)
    train, held_out = ([name for name in found if split_of(name) == split] for split in ("train", "test"))
    return f"took {' and '.join(train)} to train on, {' and '.join(held_out)} as held out"


def of_system(name: str) -> bool:
    """Whether a file or a folder is hidden, or belongs to a system."""
    return name.startswith(".") or name.casefold() in _OF_SYSTEMS


def needs_no_word(name: str) -> bool:
    """Whether a file needs no mention if it is left out: a text about the data, or a file manager's file."""
    return name.casefold() in _OF_FILE_MANAGERS or name.casefold().partition(".")[0] in _ON_DATA


class LeftOut:
    """Counts hidden and system entries that are left out: a folder counts once; expected ones are not counted."""

    def __init__(self) -> None:
        self.count, self._first, self._last = 0, "", ""

    def takes(self, place: str, parts: Iterable[str]) -> bool:
        """Whether a file or folder is left out, itself or with a folder above it; counts it."""
        before: list[str] = []
        for part in parts:
            before.append(part)
            if of_system(part):
                if not needs_no_word(part):
                    self._add("/".join([place, *before]))
                return True
        return False

    def notes(self) -> list[str]:
        if not self.count:
            return []
        left_out = "files and folders" if self.count > 1 else "file or folder"
        return [f"left out {self.count} hidden or system {left_out}, such as {self._first}"]

    def _add(self, path: str) -> None:
        if path != self._last:  # the files of a folder come in a row
            self.count, self._last = self.count + 1, path
            self._first = self._first or path.rstrip()
