"""Normalize beyond one machine: its shards are tasks of a Prefect flow, done where the flow's task runner has workers.

    python -m flows.cluster --address tcp://SCHEDULER:8786     a Dask cluster that is there
    python -m flows.cluster --workers 8                        one of this machine, for the time of the run

Workers need this code, its packages and this workspace, at the same path. The bytes are those of `dvc repro normalize`.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner

from flows.serve import server
from flows.server import server_lost
from flows.workspace import workspace_lock
from stages import normalize
from stages.common.errors import TemporaryError, UserError, run_stage
from stages.common.params import load_params
from stages.common.stage import parser_of

PORT = 4200
"""Prefect's own."""
Shard = TypeVar("Shard")
Result = TypeVar("Result")


@task(name="shard", cache_policy=NO_CACHE, persist_result=False)
def one_shard(function: Callable[[Shard], Result], shard: Shard) -> Any:
    """What cannot be healed is a state, since Prefect logs the traceback of what is raised."""
    try:
        return function(shard)
    except UserError as error:
        return Failed(message=str(error), data=error)


def as_tasks(function: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
    """`stages.common.mapping.MapShards` within a flow, by its task runner."""
    for future in [one_shard.submit(function, shard) for shard in shards]:
        yield future.result()


@flow(name="normalize", persist_result=False)
def normalize_as_tasks() -> Any:
    """The stage in the current folder."""
    try:
        normalize.run(as_tasks, Path.cwd())
    except UserError as error:
        return Failed(message=str(error), data=error)
    except lost_workers():
        lost = TemporaryError(
            "cluster-workers-lost",
            "a shard ended several of the cluster's workers, most often for want of memory: give them more, and run "
            "again; the shards that were finished are kept",
        )
        return Failed(message=str(lost), data=lost)
    return Completed()


def lost_workers() -> tuple[type[Exception], ...]:
    """What Dask says of a shard that it has given to several workers, none of which lived to its end."""
    try:
        from distributed.scheduler import KilledWorker
    except ImportError:  # another cluster
        return ()
    return (KilledWorker,)


def run_on(runner: TaskRunner[Any]) -> None:
    """The stage in the current folder, its shards done by `runner`. Raises UserError as the stage does."""
    state: Any = normalize_as_tasks.with_options(task_runner=runner)(return_state=True)
    state.result()


async def run_with_lock(runner: TaskRunner[Any]) -> None:
    async with workspace_lock(Path.cwd(), load_params().flow.overlap):
        await asyncio.to_thread(run_on, runner)


def main() -> None:
    parser = parser_of("flows.cluster", __doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--address", help="of a Dask scheduler, such as tcp://HOST:8786")
    where.add_argument("--workers", type=int, metavar="N", help="processes of this machine")
    arguments = parser.parse_args()
    if arguments.workers:  # they inherit it: at the end they lose their scheduler, some with a traceback
        os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        wanted = "pip install -c requirements/constraints.txt prefect-dask"
        raise UserError("package-missing", f"a cluster needs a package that the stages do not: {wanted}") from None
    if arguments.address and not PREFECT_API_URL.value():
        raise UserError(
            "cluster-without-server",
            "set PREFECT_API_URL to a Prefect server that all workers reach: each would start one of its own",
        )
    logging.getLogger("distributed").setLevel(logging.WARNING)  # Prefect shows what it says, which is much
    logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # on a busy machine workers take long to end
    local = {"n_workers": arguments.workers, "threads_per_worker": 1, "dashboard_address": None}
    runner = DaskTaskRunner(address=arguments.address) if arguments.address else DaskTaskRunner(cluster_kwargs=local)
    # Named, whether it was there or not: a worker without a server would start one, and leave it behind when killed.
    load_params()
    with server(PORT) as url, temporary_settings({PREFECT_API_URL: url}), server_lost():
        asyncio.run(run_with_lock(runner))
        APILogHandler().flush()  # while the server is there to take it
    print("recorded by `dvc commit normalize`")


if __name__ == "__main__":
    run_stage(main)
