"""Files from URLs, checked by SHA-256 before they get their name; a broken transfer resumes."""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from socket import gaierror
from typing import Annotated, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydantic import AfterValidator, Field

from stages.common.errors import TemporaryError, UserError
from stages.common.files import sha256_of, write_json
from stages.common.sections import PUBLIC_URL, SHA256, Section
from stages.common.stage import progress_bar

DOWNLOADS = Path("data/downloads")
_CHUNK = 2**18
_TRIES = 5  # with one URL, if each try brings some bytes
_NETWORK = (TimeoutError, ConnectionError, gaierror, HTTPException)
"""Errors that another try may not have."""
_SECRET = re.compile(r"[?&][^=]*(signature|token|credential|secret|password)[^=]*=", re.I)

Digest = Annotated[str, Field(pattern=SHA256)]


def holds_no_secret(url: str) -> str:
    """The URL of a public file. Raises ValueError if it contains a credential."""
    if _SECRET.search(url):
        raise ValueError("the url holds a credential, which would be published with the params: use a public url")
    return url


PublicUrl = Annotated[str, Field(pattern=PUBLIC_URL), AfterValidator(holds_no_secret)]
"""No user or password: params are recorded."""


class Url(Section):
    url: PublicUrl
    sha256: Digest


class _FailedError(Exception):
    """The reason why a URL did not give the file."""

    def __init__(self, reason: str, heals: bool) -> None:
        super().__init__(reason)
        self.heals = heals


def fetch(urls: list[str], sha256: str, target: Path, timeout: float = 30.0) -> None:
    """Make `target` the file of this SHA-256, from the first URL that gives it; nothing is sent if it is there.

    If a connection breaks or the process is killed, the bytes so far stay beside `target` as `.NAME.part`. The next
    try, or the next URL, asks only for the rest; the SHA-256 of the whole decides. `timeout` is in seconds, for the
    connection and for each wait on it. Raises UserError if no URL gives the file; TemporaryError, a kind of it, if one
    of them may give it later.
    """
    if target.is_file() and sha256_of(target) == sha256.lower():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target)
    failures = []
    for url in urls:
        try:
            _whole(url, sha256.lower(), part, timeout)
            return
        except _FailedError as failure:
            failures.append((url, failure))
    reasons = "; ".join(f"{_hide_secrets(url)}: {failure}" for url, failure in failures)
    kind = TemporaryError if any(failure.heals for _, failure in failures) else UserError
    raise kind("download-failed", f"cannot fetch {target.name} ({reasons}): check the network, the URL and its sha256")


class _Part:
    """The first bytes of a file, and where they came from."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self._about = target.with_name(f".{target.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self, url: str) -> dict[str, str]:
        """Request headers for the rest; from the same URL, only if the file there is still the same."""
        if not self.size:
            return {}
        about = self._read_about()
        tag = about.get("etag") if about.get("url") == _hide_secrets(url) else None
        return {"Range": f"bytes={self.size}-", **({"If-Range": tag} if tag else {})}

    def tell(self, url: str, etag: str | None) -> None:
        strong = etag if etag and not etag.startswith("W/") else None  # a weak ETag does not guarantee the same bytes
        write_json(self._about, {"url": _hide_secrets(url), "etag": strong})

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)

    def keep(self) -> None:
        """Give the file, which is complete, its name."""
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
        os.replace(self.path, self.target)
        self.drop()

    def _read_about(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            return dict(json.loads(self._about.read_text()))
        return {}


def _whole(url: str, sha256: str, part: _Part, timeout: float) -> None:
    """Download the whole file from one URL, resuming what is there."""
    resumed = part.size > 0
    for left in reversed(range(_TRIES)):
        before = part.size
        try:
            _download(url, part, timeout)
            break
        except _FailedError as failure:
            if not left or not failure.heals or part.size <= before:
                raise
    digest = sha256_of(part.path)
    if digest == sha256:
        part.keep()
        return
    part.drop()
    if resumed:  # the bytes so far were of another file
        _whole(url, sha256, part, timeout)
    else:
        raise _FailedError(f"wrong checksum, its SHA-256 is {digest}", heals=False)


def _download(url: str, part: _Part, timeout: float) -> None:
    """Add the rest to `part`, or download all if the server gives no ranges."""
    try:
        request = Request(url, headers={"User-Agent": "mintage", **part.headers(url)})
        with urlopen(request, timeout=timeout) as answer:
            rest = answer.status == 206 and _starts_at(answer.headers.get("Content-Range", "")) == part.size
            size = int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
            part.tell(url, answer.headers.get("ETag"))
            with open(part.path, "ab" if rest else "wb") as file:
                received = _received(answer.read, file.write, _hide_secrets(url), size)
            if size is not None and received < size:  # http.client ends such an answer without an error
                raise _FailedError(f"the connection closed after {received} of {size} bytes", heals=True)
    except HTTPError as error:
        if error.code == 416 and part.size:  # there is no rest: the checksum decides whether it is complete
            return
        raise _FailedError(f"HTTP status {error.code}", heals=error.code >= 500 or error.code == 429) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise _FailedError(str(reason) or type(error).__name__, heals=isinstance(reason, _NETWORK)) from None


def _received(read: Callable[[int], bytes], write: Callable[[bytes], object], shown: str, size: int | None) -> int:
    received = 0
    with progress_bar(shown, size, unit="B") as bar:
        while chunk := read(_CHUNK):
            write(chunk)
            received += len(chunk)
            bar.update(len(chunk))
    return received


def _starts_at(content_range: str) -> int | None:
    """The first byte of a Content-Range: 100 for `bytes 100-199/200` (RFC 9110, section 14.4)."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
    return int(found[1]) if found else None


def _hide_secrets(url: str) -> str:
    """The URL without what may be a secret: a password before '@', a signature after '?'."""
    return re.sub(r"//[^/@]*@", "//", url).partition("?")[0]
