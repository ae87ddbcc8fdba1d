"""One function over many shards: in this process, or in processes of its own.

Whoever calls may bring another `MapShards`, such as one that hands the shards to a cluster.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Protocol, TypeVar

from stages.common.errors import TemporaryError

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class MapShards(Protocol):
    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
        """The results in the order of the shards, each as soon as it and those before it are there.

        `function` and what it takes and returns can be pickled. What it raises is raised.
        """
        ...


def map_shards(workers: int) -> MapShards:
    """Over this process alone, or over `workers` others."""
    return one_by_one if workers == 1 else partial(_in_processes, workers)


def one_by_one(function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    yield from map(function, shards)


def _in_processes(workers: int, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    """Processes are spawned, so that none inherits a thread's lock, and end with this one, however it ends."""
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(min(workers, len(shards)), multiprocessing.get_context("spawn"), _begin)
    try:
        yield from pool.map(function, shards)
        pool.shutdown()
    except BrokenProcessPool:
        raise TemporaryError(
            "workers-lost",
            f"one of the {workers} processes of data.workers was ended from outside, most often for want of memory: "
            "run again, and the shards that were finished are kept; fewer workers need less memory",
        ) from None
    finally:
        for process in multiprocessing.active_children():
            if process not in others:  # of a pool that was not used to its end
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent hears it and ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed closes nothing that we wait for."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
