"""Runs on a cluster: what is asked of Kubernetes is what its own schemas allow, and a job's command runs the flow.

There is no cluster here: nobody schedules the pod, pulls its image or mounts its volume.
"""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from ruamel.yaml import YAML

from flows.serve import POOLS, TEMPLATES, register, variables
from tests.flows.toy import ROOT, make_workspace
from tests.refusals import refused

kubernetes_validate = pytest.importorskip("kubernetes_validate")

VERSIONS = ["1.28", "1.32", "1.35"]
WORKER = list(YAML(typ="safe").load_all(ROOT / "flows/kubernetes/worker.yaml"))
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def _on_a_cluster() -> None:
    pytest.importorskip("prefect_kubernetes.worker")  # half a second, which no other worker of the tests needs


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_workspace(
        tmp_path_factory.mktemp("cluster") / "toy", {"quick": {"cmd": "touch quick.txt", "outs": ["quick.txt"]}}
    )
    for package in ("flows", "stages", "mintage"):
        (folder / package).symlink_to(ROOT / package)
    (folder / "prefect.yaml").write_text((ROOT / "prefect.yaml").read_text())
    return folder


@pytest.fixture(scope="module")
def registered(workspace: Path, server: str) -> str:
    """The deployment's name, on a real server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        environment = {**os.environ, **variables("kubernetes"), "PREFECT_API_URL": server, "PYTHONPATH": str(ROOT)}
        (name,) = register("kubernetes", environment)
    return f"pipeline/{name}"


def job_of(server: str, deployment: str, **variables: Any) -> tuple[FlowRun, dict[str, Any]]:
    """A run of the deployment, and the job that Prefect's worker would ask the cluster for."""

    worker = pytest.importorskip("prefect_kubernetes.worker")

    async def made() -> tuple[FlowRun, dict[str, Any]]:
        async with PrefectClient(server) as client:
            found = await client.read_deployment_by_name(deployment)
            run = await client.create_flow_run_from_deployment(found.id)
            pool = await client.read_work_pool(POOLS["kubernetes"])
            asked = {**found.job_variables, **variables}
            job = await worker.KubernetesWorkerJobConfiguration.from_template_and_values(
                pool.base_job_template, asked, client=client
            )
            job.prepare_for_flow_run(run, found, await client.read_flow(found.flow_id))
            return run, job.job_manifest

    return asyncio.run(made())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_worker_s_manifests_meet_the_schemas_of_kubernetes(version: str) -> None:
    for document in WORKER:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("changes", [{}, {"gpus": 2, "cpus": "500m", "memory": "64Gi", "image": "team/whole:1"}])
def test_a_job_meets_the_schemas_whatever_is_asked_for(server: str, registered: str, changes: dict[str, Any]) -> None:
    _, job = job_of(server, registered, **changes)
    for version in VERSIONS:
        kubernetes_validate.validate(job, version, strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == changes.get("image", "mintage/whole:latest")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == changes.get("gpus", 0)
    assert container["resources"]["limits"]["memory"] == changes.get("memory", "4Gi")


def test_worker_and_job_share_the_volume_and_the_secret_and_neither_is_root(server: str, registered: str) -> None:
    _, job = job_of(server, registered)
    by_kind = {document["kind"]: document for document in WORKER}
    pods = [job["spec"]["template"]["spec"], by_kind["Deployment"]["spec"]["template"]["spec"]]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        (claim,) = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
        assert claim["claimName"] == by_kind["PersistentVolumeClaim"]["metadata"]["name"]
        (container,) = pod["containers"]
        assert container["workingDir"] == "/workspace"
        assert container["envFrom"] == [{"secretRef": {"name": "mintage"}}]
        assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pods[1]["serviceAccountName"] == by_kind["RoleBinding"]["subjects"][0]["name"]
    assert not pods[0]["automountServiceAccountToken"], "a stage has no business with the cluster"


def test_a_value_of_another_kind_is_refused_by_the_pool(server: str, registered: str) -> None:
    async def wrong() -> None:
        async with PrefectClient(server) as client:
            found = await client.read_deployment_by_name(registered)
            await client.create_flow_run_from_deployment(found.id, job_variables={"gpus": "many"})

    with pytest.raises(Exception, match="many"):
        asyncio.run(wrong())


def test_the_job_s_command_and_environment_run_the_flow_in_the_workspace(
    server: str, registered: str, workspace: Path
) -> None:
    run, job = job_of(server, registered)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"]}
    assert given["MINTAGE_WORKSPACE"] == str(workspace)
    environment = {**os.environ, **given, "PREFECT_API_URL": server, "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = container["args"] if isinstance(container["args"], list) else shlex.split(container["args"])
    subprocess.run(command, cwd=workspace, env=environment, check=True, timeout=300)

    async def state() -> str | None:
        async with PrefectClient(server) as client:
            return (await client.read_flow_run(run.id)).state_name

    assert asyncio.run(state()) == "Completed"
    assert (workspace / "quick.txt").exists()


def test_the_template_is_the_one_that_the_server_has(server: str, registered: str) -> None:
    async def template() -> dict[str, Any]:
        async with PrefectClient(server) as client:
            return (await client.read_work_pool(POOLS["kubernetes"])).base_job_template

    assert asyncio.run(template()) == json.loads((ROOT / TEMPLATES["kubernetes"]).read_text())


def test_a_worker_without_its_package_is_refused_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.serve.find_spec", lambda name: None)
    with refused("worker-needs-kubernetes", "requirements/kubernetes.txt"):
        variables("kubernetes")
