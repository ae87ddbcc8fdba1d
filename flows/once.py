"""If two trials of a sweep need the same work at once, one does it; the other finds it in DVC's run cache."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from flows.graph import Graph
from stages.common.files import fingerprint_of
from stages.common.nested import value_at
from stages.common.params import Params

_going_on: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


def work_of(graph: Graph, params: Params) -> dict[str, str]:
    """For each stage, a digest of what decides its work among trials of one code: its params and its upstream's."""
    values = params.model_dump(by_alias=True)
    work: dict[str, str] = {}
    for stage in graph.values():
        own = {key: value_at(values, key) for key in stage.params}
        upstream = [work[name] for name in stage.upstream if name in work and not graph[name].meta.code]
        work[stage.name] = fingerprint_of([stage.name, own, upstream])
    return work


@asynccontextmanager
async def single_flight(work: str) -> AsyncIterator[None]:
    """Wait until no other task of this process does this work, then hold it."""
    async with _going_on.setdefault(work, asyncio.Lock()):
        yield
