"""One function over many shards: in this process, in others of this machine, or on a cluster."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Protocol, TypeVar

from stages.common.errors import TemporaryError

Shard = TypeVar("Shard")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
_HELD = 4
"""Shards for each worker that are done or in progress: results wait in memory for those before them."""


class MapShards(Protocol):
    def __call__(self, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
        """The results in the order of the shards, each as soon as it and all before it are there.

        `function`, its arguments and its results must be picklable. Its errors are raised here.
        """
        ...


class Future(Protocol[Result_co]):
    def result(self) -> Result_co: ...


def map_shards(workers: int, runner: str = "processes") -> MapShards:
    """A map in this process, in `workers` other processes, or on a cluster, by `data.runner`."""
    if runner == "dask":
        from stages.common.cluster import on_cluster

        return on_cluster
    return one_by_one if workers == 1 else partial(_in_processes, workers)


def one_by_one(function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    yield from map(function, shards)


def in_order(
    submit: Callable[[Shard], Future[Result]], shards: Iterable[Shard], workers: Callable[[], int], held: int = _HELD
) -> Iterator[Result]:
    """The results of `submit`, in the order of the shards; for each worker, `held` are done or in progress."""
    begun = deque[Future[Result]]()
    for shard in shards:
        begun.append(submit(shard))
        while len(begun) >= held * max(1, workers()):
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def ahead(function: Callable[[Shard], Result], items: Iterable[Shard], threads: int) -> Iterator[Result]:
    """The results in order, by threads, with at most two for each waiting to be used: for large results."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from in_order(lambda item: pool.submit(function, item), items, lambda: threads, held=2)
        finally:
            pool.shutdown(cancel_futures=True)


def _in_processes(workers: int, function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    """Map in processes that are spawned, so that none inherits a thread's lock, and that always end with this one."""
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
            if process not in others:  # left over if the results were not all used
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent handles it and ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process with its parent: a killed parent closes no pipe that this process waits for."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
