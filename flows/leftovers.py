"""Ends what a killed worker left behind, before another worker begins."""

from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed

from flows.workspace import workspace_lock
from stages.common.errors import UserError


async def end_killed_runs(workspace: Path, url: str, pool: str) -> list[str]:
    """End what a killed run left in the workspace, and tell the server at `url` that the runs of this pool are dead.

    Prefect does not notice by itself, and would start no other run of a deployment with a concurrency limit. A pool
    has one workspace, so the process with the workspace's lock knows that none of its runs can be alive.
    Returns what was ended; does nothing if a run is active.
    """
    running = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING]))
    )
    of_pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    try:
        async with workspace_lock(workspace, "refuse") as (_, ended):
            with temporary_settings({PREFECT_API_URL: url}):
                async with get_client() as client:
                    dead = await client.read_flow_runs(flow_run_filter=running, work_pool_filter=of_pool)
                    for run in dead:
                        await client.set_flow_run_state(run.id, Crashed(message="its worker was killed"))
            return [*ended, *(f"flow run {run.name}" for run in dead)]
    except UserError:
        return []
