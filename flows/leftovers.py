"""What a worker that was killed leaves behind, ended before another begins."""

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

    Prefect does not notice by itself, and would let no other run of a deployment with a concurrency limit begin.
    A pool is of one workspace, so who has the workspace knows that none of its runs can be alive.
    Returns what was ended; does nothing where a run is at work.
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
