"""Files from URLs, checked by SHA-256 before they carry their name."""

import hashlib
import re
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from socket import gaierror
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from stages.common.errors import TemporaryError, UserError
from stages.common.files import replacing, sha256_of
from stages.common.progress import progress_bar

_CHUNK = 2**18
_NETWORK = (TimeoutError, ConnectionError, gaierror, HTTPException)
"""What another try may not meet."""


class _FailedError(Exception):
    """Why one URL did not give the file."""

    def __init__(self, reason: str, heals: bool) -> None:
        super().__init__(reason)
        self.heals = heals


def fetch(urls: list[str], sha256: str, target: Path, timeout: float = 30.0) -> None:
    """Make `target` the file of this SHA-256, from the first URL that gives it; nothing is sent if it is there.

    `timeout` is in seconds, for the connection and for each wait on it. Raises UserError when no URL gives the file,
    and its TemporaryError where one of them may give it later.
    """
    if target.is_file() and sha256_of(target) == sha256.lower():
        return
    failures = []
    for url in urls:
        try:
            with replacing(target) as partial:
                _download(url, sha256.lower(), partial, timeout)
            return
        except _FailedError as failure:
            failures.append((url, failure))
    reasons = "; ".join(f"{_shown(url)}: {failure}" for url, failure in failures)
    kind = TemporaryError if any(failure.heals for _, failure in failures) else UserError
    raise kind(f"cannot fetch {target.name} ({reasons}): check the network, the URL and its sha256")


def _download(url: str, sha256: str, partial: Path, timeout: float) -> None:
    digest = hashlib.sha256()
    with open(partial, "wb") as file:
        for chunk in _chunks(url, timeout):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != sha256:
        raise _FailedError(f"wrong checksum, its SHA-256 is {digest.hexdigest()}", heals=False)


def _chunks(url: str, timeout: float) -> Iterator[bytes]:
    try:
        with urlopen(Request(url, headers={"User-Agent": "mintage"}), timeout=timeout) as answer:
            size = int(answer.headers["Content-Length"]) if "Content-Length" in answer.headers else None
            received = 0
            with progress_bar(_shown(url), size, unit="B") as bar:
                while chunk := answer.read(_CHUNK):
                    received += len(chunk)
                    bar.update(len(chunk))
                    yield chunk
            if size is not None and received < size:  # http.client ends such an answer without a word
                raise _FailedError(f"the connection closed after {received} of {size} bytes", heals=True)
    except HTTPError as error:
        raise _FailedError(f"HTTP status {error.code}", heals=error.code >= 500 or error.code == 429) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise _FailedError(str(reason) or type(error).__name__, heals=isinstance(reason, _NETWORK)) from None


def _shown(url: str) -> str:
    """The URL without what may be a secret: a password before '@', a signature after '?'."""
    return re.sub(r"//[^/@]*@", "//", url).partition("?")[0]
