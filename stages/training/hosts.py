"""Several machines that train as one: each process says every few seconds that it is there.

Averaging waits up to two hours for another machine, since one may save or measure for long. It waits as long for a
machine without power, and now and then for a process that was killed. Silence shows which it is.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch.distributed as dist

from stages.common.errors import TRY_AGAIN, TemporaryError, say

EVERY = 5.0
SILENCE = 120.0
"""Seconds after which a process that says nothing counts as gone."""


def lost() -> TemporaryError:
    return TemporaryError(
        "training-host-lost",
        "another machine of this training is gone: start it on all again, and it goes on from its last state",
    )


@contextmanager
def watched(first_to_report: Callable[[], bool]) -> Iterator[None]:
    """Within the block, this process ends with exit code 75 once a process of another machine is silent.

    `first_to_report` says whether this process is the one of its machine that prints why.
    """
    processes, of_this_machine = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if processes == of_this_machine:
        yield
        return
    beats = _Beats(processes)
    exchange = threading.Thread(target=beats.exchange, daemon=True)
    exchange.start()
    threading.Thread(target=_end_in_silence, args=(beats, first_to_report), daemon=True).start()
    yield
    beats.finished.set()  # not after an error: this process is then gone for the others
    exchange.join(EVERY)


class _Beats:
    """A counter for each process, in the store that torchrun keeps on the first machine."""

    def __init__(self, processes: int) -> None:
        self.finished = threading.Event()
        self._rank = int(os.environ["RANK"])
        self._peers = [rank for rank in range(processes) if rank != self._rank]
        self._heard = dict.fromkeys(self._peers, time.monotonic())

    def silence(self) -> float:
        """For how many seconds the most silent of the others has said nothing."""
        return time.monotonic() - min(self._heard.values(), default=time.monotonic())

    def exchange(self) -> None:
        """Count, and read what the others count, until the block ends; a broken connection is silence."""
        with suppress(RuntimeError):
            address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            until = timedelta(seconds=SILENCE)
            store = dist.TCPStore(*address, is_master=False, timeout=until)  # type: ignore[attr-defined]
            last = dict.fromkeys(self._peers, -1)
            while not self.finished.wait(EVERY):
                store.add(f"beat/{self._rank}", 1)
                for peer in self._peers:
                    if store.add(f"finished/{peer}", 0):
                        self._heard[peer] = math.inf
                    elif (beat := store.add(f"beat/{peer}", 0)) != last[peer]:
                        last[peer], self._heard[peer] = beat, time.monotonic()
            store.add(f"finished/{self._rank}", 1)


def _end_in_silence(beats: _Beats, first_to_report: Callable[[], bool]) -> None:
    # A thread of its own, since a question to the store can wait for ever; the main thread may wait in averaging.
    while not beats.finished.wait(1):
        if beats.silence() > SILENCE:
            if first_to_report():
                say(lost(), str(lost()))
                sys.stderr.flush()
            os._exit(TRY_AGAIN)
