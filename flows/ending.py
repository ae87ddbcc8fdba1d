"""Makes SIGTERM, or SIGHUP, end a process within seconds, at any moment.

Prefect turns the signal into an exception, which may be raised inside Prefect itself: between two stages a run then
waits for its server, or for a retry, and a sweep may even go on with its next trial. So a thread also waits for the
signal, by the pipe into which the interpreter writes each signal's number, and ends the process if nothing else does.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from stages.common.errors import say_last

LONGEST = 20.0
"""Seconds from SIGTERM to the end of the process: more than `flows.processes.GRACE`, so that it can end well."""
_last_words: list[Callable[[], object]] = []


@contextmanager
def hurried(last_word: Callable[[], object]) -> Iterator[None]:
    """From now on this process ends at most `LONGEST` seconds after SIGTERM; in the block, after `last_word`."""
    _watch()
    _last_words.append(last_word)
    try:
        yield
    finally:
        _last_words.remove(last_word)


def _watch() -> None:
    """Start the thread that waits for the signal, unless it runs, or other code uses the interpreter's pipe."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # Prefect handles SIGTERM alone
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if before != -1:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        os.close(reading)
        os.close(writing)
        return
    threading.Thread(target=_wait, args=(reading,), name="SIGTERM", daemon=True).start()


def _wait(reading: int) -> None:
    """Wait for SIGTERM, and end the process some time after it."""
    while signal.SIGTERM not in os.read(reading, 64):
        pass
    time.sleep(LONGEST)
    say_last(f"error: ended {LONGEST:g} s after SIGTERM, since it did not end by itself")
    for last_word in _last_words:
        last_word()
    for child in psutil.Process().children(recursive=True):  # such as Prefect's own server
        with suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(128 + signal.SIGTERM)
