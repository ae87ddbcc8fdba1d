"""The .env of docker-compose.yml: random secrets, for one user alone, never overwritten, and read back as written."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.environment import write_environment
from tests.flows.team import configuration, environment_of, has_compose
from tests.programs import python
from tests.refusals import refused

SECRETS = (
    "MINTAGE_PREFECT_PASSWORD",
    "MINTAGE_POSTGRES_PASSWORD",
    "MINTAGE_S3_ACCESS_KEY",
    "MINTAGE_S3_SECRET_KEY",
)


@pytest.fixture
def engine_socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield path


def test_only_its_owner_can_read_it(tmp_path: Path, engine_socket: Path) -> None:
    assert write_environment(tmp_path, engine_socket).stat().st_mode & 0o777 == 0o600


def test_it_names_the_caller_the_checkout_and_the_group_of_the_socket(tmp_path: Path, engine_socket: Path) -> None:
    found = environment_of(write_environment(tmp_path, engine_socket))
    assert found["MINTAGE_WORKSPACE"] == f"'{tmp_path}'"
    assert (found["MINTAGE_UID"], found["MINTAGE_GID"]) == (str(os.getuid()), str(os.getgid()))
    assert found["MINTAGE_DOCKER_GID"] == str(engine_socket.stat().st_gid)


def test_every_secret_is_another_one_each_time(tmp_path: Path, engine_socket: Path) -> None:
    secrets = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        found = environment_of(write_environment(tmp_path / name, engine_socket))
        secrets += [found[secret] for secret in SECRETS]
    assert len(set(secrets)) == len(secrets)
    assert min(map(len, secrets)) >= 20


@pytest.mark.tried(
    "`make up` with a `.env` of another's",
    ".../.env is there, and the volumes may know its passwords: edit it, or remove both",
)
def test_one_that_is_there_is_not_touched(tmp_path: Path, engine_socket: Path, read: Callable[[str], None]) -> None:
    (tmp_path / ".env").write_text("MINE=1\n")
    with refused("environment-exists") as refusal:
        write_environment(tmp_path, engine_socket)
    read(str(refusal.value))
    assert (tmp_path / ".env").read_text() == "MINE=1\n"


@pytest.mark.tried(
    "`make up` without Docker", "there is no Docker socket at ...: start Docker, or set DOCKER_HOST=unix://PATH"
)
def test_without_a_docker_socket_it_says_so_and_writes_nothing(tmp_path: Path, read: Callable[[str], None]) -> None:
    with refused("docker-socket-missing") as refusal:
        write_environment(tmp_path, tmp_path / "docker.sock")
    read(str(refusal.value))
    assert not (tmp_path / ".env").exists()


@pytest.mark.tried(
    "`make up` in a git worktree", "... is a git worktree, whose repository the worker would not see: use the checkout"
)
def test_a_worktree_whose_repository_lies_elsewhere_is_refused(
    tmp_path: Path, engine_socket: Path, read: Callable[[str], None]
) -> None:
    (tmp_path / ".git").write_text("gitdir: /elsewhere/.git/worktrees/here\n")
    with refused("worktree-not-supported") as refusal:
        write_environment(tmp_path, engine_socket)
    read(str(refusal.value))


@pytest.mark.tried(
    "`make up` with Docker on another machine",
    "error: DOCKER_HOST is tcp://example.org:2376: the worker needs an engine on this machine, with a socket",
)
def test_an_engine_on_another_machine_is_refused_in_one_sentence(tmp_path: Path, read: Callable[[str], None]) -> None:
    done = python("-m", "flows.environment", folder=tmp_path, DOCKER_HOST="tcp://example.org:2376")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    read(done.stderr)


@pytest.mark.skipif(not has_compose(), reason="there is no `docker compose` here to read the file with")
@pytest.mark.parametrize("name", ["plain", "with space", "it's $HOME #1"])
def test_compose_reads_the_path_as_it_is(tmp_path: Path, engine_socket: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    write_environment(tmp_path / name, engine_socket)
    (tmp_path / name / "compose.yml").write_text('services: {a: {image: b, working_dir: "${MINTAGE_WORKSPACE}"}}\n')
    read = configuration(tmp_path / name)["services"]["a"]["working_dir"]
    assert read.replace("$$", "$") == str(tmp_path / name)
