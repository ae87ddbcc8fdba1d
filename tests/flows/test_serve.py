"""`make serve` for real: a server, a worker and the deployment of prefect.yaml, on a toy pipeline."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling
from ruamel.yaml import YAML

from flows.serve import POOLS, deployments
from flows.server import answers
from tests.flows.test_stopping import sleeping, started
from tests.flows.toy import ROOT, marked_processes, tables, until
from tests.programs import free_port
from tests.shared import of_all_workers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_served(tmp_path_factory.mktemp("served") / "toy")


def make_served(folder: Path) -> Path:
    """A stage that is quick, which the schedule of this prefect.yaml runs every minute, and one that sleeps."""
    folder = sleeping(folder)
    quick = "  quick:\n    cmd: touch quick.txt\n    outs: [quick.txt]\n"
    (folder / "dvc.yaml").write_text((folder / "dvc.yaml").read_text() + quick)
    for package in ("flows", "stages", "mintage"):
        (folder / package).symlink_to(ROOT / package)
    yaml = YAML(typ="safe")
    content = yaml.load(ROOT / "prefect.yaml")
    for deployment in [each for each in content["deployments"] if "pipeline.py" in each["entrypoint"]]:
        deployment["schedules"][0]["cron"] = "* * * * *"
        deployment["parameters"] = {"targets": ["quick"]}
    with (folder / "prefect.yaml").open("w") as file:
        YAML().dump(content, file)
    return folder


@dataclass
class Served:
    url: str
    """Of the API."""
    process: "subprocess.Popen[bytes]"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(300)
        assert not answers(self.url), "its server ends with it"


@pytest.fixture(scope="module")
def all_served() -> Iterator[list[Served]]:
    found: list[Served] = []
    yield found
    for one in found:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture
def served(all_served: list[Served], workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """`flows.serve`, the same until a test stops it."""
    if not all_served:
        home = workspace.parent / "prefect"
        home.mkdir()
        with tables(home / "prefect.db", of_all_workers(tmp_path_factory)):
            all_served.append(serve(workspace))
    elif all_served[-1].process.poll() is not None:
        all_served.append(serve(workspace))
    (workspace / "started").unlink(missing_ok=True)
    return all_served[-1]


def serve(workspace: Path) -> Served:
    port = free_port()
    environment = {**os.environ, "PREFECT_HOME": str(workspace.parent / "prefect"), "PYTHONPATH": str(workspace)}
    environment.pop("PREFECT_API_URL", None)
    with (workspace.parent / "served.log").open("w") as log:
        command = [sys.executable, "-m", "flows.serve", "--port", str(port)]
        process = subprocess.Popen(command, cwd=workspace, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/api"
    until(lambda: "Ctrl-C ends it" in (workspace.parent / "served.log").read_text() or process.poll() is not None, 300)
    assert process.poll() is None, (workspace.parent / "served.log").read_text()
    return Served(url, process)


def ask(url: str, question: Callable[[PrefectClient], Any]) -> Any:
    async def answer() -> Any:
        async with PrefectClient(url) as client:
            return await question(client)

    return asyncio.run(answer())


def scheduled_runs(url: str) -> list[FlowRun]:
    return [run for run in ask(url, lambda client: client.read_flow_runs()) if run.auto_scheduled]


def test_a_cron_deployment_gets_scheduled_runs_and_a_scheduled_run_runs(served: Served, workspace: Path) -> None:
    until(lambda: len(scheduled_runs(served.url)) >= 3, every=1.0)
    until(lambda: any(run.state_name == "Completed" for run in scheduled_runs(served.url)), every=1.0)
    assert (workspace / "quick.txt").exists()


async def begin(client: PrefectClient) -> UUID:
    """Start a run of the stage that sleeps."""
    deployment = await client.read_deployment_by_name("pipeline/nightly")
    return (await client.create_flow_run_from_deployment(deployment.id, parameters={"targets": ["only"]})).id


def test_canceling_in_prefect_ends_every_process_of_the_run(served: Served, workspace: Path) -> None:
    run = ask(served.url, begin)
    until(lambda: started(workspace), 300)
    ask(served.url, lambda client: client.set_flow_run_state(run, Cancelling()))
    until(lambda: ask(served.url, lambda client: client.read_flow_run(run)).state_name == "Cancelled", every=0.5)
    assert marked_processes(workspace) == []


def test_stopping_it_ends_the_runs_of_its_worker(served: Served, workspace: Path) -> None:
    ask(served.url, begin)
    until(lambda: started(workspace), 300)
    served.stop()
    assert marked_processes(workspace) == []
    assert not (workspace / ".flow/run.json").exists()


def test_every_deployment_of_prefect_yaml_has_a_worker_that_serve_can_start() -> None:
    assert set(deployments(ROOT / "prefect.yaml").values()) == set(POOLS.values())
