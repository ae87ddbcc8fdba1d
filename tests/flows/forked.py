"""`python -m flows.X` in processes forked from one that has imported Prefect, which takes longer than a toy's run.

Each is a process of its own, in which the command line runs from its first word to Python's own end.
"""

import importlib
import os
import sys
import tempfile
from typing import Any

from tests.forked import Forked, Started, become

IMPORTED = ["flows.pipeline", "flows.sweep", "docker", "dvc.repo", "dvc.utils.hydra", "graphviz"]
"""The later ones by a run, when it needs them."""


class ForkedFlow(Forked):
    """What `subprocess.Popen` is to a command, with its output in a file."""

    def __init__(self, module: str, arguments: list[str], environment: dict[str, str]) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as this is asked what it printed
        order = {"module": module, "arguments": arguments, "environment": environment}
        super().__init__(__name__, order, self._output.fileno())

    @property
    def returncode(self) -> int | None:
        return self.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for its end; all that it printed. Raises TimeoutError where it does not end in time."""
        self.join(timeout)
        if self.exitcode is None:
            raise TimeoutError("it did not end")
        self._output.seek(0)
        return self._output.read().decode(), None


def start(order: dict[str, Any], output: int) -> Started:
    """In the new process: run the command, up to Python's own end."""
    pid = os.fork()
    if pid:
        return pid, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output, stream.fileno())
    os.close(output)
    become(order)
    sys.argv = [order["module"], *order["arguments"]]
    from prefect.context import refresh_global_settings_context

    from stages.common.errors import run_stage

    refresh_global_settings_context()
    run_stage(importlib.import_module(order["module"]).main)
    raise SystemExit
