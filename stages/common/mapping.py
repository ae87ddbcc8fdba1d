"""One function over many shards: in this process, in others of this machine, or on a cluster."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Protocol, TypeVar

from stages.common.errors import TemporaryError

Shard = TypeVar("Shard")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


_HELD = 4
"""Shards a worker that are done or under way: their results wait for those before them, in memory."""


class MapShards(Protocol):
    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
        """The results in the order of the shards, each as soon as it and those before it are there.

        `function` and what it takes and returns can be pickled. What it raises is raised.
        """
        ...


class Future(Protocol[Result_co]):
    def result(self) -> Result_co: ...


def map_shards(workers: int, runner: str = "processes") -> MapShards:
    """Over this process alone, over `workers` others, or over those of a cluster, as `data.runner` says."""
    if runner == "dask":
        from stages.common.cluster import on_cluster

        return on_cluster
    return one_by_one if workers == 1 else partial(_in_processes, workers)


def one_by_one(function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    yield from map(function, shards)


def in_order(
    submit: Callable[[Shard], Future[Result]], shards: Sequence[Shard], workers: Callable[[], int]
) -> Iterator[Result]:
    """The results of what `submit` begins, in the order of the shards; a few a worker are under way."""
    begun = deque[Future[Result]]()
    for shard in shards:
        begun.append(submit(shard))
        while len(begun) >= _HELD * max(1, workers()):
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def _in_processes(workers: int, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    """Processes are spawned, so that none inherits a thread's lock, and end with this one, however it ends."""
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(min(workers, len(shards)), multiprocessing.get_context("spawn"), _begin)
    try:
        yield from in_order(lambda shard: pool.submit(function, shard), shards, lambda: workers)
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
