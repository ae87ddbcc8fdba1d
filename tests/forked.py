"""Processes forked from one that has imported what they need: each begins in milliseconds.

Of each kind there is one to fork from, for all workers of a test session: its imports take seconds. A kind is a module
with `IMPORTED`, and with `start`, which forks.
"""

import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tests.shared import one_at_a_time

Started = tuple[int, Callable[[], int]]
"""What `start` gives: the id of the new process, and what waits for its exit code."""
_LARGEST = 1 << 17
"""Bytes of an order, most of which are the environment."""
_TOGETHER = Path(os.environ.get("TESTS_TOGETHER", tempfile.gettempdir()))
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(_TOGETHER)}
"""As it is before any test; a worker's own folder of temporary files goes with the worker."""


class Forked:
    """What `multiprocessing.Process` is, once it has started: in this folder, with this environment."""

    def __init__(self, kind: str, order: dict[str, Any], *files: int) -> None:
        ended, end = os.pipe()
        words = json.dumps({"environment": dict(os.environ), "folder": os.getcwd(), **order}).encode()
        assert len(words) < _LARGEST
        socket.send_fds(_server(kind), [words], [end, *files])
        os.close(end)
        self._ended = os.fdopen(ended, "rb", buffering=0)
        self.pid = int(self._ended.readline())
        self.exitcode: int | None = None

    def join(self, timeout: float | None = None) -> None:
        if self.exitcode is None and select.select([self._ended], [], [], timeout)[0]:
            self.exitcode = int(self._ended.readline())

    def is_alive(self) -> bool:
        self.join(0)
        return self.exitcode is None

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


@functools.cache
def _server(kind: str) -> socket.socket:
    """Where to send orders; the first worker starts it, and it ends with the last."""
    ours, place = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), _place(kind)
    with one_at_a_time(_lock(kind)):
        if not place.exists():
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
                listening.bind(str(place))
                listening.listen()
                number = listening.fileno()
                program = f"from tests.forked import serve; serve({kind!r}, {number})"
                subprocess.Popen(
                    [sys.executable, "-c", program], env=_ENVIRONMENT, stdin=subprocess.DEVNULL, pass_fds=[number]
                )
        ours.connect(str(place))
    return ours


def _place(kind: str) -> Path:
    return _TOGETHER / kind


def _lock(kind: str) -> Path:
    return _TOGETHER / f"{kind}.lock"


def serve(kind: str, number: int) -> None:
    """Fork as is asked on the listening socket of this number, until nobody is left who might ask."""
    module = importlib.import_module(kind)
    for name in module.IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # each of the forked would look at all of it for garbage, and so copy it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ExitStack() as mine:
        for order, files in _orders(mine.enter_context(socket.socket(fileno=number)), kind):
            if os.fork() == 0:
                mine.close()
                _start(module.start, json.loads(order), *files)
            for file in files:
                os.close(file)


def _start(start: Callable[..., Started], order: dict[str, Any], end: int, *files: int) -> None:
    """In a process that waits for the end of the one that is asked for, as its parent."""
    os.set_inheritable(end, False)
    pid, wait = start(order, *files)
    os.write(end, b"%d\n" % pid)
    os.write(end, b"%d\n" % wait())
    os._exit(0)


def _orders(listening: socket.socket, kind: str) -> Iterator[tuple[bytes, list[int]]]:
    listening.set_inheritable(False)
    open_: list[socket.socket] = [listening.accept()[0]]
    while open_ or not _ends(listening, kind):
        for ready in select.select([listening, *open_], [], [])[0]:
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if ready is listening:
                open_.append(listening.accept()[0])
                continue
            order, files, _, _ = socket.recv_fds(ready, _LARGEST, 4)
            if order:
                yield order, list(files)
            else:
                open_.remove(ready)
                ready.close()


def _ends(listening: socket.socket, kind: str) -> bool:
    """Whether nobody has come meanwhile; whoever comes after this starts another."""
    with suppress(FileNotFoundError), one_at_a_time(_lock(kind)):  # the folder may be gone by now, at the very end
        if select.select([listening], [], [], 0)[0]:
            return False
        _place(kind).unlink()
    return True


def become(order: dict[str, Any]) -> None:
    """The process has this environment and folder from now on, and Ctrl-C is heard."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None  # asked again
    os.chdir(order["folder"])
