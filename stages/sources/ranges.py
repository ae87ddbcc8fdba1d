"""A seekable file over content that is read by ranges, such as a remote or a composed file."""

import io
from typing import Any


class RangeFile(io.RawIOBase):
    """A subclass gives the bytes of a range, by `content`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0

    def content(self, start: int, size: int) -> bytes:
        """At most `size` bytes from `start`, which is before the end; empty if a reader must stop there."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError("before the start of the file")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._size - self._at)
        if size <= 0:
            return 0
        content = self.content(self._at, size)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
