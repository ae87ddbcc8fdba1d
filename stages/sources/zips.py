"""A zip whose table of contents is read a piece at a time: memory does not grow with the number of its members.

`zipfile.ZipFile` keeps the whole table in memory, 0.6 kB a member. Here it gets a piece of the table, after the file's
members, as if it were a zip of these members alone; it still parses the table and unpacks members.
Format: APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3.7 to 4.3.16.
"""

import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

from stages.sources.packed import check_unpacked, refusing
from stages.sources.ranges import RangeFile
from stages.sources.steady import steady

_ENTRY_SIZE, _LENGTHS = 46, struct.Struct("<3H")  # of an entry in the table; then come name, extra fields and comment
_HEADER_SIZE, _HEADER_LENGTHS = 30, struct.Struct("<2H")  # of a member; then come name and extra fields
_END, _LOCATOR, _END64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sLQL"), struct.Struct("<4sQ2H2L4Q")
_ENTRY_SIGN, _END_SIGN, _LOCATOR_SIGN, _END64_SIGN = b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_LARGEST_COMMENT = 2**16
_PIECE = 2**18  # bytes: some thousand entries, and more than the largest entry
_GAP = 2**18  # bytes: more than the length fields of a member's header can skip


@dataclass(frozen=True)
class Member:
    """A file packed under a name."""

    info: zipfile.ZipInfo
    place: int
    """The place of its entry in the file's table; see `Zip.member`."""
    _packed: zipfile.ZipFile
    _read: Callable[[int, int], bytes]
    _end: int
    """Where the file's members end, and its table starts."""

    def open(self) -> IO[bytes]:
        """Open the member. Raises BadZipFile on a damaged one, and, in every Python, if it reaches into the table."""
        opened = self._packed.open(self.info)
        start = self.info.header_offset
        name, extra = _HEADER_LENGTHS.unpack(self._read(start + 26, 4))
        if start + _HEADER_SIZE + name + extra + self.info.compress_size > self._end:
            raise zipfile.BadZipFile(f"Overlapped entries: {self.info.orig_filename!r}")
        return opened


class Zip:
    """The members of a zip, in the order of its table of contents.

    Raises UserError on a damaged table, and on members that are together larger than allowed.
    """

    def __init__(self, path: Path, max_ratio: float) -> None:
        self._path = path
        with steady([path]), refusing(path):
            self._file = open(path, "rb")  # noqa: SIM115 - open as long as there are members
            self._table = _table(self._file)
            size = sum(member.info.file_size for member in self.members())
        check_unpacked(path, size, max_ratio)

    def members(self) -> Iterator[Member]:
        start, end = self._table.start, self._table.end
        while start < end:
            entries = _whole_entries(self._read(start, min(_PIECE, end - start)))
            yield from self._members(entries, start)
            start += len(entries)

    def member(self, place: int) -> Member:
        """The member with this place in the table."""
        with refusing(self._path):
            size = _size_of(self._read(place, _ENTRY_SIZE), 0)
        return next(self._members(self._read(place, min(size, self._table.end - place)), place))

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        return self._file.read(size)

    def _members(self, entries: bytes, place: int) -> Iterator[Member]:
        with refusing(self._path):
            packed = zipfile.ZipFile(cast(IO[bytes], _Part(self._file, self._table, entries)))
        inside = 0
        for info in packed.infolist():
            yield Member(info, place + inside, packed, self._read, self._table.start)
            inside += _size_of(entries, inside)


class _Table(NamedTuple):
    """The position of a file's table of contents."""

    start: int
    end: int
    said: int
    """Its start according to the file: less than `start` if other bytes were put before the zip."""


def _table(file: BinaryIO) -> _Table:
    """The table, found as zipfile finds it. Raises BadZipFile if there is none."""
    length = file.seek(0, os.SEEK_END)
    first = max(0, length - _LARGEST_COMMENT - _END.size)
    file.seek(first)
    tail = file.read()
    at = len(tail) - _END.size  # without a comment; the table's last bytes may look like anything
    if at < 0 or not (tail.startswith(_END_SIGN, at) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END_SIGN)
    if not 0 <= at <= len(tail) - _END.size:
        raise zipfile.BadZipFile("File is not a zip file")
    *_, size, said, _ = _END.unpack_from(tail, at)
    end = first + at
    large = _large_table(file, end)
    if large is not None:
        size, said = large
        end -= _LOCATOR.size + _END64.size
    if end < size:
        raise zipfile.BadZipFile("Bad offset for central directory")
    return _Table(end - size, end, said)


def _large_table(file: BinaryIO, end: int) -> tuple[int, int] | None:
    """The size and the start of a table from the Zip64 record before `end`; None without one."""
    start = end - _LOCATOR.size - _END64.size
    if start < 0:
        return None
    file.seek(start)
    record, locator = file.read(_END64.size), file.read(_LOCATOR.size)
    if not (record.startswith(_END64_SIGN) and locator.startswith(_LOCATOR_SIGN)):
        return None
    _, disk, _, disks = _LOCATOR.unpack(locator)
    if disk or disks > 1:
        raise zipfile.BadZipFile("zipfiles that span multiple disks are not supported")
    *_, size, said = _END64.unpack(record)
    return size, said


def _whole_entries(content: bytes) -> bytes:
    """The complete entries in the first bytes of a table; all bytes if they are damaged, so that zipfile reports it."""
    end = 0
    while len(content) - end >= _ENTRY_SIZE:
        if not content.startswith(_ENTRY_SIGN, end):
            return content
        size = _size_of(content, end)
        if end + size > len(content):
            break
        end += size
    return content[:end] if end else content


def _size_of(content: bytes, start: int) -> int:
    """The size, in bytes, of the table's entry at `start`."""
    name, extra, comment = _LENGTHS.unpack_from(content, start + 28)
    return _ENTRY_SIZE + int(name) + int(extra) + int(comment)


class _Part(RangeFile):
    """A whole file, followed after a gap by a table of contents with only some of its entries.

    A damaged member that reaches too far reads the file's own bytes there, and not these entries.
    """

    def __init__(self, file: BinaryIO, table: _Table, entries: bytes) -> None:
        self._file, self._start = file, file.seek(0, os.SEEK_END) + _GAP
        self._end = entries + _end(len(entries), self._start, table.said + self._start - table.start)
        super().__init__(self._start + len(self._end))

    def content(self, start: int, size: int) -> bytes:
        if start >= self._start:
            return self._end[start - self._start :][:size]
        self._file.seek(start)
        return self._file.read(size)  # the gap is empty: the file has ended


def _end(size: int, start: int, said: int) -> bytes:
    """The end records after a table of `size` bytes, always with the Zip64 record, which has room for any place."""
    end = start + size
    record = _END64.pack(_END64_SIGN, _END64.size - 12, 45, 45, 0, 0, 0, 0, size, said)
    locator = _LOCATOR.pack(_LOCATOR_SIGN, 0, end, 1)
    return record + locator + _END.pack(_END_SIGN, 0, 0, 0, 0, 0, 0, 0)
