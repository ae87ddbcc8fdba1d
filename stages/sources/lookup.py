"""Numbers by name, in a temporary file: memory does not grow with the number of names."""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}


class Lookup:
    """Names, each with a number; a name that is added twice has the last number."""

    def __init__(self, rows: Iterable[tuple[str, int]]) -> None:
        with _name_full_disk():
            self._base = sqlite3.connect("")  # SQLite's own temporary file, which never outlives the process
            self._base.execute("CREATE TABLE names (name BLOB, number INTEGER)")
            self._base.executemany("INSERT INTO names VALUES (?, ?)", ((_bytes(name), number) for name, number in rows))
            self._base.execute("CREATE INDEX by_name ON names (name)")

    def __len__(self) -> int:
        return int(self._first("SELECT count(*) FROM names"))

    def find(self, name: str) -> int | None:
        found: int | None = self._first("SELECT number FROM names WHERE name = ? ORDER BY rowid DESC", _bytes(name))
        return found

    def first(self) -> str | None:
        """The name that was added first; None if there is none."""
        return _name(self._first("SELECT name FROM names ORDER BY rowid"))

    def twice(self) -> str | None:
        """The first name that was added more than once; None if there is none."""
        return _name(self._first("SELECT name FROM names GROUP BY name HAVING count(*) > 1 ORDER BY min(rowid)"))

    def torn(self) -> str | None:
        """The first name that was added with more than one number; None if there is none."""
        torn = "SELECT name FROM names GROUP BY name HAVING count(DISTINCT number) > 1 ORDER BY min(rowid)"
        return _name(self._first(torn))

    def _first(self, query: str, *values: bytes) -> Any:
        with _name_full_disk():
            row = self._base.execute(f"{query} LIMIT 1", values).fetchone()
        return None if row is None else row[0]


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogatepass")  # JSON can have surrogates, UTF-8 cannot


def _name(stored: bytes | None) -> str | None:
    return None if stored is None else stored.decode(errors="surrogatepass")


@contextmanager
def _name_full_disk() -> Iterator[None]:
    """Raise the system's error for a full disk in place of SQLite's."""
    try:
        yield
    except sqlite3.Error as error:
        if error.sqlite_errorcode not in _NO_ROOM:
            raise
        where = "a temporary file (TMPDIR names another folder for it)"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), where) from None
