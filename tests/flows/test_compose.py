"""docker-compose.yml: what it asks for and promises, and the whole of it brought up from nothing and worked with."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.project import QUICK, make_project
from tests.flows.team import Team, compose, configuration, has_compose, need_standins
from tests.flows.toy import ROOT, until

SETTINGS = {
    "COMPOSE_PROFILES": "s3,cpu",
    "MINTAGE_WORKSPACE": "/home/ann/mintage",
    "MINTAGE_UID": "1000",
    "MINTAGE_GID": "1000",
    "MINTAGE_DOCKER_GID": "998",
    "MINTAGE_PREFECT_PASSWORD": "prefect-secret",
    "MINTAGE_POSTGRES_PASSWORD": "postgres-secret",
    "MINTAGE_S3_ACCESS_KEY": "access-key",
    "MINTAGE_S3_SECRET_KEY": "secret-key",
}
reads = pytest.mark.skipif(not has_compose(), reason="there is no `docker compose` here to read the file with")


def write(folder: Path, **changes: str | None) -> Path:
    """The file, and settings for it; None leaves one out."""
    shutil.copy(ROOT / "docker-compose.yml", folder)
    settings = {name: value for name, value in {**SETTINGS, **changes}.items() if value is not None}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return folder


@reads
@pytest.mark.parametrize("name", sorted(set(SETTINGS) - {"COMPOSE_PROFILES"}))
def test_a_setting_that_is_missing_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    done = compose(write(tmp_path, **{name: None}), "config", "--quiet")
    assert done.returncode != 0
    assert f"required variable {name} is missing a value: run make env" in done.stdout


@reads
def test_ports_are_open_to_this_machine_alone(tmp_path: Path) -> None:
    services = configuration(write(tmp_path))["services"].values()
    assert [port["host_ip"] for service in services for port in service.get("ports", [])] == ["127.0.0.1"] * 2


@reads
def test_every_service_is_watched_comes_back_and_has_no_more_rights_than_it_needs(tmp_path: Path) -> None:
    for name, service in configuration(write(tmp_path, COMPOSE_PROFILES="s3,cpu,gpu"))["services"].items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name
        assert (service["read_only"], service["init"], service["cap_drop"]) == (True, True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in ("root", "0"), name
        assert not service["image"].endswith(":latest") or service["image"] == "mintage/worker:latest", name


@reads
def test_a_secret_reaches_only_those_who_need_it(tmp_path: Path) -> None:
    services = configuration(write(tmp_path))["services"]
    holders = {
        secret: {name for name, service in services.items() if secret in json.dumps(service)}
        for secret in ("prefect-secret", "postgres-secret", "secret-key")
    }
    assert holders["prefect-secret"] == {"server", "worker"}
    assert holders["postgres-secret"] == {"database", "server"}
    assert holders["secret-key"] == {"s3", "worker"}


@reads
def test_a_gpu_is_asked_for_behind_its_profile_alone(tmp_path: Path) -> None:
    assert "nvidia" not in json.dumps(configuration(write(tmp_path)))
    services = configuration(write(tmp_path, COMPOSE_PROFILES="s3,gpu"))["services"]
    assert services["worker-gpu"]["environment"]["MINTAGE_CUDA"] == "1"
    assert "nvidia" in json.dumps(services["worker-gpu"]["deploy"])
    assert "worker" not in services


@reads
def test_another_store_is_a_matter_of_settings(tmp_path: Path) -> None:
    other = {"COMPOSE_PROFILES": "cpu", "MINTAGE_S3_ENDPOINT": "https://s3.example.org", "MINTAGE_S3_BUCKET": "ours"}
    services = configuration(write(tmp_path, **other))["services"]
    assert "s3" not in services
    environment = services["worker"]["environment"]
    assert environment["AWS_ENDPOINT_URL"] == "https://s3.example.org"
    assert environment["MINTAGE_OVERRIDES"] == "upload.url=s3://ours"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """All of it, up and healthy, from nothing but a checkout."""
    need_standins()
    team = Team.from_folder(make_project(tmp_path_factory.mktemp("team") / "project", *QUICK))
    try:
        team.compose("up", "--wait")
        yield team
    finally:
        team.compose("down", "--volumes", "--timeout", "60")


@pytest.mark.docker
@pytest.mark.slow
def test_a_run_of_the_deployment_goes_from_images_to_a_release_in_the_store(team: Team) -> None:
    run = team.start_run("--watch")
    assert team.state_of(run) == "Completed", team.logs()
    receipt = json.loads((team.folder / "published.json").read_text())
    assert receipt["url"] == f"s3://mintage/releases/{receipt['release']}"
    assert json.loads(team.read("channels/latest.json"))["release"] == receipt["release"]
    manifest = json.loads(team.read(f"releases/{receipt['release']}/manifest.json"))
    assert "generator.safetensors" in [file["path"] for file in manifest["files"]]
    assert (team.folder / "models/selected").stat().st_uid == (team.folder / "dvc.yaml").stat().st_uid


@pytest.mark.docker
@pytest.mark.slow
def test_what_was_there_is_there_after_down_and_up_and_a_run_in_between_is_ended(team: Team) -> None:
    before = {run.id: run.state_name for run in team.runs() if run.state_name == "Completed"}
    latest = team.read("channels/latest.json")
    interrupted = team.start_run("--param", 'overrides=["evaluator.images=1000000000"]')
    until(lambda: any("evaluator" in name for name in team.stage_containers()), 120)
    team.compose("down")
    assert team.stage_containers() == []
    team.compose("up", "--wait")
    after = {run.id: run.state_name for run in team.runs()}
    assert before.items() <= after.items()
    assert after[interrupted] == "Crashed"
    assert team.read("channels/latest.json") == latest
    assert team.state_of(team.start_run("--watch")) == "Completed", team.logs()
    assert team.read("channels/latest.json") == latest
