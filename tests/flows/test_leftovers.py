"""A worker that was killed: its runs are dead in Prefect too, and hold up no other."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.states import Running

from flows.leftovers import end_killed_runs
from flows.workspace import workspace_lock
from tests.flows.toy import chain, make_workspace

pytestmark = pytest.mark.slow


@flow
def anything() -> None:
    """Its runs here are only said to be running."""


async def begin(client: PrefectClient) -> tuple[str, str, str]:
    """A new pool, and the id and the name of a run of it that Prefect takes to be running."""
    pool = f"pool-{uuid4().hex}"
    await client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    run = await client.create_flow_run(anything, state=Running(), work_pool_name=pool)
    return pool, str(run.id), run.name


async def states(client: PrefectClient) -> dict[str, str | None]:
    return {str(run.id): run.state_name for run in await client.read_flow_runs()}


def test_the_runs_of_a_killed_worker_are_dead_when_the_next_starts_and_no_others(server: str, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("one"))

    async def play() -> None:
        async with PrefectClient(server) as client:
            pool, ours, name = await begin(client)
            _, theirs, _ = await begin(client)
            assert await end_killed_runs(workspace, server, pool) == [f"flow run {name}"]
            found = await states(client)
            assert (found[ours], found[theirs]) == ("Crashed", "Running")

    asyncio.run(play())


def test_where_a_run_is_at_work_nothing_is_ended(server: str, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("one"))

    async def play() -> None:
        async with PrefectClient(server) as client, workspace_lock(workspace, "refuse"):
            pool, ours, _ = await begin(client)
            assert await end_killed_runs(workspace, server, pool) == []
            assert (await states(client))[ours] == "Running"

    asyncio.run(play())
