"""The processes of one training, forked from the stage that starts them: of each, two seconds are torch's import."""

import importlib
import logging
import multiprocessing
import os
import signal
import subprocess
from typing import Any
from unittest import mock

from torch.distributed.elastic.multiprocessing.subprocess_handler.subprocess_handler import SubprocessHandler

from stages.common.errors import ending_signals, run_stage


class _Rank:
    """What torch's launcher needs of `subprocess.Popen`."""

    def __init__(self, module: str, environment: dict[str, str]) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=_play, args=(module, environment))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        self._process.join(0)
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return self._process.exitcode


def fork_ranks() -> None:
    """From now on torch's launcher forks this process, instead of `python -m MODULE`."""
    mock.patch.object(SubprocessHandler, "_popen", _started).start()


def _started(handler: SubprocessHandler, command: tuple[str, ...], environment: dict[str, str]) -> Any:
    *_, module = command
    return _Rank(module, environment)


def _play(module: str, environment: dict[str, str]) -> None:
    """As if it had begun anew: no signal is handled, all is logged, and this is its environment."""
    os.setsid()
    for number in (signal.SIGQUIT, *ending_signals()):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.disable(logging.NOTSET)
    os.environ.clear()
    os.environ.update(environment)
    run_stage(importlib.import_module(module).main)
