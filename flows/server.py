"""The Prefect server: the server in the settings, or this process's own for the time of the run."""

import atexit
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import prefect
import psutil
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from stages.common.errors import TemporaryError, UserError

TIMEOUT = 5.0
"""Seconds to wait for an answer."""
PATIENCE = 60.0
"""Seconds that a server may be silent, or make no progress while it starts."""
STOP_TIMEOUT = 25.0
"""Seconds for a process to end; together with those for a worker's runs, less than Compose gives a container."""
MEND = "mend that, or set PREFECT_HOME to an empty folder that you may write"
_POLL = 0.2
_SERVE = """
import gc
gc.disable()  # among all that a server imports there is no garbage, and to look for it takes a tenth of its start
import prefect.server.api.server
import uvicorn.main
gc.freeze()
gc.enable()
uvicorn.main.main()
"""


def answers(url: str) -> bool:
    """Whether a Prefect API is at this url, in good health."""
    try:
        return httpx.get(f"{url}/health", timeout=TIMEOUT).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def answers_in_time(url: str) -> bool:
    """Like `answers`, for a slow server: it is asked again, unless nothing listens there."""
    give_up = time.monotonic() + PATIENCE
    while not answers(url):
        if time.monotonic() > give_up or not _listens(url):
            return False
        time.sleep(_POLL)
    return True


def check_server() -> None:
    """Raise UserError if the settings name a server that does not answer; without one, a run starts its own."""
    url = PREFECT_API_URL.value()
    if url is not None and not answers_in_time(url):
        raise UserError(
            "server-not-running",
            f"no Prefect server answers at {url}: start it (`make serve`), or unset PREFECT_API_URL to run without one",
        )


def use_server() -> None:
    """For the rest of this process, use the server in the settings, or else its own.

    Prefect would start one too, but gives up after 20 seconds, even if it is busy, and with a traceback.
    """
    check_proxy()
    check_server()
    if PREFECT_API_URL.value() is None:
        kept = ExitStack()
        atexit.register(kept.close)  # registered first, it runs last, after Prefect has sent its last logs
        url = kept.enter_context(own_server())
        kept.enter_context(temporary_settings({PREFECT_API_URL: url}))


def check_proxy() -> None:
    """Raise UserError if the environment names a kind of proxy that Prefect's client cannot use."""
    try:
        httpx.Client().close()
    except (ImportError, ValueError):  # a SOCKS proxy without its package, or an invalid address
        raise UserError(
            "proxy-unusable",
            "the environment names a proxy that Prefect cannot use: set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT "
            "(of a SOCKS proxy: `pip install socksio`)",
        ) from None


@contextmanager
def server_lost() -> Iterator[None]:
    """Turn Prefect's errors on a server that stops answering into a TemporaryError."""
    try:
        yield
    except (httpx.HTTPError, PrefectException, RuntimeError) as error:
        if type(error) is RuntimeError and "Failed to reach API" not in str(error):  # Prefect's message
            raise
        where = f" at {PREFECT_API_URL.value()}" if PREFECT_API_URL.value() else ""
        raise TemporaryError(
            "server-unreachable",
            f"the Prefect server{where} did not answer ({type(error).__name__}): run again when the machine is less "
            "busy; stages that were finished are kept",
        ) from None


@contextmanager
def own_server() -> Iterator[str]:
    """Start a server without a UI, on a free port, with the database of this user's Prefect; yields its url."""
    port = _free_port()
    command = [sys.executable, "-c", _SERVE, "--app-dir", str(prefect.__module_path__.parent), "--factory"]
    command += ["prefect.server.api.server:create_app", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "error", "--lifespan", "on"]
    marks = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    with started(command, {**os.environ, **marks}, f"http://127.0.0.1:{port}/api", MEND) as url:
        yield url


@contextmanager
def started(command: list[str], environment: dict[str, str], url: str, mend: str) -> Iterator[str]:
    """Start a server by `command`, yield `url` once it answers there, and end it after the block.

    The wait lasts as long as it makes progress: TemporaryError if it makes none for `PATIENCE` seconds; UserError, with
    `mend` as advice, if it ends. Its output is in `server.log` in Prefect's home.
    """
    home = Path(PREFECT_HOME.value()).expanduser()
    home.mkdir(parents=True, exist_ok=True)
    # One start at a time: two servers that find no database would both make it, and one would fail.
    with open(home / "server.lock", "w") as lock, ExitStack() as running:
        _wait_for_lock(lock.fileno(), home)
        log = home / "server.log"
        with log.open("wb") as said:
            # In its own session, so that Ctrl-C does not end it before the flow, which still reports to it.
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no thread of ours is there yet
            )
        running.enter_context(stopped_at_the_end(process))
        _wait_for_answer(process, url, log, mend)
        fcntl.flock(lock, fcntl.LOCK_UN)
        yield url


@contextmanager
def stopped_at_the_end(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_answer(process: "subprocess.Popen[bytes]", url: str, log: Path, mend: str) -> None:
    def done() -> bool:  # a try to connect is cheap, a client that is made to ask is not
        return process.poll() is not None or (_listens(url) and answers(url))

    if not _while_busy(done, lambda: _work_done(process.pid)):
        raise TemporaryError(
            "server-too-slow",
            f"Prefect's server made no progress for {PATIENCE:g} seconds: run again when the machine is less busy, "
            "or start one before (`make serve`) and name it in PREFECT_API_URL",
        )
    if process.poll() is not None:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise UserError(
            "server-did-not-start",
            f"Prefect's server ended in its start ({lines[-1].strip() if lines else process.returncode}; all of it in "
            f"{log}): {mend}",
        )


def _while_busy(done: Callable[[], bool], work: Callable[[], float]) -> bool:
    """Wait until it is done; False if `work` did not change for `PATIENCE` seconds."""
    before, since = work(), time.monotonic()
    while not done():
        if (now := work()) != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            return False
        time.sleep(_POLL)
    return True


def _work_done(process: int) -> float:
    """CPU seconds of a process and its children so far."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process)
        times = [one.cpu_times() for one in [root, *root.children(recursive=True)]]
        return sum(each.user + each.system for each in times)
    return 0.0


def _wait_for_lock(lock: int, home: Path) -> None:
    def taken() -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    # Longer than the wait for a server: the lock's holder releases it when its own wait ends.
    give_up = time.monotonic() + 10 * PATIENCE
    while not taken():
        if time.monotonic() > give_up:
            raise TemporaryError(
                "server-too-slow",
                f"another start of a Prefect server takes too long ({home / 'server.lock'}): run again",
            )
        time.sleep(_POLL)


def _end_with_parent() -> None:
    """On Linux, make the server end when its parent ends, even if killed; called in the new process."""
    import ctypes
    import signal

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _listens(url: str) -> bool:
    """Whether anything accepts a connection there; True if there is no answer in time."""
    parts = httpx.URL(url)
    try:
        with socket.create_connection((parts.host, parts.port or (443 if parts.scheme == "https" else 80)), TIMEOUT):
            return True
    except TimeoutError:
        return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
