"""Repairs the environment of a command: encoding, terminal, proxies, home.

It changes this process's environment, and so that of all programs that it starts.
"""

import codecs
import getpass
import ipaddress
import locale
import os
import re
import socket
import sys
import tempfile
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from urllib.parse import urlsplit

_HERE = ("localhost", "127.0.0.1", "::1")
_ENDPOINTS = ("PREFECT_API_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""Variables that may name a server on this machine, or in its containers."""
_PLAIN = str.maketrans("−–—×·≈…", "---x*~.") | {ord("±"): "+/-"}
_POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
"""Characters that stages print, and their replacements for an encoding that lacks them."""


def settle() -> None:
    """Make all repairs, at the start of a command; the process may restart in UTF-8, with the same process id."""
    use_utf8()
    speak()
    reach_this_machine_directly()
    have_a_home()


def use_utf8() -> None:
    """Restart in UTF-8 mode if Python uses another encoding: file names and texts are UTF-8 in any locale.

    In Latin-1 a class folder with accented letters would be another class, and a path in params.yaml not be found.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def speak() -> None:
    """Print in the terminal's encoding, line by line; a character that it lacks becomes a plain one, never an error."""
    codecs.register_error("mintage.plain", _plain)
    encoding = None
    if sys.flags.utf8_mode and not os.environ.get("PYTHONIOENCODING"):
        terminal = codecs.lookup(locale.getencoding()).name
        encoding = None if terminal == "ascii" else terminal  # in the C locale Python prints UTF-8
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # no TextIOWrapper if the caller closed it
            stream.reconfigure(encoding=encoding, errors="mintage.plain")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a pipe may be a log


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An error handler for `codecs`: the character in plain letters, or as Python's escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = re.sub("[⁻⁰-⁹¹²³]+", lambda power: f"^{power[0].translate(_POWERS)}", lacking.translate(_PLAIN))
    return plain.encode("ascii", "backslashreplace").decode(), error.end


def reach_this_machine_directly() -> None:
    """If the environment names a proxy, use it only for other machines, and for every library.

    Without NO_PROXY, boto3, httpx and docker would ask the proxy for a server on this machine. ALL_PROXY is not read by
    all of them, and some fail with a SOCKS proxy, so it becomes HTTP_PROXY and HTTPS_PROXY if these are not set.
    """
    everything = _proxy("all")
    if not (everything or _proxy("http") or _proxy("https")):
        return
    if everything and not everything.lower().startswith("socks"):
        for scheme in ("http", "https"):
            if not _proxy(scheme):
                os.environ[f"{scheme}_proxy"] = os.environ[f"{scheme.upper()}_PROXY"] = everything
    if _proxy("http") and _proxy("https"):
        for name in ("ALL_PROXY", "all_proxy"):
            os.environ.pop(name, None)
    named = [part.strip() for part in (_proxy("no") or "").split(",") if part.strip()]
    direct = ",".join(dict.fromkeys([*named, *_HERE, socket.gethostname(), *_near()]))
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*" if "*" in named else direct


def _proxy(scheme: str) -> str | None:
    """The proxy for a scheme, as most libraries read it: the lower-case variable comes first."""
    return os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme.upper()}_PROXY")


def _near() -> list[str]:
    """Hosts of the endpoints that are this machine, or unknown to a proxy outside."""
    hosts = [urlsplit(os.environ.get(name, "")).hostname for name in _ENDPOINTS]
    return [host for host in hosts if host and is_near(host)]


def is_near(host: str) -> bool:
    """Whether a host is this machine's address, or a name without a dot: in the local network, or of a container."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    if address.is_loopback:
        return True
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6) as own:
        try:
            own.bind((host, 0))
        except OSError:
            return False
    return True


def have_a_home() -> None:
    """Set a home and a name for a user without them, as a uid in a container: libraries need them for settings."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(own_folder())
    if not may_write(Path.home() / ".config"):
        os.environ.setdefault("MPLCONFIGDIR", str(own_folder() / "matplotlib"))  # else matplotlib warns each time
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = f"uid{os.getuid()}"


def own_folder() -> Path:
    """A folder for only this user, among temporary files."""
    path = Path(tempfile.gettempdir()) / f"mintage-{os.getuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if path.is_symlink() or path.stat().st_uid != os.getuid():  # another user has a folder of this name
        return Path(tempfile.mkdtemp(prefix="mintage-"))
    return path


def may_write(folder: Path) -> bool:
    """Whether files can be created in a folder, which is created first."""
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
