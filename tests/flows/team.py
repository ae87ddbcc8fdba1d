"""The project's Compose set-up on stand-ins for the images that it names, from a copy of this tree."""

import asyncio
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore.config import Config
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from ruamel.yaml import YAML

from flows.container import engine
from stages.common.errors import UserError
from tests.flows.docker_engine import built_images
from tests.flows.toy import ROOT
from tests.programs import free_port

STANDINS = ROOT / "tests" / "flows" / "compose-standins.yml"
FILES = ("--file", "docker-compose.yml", "--file", str(STANDINS))


@cache
def has_compose() -> bool:
    """Whether there is a `docker compose` that reads the file; it needs no engine for that."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


def need_standins() -> None:
    """Skip the test, saying why, where there is no engine, or it lacks one of the stand-ins."""
    if not has_compose():
        pytest.skip("there is no `docker compose` here")
    wanted = {service["image"] for service in _read(STANDINS)["services"].values()}
    try:
        with engine(10) as client:
            there = {tag for image in client.images.list() for tag in image.tags}
    except UserError as error:
        pytest.skip(str(error))
    if missing := sorted(wanted - there):
        pytest.skip(f"no image {', '.join(missing)} here, which tests/flows/compose-standins.yml names")


@dataclass(frozen=True)
class Team:
    """What `docker compose up` brings up from a folder, under a name and on ports of its own."""

    folder: Path
    settings: dict[str, str]

    @classmethod
    def from_folder(cls, folder: Path) -> "Team":
        """With a new .env, changed where the stand-ins want it: they have one key, and listen elsewhere."""
        subprocess.run([sys.executable, "-m", "flows.environment"], cwd=folder, check=True)
        path = folder / ".env"
        changes = {
            "COMPOSE_PROJECT_NAME": f"mintage-test-{secrets.token_hex(4)}",
            "MINTAGE_PREFECT_PORT": str(free_port()),
            "MINTAGE_S3_PORT": str(free_port()),
            "MINTAGE_S3_ENDPOINT": "http://s3:8000",
            "MINTAGE_S3_ACCESS_KEY": "test",
            "MINTAGE_S3_SECRET_KEY": "testing",
            **built_images(),
        }
        with path.open("a") as file:  # the last one counts
            file.writelines(f"{name}={value}\n" for name, value in changes.items())
        return cls(folder, {**environment_of(path), **changes})

    def compose(self, *arguments: str, code: int = 0, seconds: float = 600) -> str:
        """Everything that `docker compose` printed; it must end with `code`."""
        done = compose(self.folder, *FILES, *arguments, seconds=seconds)
        assert done.returncode == code, done.stdout + self.logs() * (arguments[0] == "up")
        return done.stdout

    def logs(self) -> str:
        return compose(self.folder, *FILES, "logs", "--no-color", "--tail", "50").stdout

    def start_run(self, *options: str) -> UUID:
        """Start the deployment by Prefect's command line in the worker's container; the id of its flow run."""
        command = ("exec", "-T", "worker", "prefect", "deployment", "run", "pipeline/nightly", *options)
        found = re.search(r"UUID: (\S+)", self.compose(*command))
        assert found is not None
        return UUID(found[1])

    def state_of(self, run: UUID) -> str:
        """The name of a flow run's state."""
        return str(self.ask(lambda client: client.read_flow_run(run)).state_name)

    def runs(self) -> list[FlowRun]:
        found: list[FlowRun] = self.ask(lambda client: client.read_flow_runs())
        return found

    def ask(self, question: Callable[[PrefectClient], Any]) -> Any:
        """Ask the server from this machine, by the port that it publishes."""

        async def answer() -> Any:
            url = f"http://127.0.0.1:{self.settings['MINTAGE_PREFECT_PORT']}/api"
            async with PrefectClient(url, auth_string=f"mintage:{self.settings['MINTAGE_PREFECT_PASSWORD']}") as client:
                return await question(client)

        return asyncio.run(answer())

    def read(self, key: str) -> bytes:
        """An object of the bucket, from this machine."""
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.settings['MINTAGE_S3_PORT']}",
            aws_access_key_id=self.settings["MINTAGE_S3_ACCESS_KEY"],
            aws_secret_access_key=self.settings["MINTAGE_S3_SECRET_KEY"],
            region_name="us-east-1",
            config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
        )
        return client.get_object(Bucket=self.settings["MINTAGE_S3_BUCKET"], Key=key)["Body"].read()

    def stage_containers(self) -> list[str]:
        """The names of the containers in which stages of this folder run."""
        with engine() as client:
            found = client.containers.list(filters={"label": f"mintage.workspace={self.folder}"})
            return [str(container.name) for container in found]


def compose(folder: Path, *arguments: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
    """`docker compose` in a folder, with none of this process's own settings for it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MINTAGE_", "COMPOSE_"))}
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=folder,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )


def configuration(folder: Path, *arguments: str) -> dict[str, Any]:
    """What Compose makes of the file in a folder."""
    done = compose(folder, *arguments, "config", "--format", "json")
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def environment_of(path: Path) -> dict[str, str]:
    """The settings in a .env."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _read(path: Path) -> Any:
    yaml = YAML()  # which keeps the tags of Compose, such as !override
    return yaml.load(path)
