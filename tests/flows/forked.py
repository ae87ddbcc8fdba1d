"""`python -m flows.X` in processes forked from one that has imported Prefect, which takes longer than a toy's run.

Each is a process of its own, in which the command line runs from its first word to Python's own end.
"""

import atexit
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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

IMPORTED = ["flows.pipeline", "flows.sweep", "docker", "dvc.repo", "dvc.utils.hydra", "graphviz"]
"""The later ones by a run, when it needs them."""
LARGEST = 1 << 17
"""Bytes of an order, most of which are the environment."""


class ForkedFlow:
    """What `subprocess.Popen` is to a command, with its output in a file."""

    def __init__(self, module: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        ended, end = os.pipe()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as this is asked what it printed
        order = json.dumps([module, arguments, dict(environment), os.getcwd()]).encode()
        assert len(order) < LARGEST
        socket.send_fds(_parent(), [order], [self._output.fileno(), end])
        os.close(end)
        self._ended = os.fdopen(ended, "rb", buffering=0)
        self.pid = int(self._ended.readline())
        self.returncode: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for its end; all that it printed. Raises TimeoutError where it does not end in time."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise TimeoutError("it did not end")
            self.returncode = int(self._ended.readline())
        self._output.seek(0)
        return self._output.read().decode(), None


@functools.cache
def _parent() -> socket.socket:
    """Where to send orders; the process that takes them ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "tests.flows.forked", str(theirs.fileno())]
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
    theirs.close()
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _take_orders(orders: socket.socket) -> str:
    """Returns in each forked process alone, with the name of the module to run there; else ends with the orders."""
    while True:
        order, files, _, _ = socket.recv_fds(orders, LARGEST, 2)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not order:
            raise SystemExit
        output, end = files
        if os.fork() == 0:
            break
        os.close(output)
        os.close(end)
    flow = os.fork()
    if flow:  # this one waits for its end, as Popen does
        os.write(end, b"%d\n" % flow)
        os.write(end, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(flow, 0)[1]))
        os._exit(0)
    orders.close()
    os.close(end)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    os.close(output)
    module, arguments, environment, folder = json.loads(order)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [module, *arguments]
    return str(module)


def main() -> None:
    for module in IMPORTED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # each of the forked would look at all of it for garbage, and so copy it
    from stages.common.errors import run_stage

    module = _take_orders(socket.socket(fileno=int(sys.argv[1])))
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    run_stage(importlib.import_module(module).main)


if __name__ == "__main__":
    main()
