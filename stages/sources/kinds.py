"""Which source reads a user's files, for the error that another source does not read them."""

from contextlib import suppress
from itertools import islice
from pathlib import Path

from stages.media.endings import MESHES, SCANS, SCORES, SLICES, SOUNDS, TEXTS
from stages.sources.limits import is_image
from stages.sources.names import needs_no_word, of_system
from stages.sources.packed import archives_in, is_archive_name

_BY_FIRST_BYTES = {b"PAR1": "parquet", b"\x93NUMPY": "arrays"}
_BY_ENDING = {".parquet": "parquet", ".npy": "arrays", ".npz": "arrays", ".bin": "cifar"}
_BY_ENDING |= dict.fromkeys(TEXTS, "text")  # last: a list of labels, or a license, may lie beside any other files
_OF_FILES = {"volumes": (*MESHES, *SCANS, *SLICES), "sounds": SOUNDS, "rolls": SCORES}
LOOKED_AT = 10_000
"""Files of a folder, at most."""


def advice_on(path: Path, but: str) -> str:
    """Which source other than `but` may read the file or folder at `path`; "" if none does, or nothing is there.

    Nothing is unpacked, and only a few bytes are read.
    """
    found = None
    with suppress(OSError):
        found = _of_folder(path) if path.is_dir() else _of_file(path) if path.is_file() else None
    if found == "text":  # notes, or a license, may be all that lies in a place that was named by mistake
        return "set ingest.path to another place, or, if text is the data, ingest.source to text"
    return "" if found in (None, but) else f"source {found!r} reads what is there: set ingest.source to {found}"


def data_in(folder: Path) -> tuple[str, int]:
    """Which source reads what lies in a folder, and how many files there are, at most `LOOKED_AT`; "" if none does.

    Text may be notes, so it is nobody's data here.
    """
    with suppress(OSError):
        found = _of_folder(folder)
        if found not in (None, "text"):
            return found, sum(not needs_no_word(name) for name in _names(folder))
    return "", 0


def _of_file(path: Path) -> str | None:
    with open(path, "rb") as file:
        start = file.read(512)
    for magic, source in _BY_FIRST_BYTES.items():
        if start.startswith(magic):
            return source
    if path.name.lower().endswith(TEXTS):
        return "text"
    if path.suffix.lower() == ".npz":
        return "arrays"
    packed = start.startswith((b"PK\x03\x04", b"PK\x05\x06")) or start[257:262] == b"ustar"
    return "archive" if packed or is_archive_name(path.name) else None


def _of_folder(path: Path) -> str | None:
    """The source for a folder, by the endings of its files: images first, then archives."""
    names = _names(path)
    if any(is_image(name) for name in names):
        return "folder"
    if archives_in(path):
        return "archive"
    for source, endings in _OF_FILES.items():
        if any(name.lower().endswith(endings) for name in names):
            return source
    if any("-idx" in name and "-ubyte" in name for name in names):
        return "idx"
    found = (source for end, source in _BY_ENDING.items() if any(name.lower().endswith(end) for name in names))
    return next(found, None)


def _names(folder: Path) -> list[str]:
    names = (found.name for found in islice(folder.rglob("*"), LOOKED_AT) if found.is_file())
    return [name for name in names if not of_system(name)]
