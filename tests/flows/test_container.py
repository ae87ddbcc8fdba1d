"""Stages in containers, by a real engine: what a container may do, how it ends, and what is told where it cannot be."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.container import check_engine, end_containers, engine
from flows.graph import Stage
from flows.sandbox import image_name, settings
from stages.common.dvc_file import Meta
from stages.common.errors import TRY_AGAIN
from stages.common.provenance import git_state
from tests.flows.docker_engine import IN_CONTAINER, as_stage, built_images, containers, need_engine, stage_environment
from tests.flows.toy import make_workspace, until, write_stages
from tests.programs import git
from tests.refusals import refused

need_engine()
pytestmark = [pytest.mark.docker, pytest.mark.slow]

TALKS = {"meta": {"image": "data", "network": True}}
ALONE = {"meta": {"image": "data", "cpus": 1, "memory": "64m"}}
PROXY = """
import asyncio, sys

async def copy(reader, writer):
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()

async def serve(reader, writer):
    engine_reader, engine_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
    await asyncio.gather(copy(reader, engine_writer), copy(engine_reader, writer), return_exceptions=True)

async def main():
    await (await asyncio.start_unix_server(serve, sys.argv[1])).serve_forever()

asyncio.run(main())
"""
"""Stands between a client and the engine, and can be killed."""
STAGES = {"quiet": ALONE, "ingest": TALKS, "upload": TALKS}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """Stages that a test runs by hand, with a command of its own; no container outlives the test."""
    built_images()
    folder = make_workspace(tmp_path / "toy", {name: {"cmd": "true", **entry} for name, entry in STAGES.items()})
    yield folder
    with engine() as client:
        for left in client.containers.list(all=True, filters={"label": f"mintage.workspace={folder}"}):
            left.remove(force=True)


def set_param(workspace: Path, before: str, after: str) -> None:
    text = (workspace / "params.yaml").read_text()
    assert text.count(before) == 1
    (workspace / "params.yaml").write_text(text.replace(before, after))


def start_sleeper(workspace: Path, **variables: str) -> "subprocess.Popen[bytes]":
    """A stage in a container that goes on until it is ended, once it is really running."""
    command = [str(IN_CONTAINER), "-c", "echo begun > begun.txt; sleep 600"]
    environment = stage_environment("quiet", **variables)
    process = subprocess.Popen(command, cwd=workspace, env=environment, start_new_session=True)
    until((workspace / "begun.txt").exists)
    return process


def test_output_comes_as_it_is_written_and_the_exit_code_with_it(workspace: Path) -> None:
    done = as_stage(workspace, "quiet", r"printf 'bar 1\rbar 2\r' >&2; echo result; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == ("result\n", "bar 1\rbar 2\r", 7)
    environment = stage_environment("quiet")
    command = [
        str(IN_CONTAINER),
        "-c",
        "echo first; while ! test -e seen; do sleep 0.1; done; echo last",
    ]
    with subprocess.Popen(command, cwd=workspace, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        (workspace / "seen").touch()  # the stage waits for it: its first line came while it ran
        assert process.stdout.read() == "last\n"


def test_what_a_stage_writes_is_the_caller_s_and_in_the_workspace_alone(workspace: Path) -> None:
    done = as_stage(workspace, "quiet", "id -u; id -g; pwd; touch made /tmp/scratch && touch /opt/escaped")
    assert done.stdout.split() == [str(os.getuid()), str(os.getgid()), str(workspace)]
    assert (workspace / "made").stat().st_uid == os.getuid()
    assert "Read-only file system" in done.stderr
    assert done.returncode != 0
    privileges = as_stage(workspace, "quiet", "grep -E 'CapEff|NoNewPrivs' /proc/self/status").stdout.split()
    assert privileges == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"]


def test_passwords_of_compose_and_of_dvc_s_remote_are_empty_inside(workspace: Path) -> None:
    (workspace / ".env").write_text("SECRET=1")
    remote = "['remote \"r\"']\n    url = s3://bucket\n    secret_access_key = x\n"
    (workspace / ".dvc" / "config.local").write_text(remote)
    done = as_stage(workspace, "quiet", "cat .env .dvc/config.local; wc -c < .dvc/config.local")
    assert (done.stdout, done.returncode) == ("0\n", 0), done.stderr
    assert (workspace / ".env").read_text() == "SECRET=1"


def test_network_and_keys_are_for_stages_that_need_them(workspace: Path) -> None:
    look = "wc -l < /proc/net/route; echo key=$AWS_SECRET_ACCESS_KEY proxy=$https_proxy threads=$OMP_NUM_THREADS $MORE"
    given = {"AWS_SECRET_ACCESS_KEY": "s3cret", "https_proxy": "p", "OMP_NUM_THREADS": "1", "MORE": "more"}
    routes, *lines = as_stage(workspace, "quiet", look, **given).stdout.split()
    assert (int(routes), lines) == (1, ["key=", "proxy=", "threads=1"])  # the first line is the table's head
    routes, *lines = as_stage(workspace, "upload", look, **given).stdout.split()
    assert int(routes) > 1
    assert lines == ["key=s3cret", "proxy=p", "threads=1"]


@pytest.mark.parametrize("stage", ["many@two", "inner/dvc.yaml:other"])
def test_stages_made_by_a_foreach_and_of_another_dvc_yaml_are_found(workspace: Path, stage: str) -> None:
    make_workspace(workspace / "inner", {"other": {"cmd": "true", **ALONE}})
    write_stages(workspace, {"many": {"foreach": ["one", "two"], "do": {"cmd": "true", **ALONE}}})
    shutil.rmtree(workspace / "inner/.dvc")
    assert as_stage(workspace, stage, "echo $DVC_STAGE").stdout.strip() == stage


def test_memory_and_processors_are_limited_as_meta_says(workspace: Path) -> None:
    process = start_sleeper(workspace, MINTAGE_RUN="limits")
    with engine() as client:
        (found,) = client.containers.list(filters={"label": "mintage.run=limits"})
        limits = found.attrs["HostConfig"]
    assert (limits["NanoCpus"], limits["Memory"], limits["MemorySwap"]) == (10**9, 64 * 2**20, 64 * 2**20)
    process.terminate()
    process.wait()
    hungry = as_stage(workspace, "quiet", "python -c 'bytearray(200_000_000)'")
    assert hungry.returncode == 2
    assert "error: stage 'quiet' needs more memory than its meta in dvc.yaml allows (64m): raise it" in hungry.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_container_and_then_the_client(workspace: Path, sign: signal.Signals) -> None:
    process = start_sleeper(workspace, MINTAGE_RUN=f"ended-{sign.name}")
    assert len(containers(f"mintage.run=ended-{sign.name}")) == 1
    process.send_signal(sign)
    assert process.wait(timeout=300) == 128 + sign
    assert containers(f"mintage.run=ended-{sign.name}") == []


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8])
def test_a_signal_at_any_moment_of_the_start_leaves_no_container(workspace: Path, delay: float) -> None:
    environment = stage_environment("quiet", MINTAGE_RUN=f"early-{delay}")
    process = subprocess.Popen([str(IN_CONTAINER), "-c", "sleep 600"], cwd=workspace, env=environment)
    time.sleep(delay)
    process.terminate()
    assert process.wait(timeout=300) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert containers(f"mintage.run=early-{delay}") == []


def test_what_a_killed_run_left_is_ended_and_only_that(workspace: Path, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "other", {"quiet": {"cmd": "true", **ALONE}})
    killed, living = start_sleeper(workspace, MINTAGE_RUN="killed"), start_sleeper(other, MINTAGE_RUN="living")
    killed.kill()
    killed.wait()
    (left,) = containers("mintage.run=killed")  # nobody was there to end it
    assert end_containers("killed", stage="another") == []
    assert end_containers("") == []
    assert end_containers("killed") == [left]
    assert containers("mintage.run=killed") == []
    assert len(containers("mintage.run=living")) == 1
    living.terminate()
    assert living.wait() == 128 + signal.SIGTERM


def test_a_stage_never_runs_twice_at_once_in_a_workspace(workspace: Path) -> None:
    first = start_sleeper(workspace, MINTAGE_RUN="first")
    second = as_stage(workspace, "quiet", "echo ran", MINTAGE_RUN="second")
    assert (second.returncode, second.stdout) == (2, "")
    assert "is already running this stage in this workspace: wait for it, or `docker rm -f mintage-" in second.stderr
    first.kill()  # a retry of the same run takes the place of what the try before left
    assert as_stage(workspace, "quiet", "echo ran", MINTAGE_RUN="first").stdout == "ran\n"


def test_an_engine_that_goes_away_while_a_stage_runs_is_a_failure_that_can_heal(
    workspace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "engine.sock"
    proxy = subprocess.Popen([sys.executable, "-c", PROXY, str(path)])
    until(path.exists)
    environment = stage_environment("quiet", DOCKER_HOST=f"unix://{path}")
    command = [str(IN_CONTAINER), "-c", "touch begun.txt; sleep 600"]
    stage = subprocess.Popen(command, cwd=workspace, env=environment, stderr=subprocess.PIPE, text=True)
    until((workspace / "begun.txt").exists)
    proxy.kill()
    _, said = stage.communicate(timeout=300)
    assert stage.returncode == TRY_AGAIN
    assert re.fullmatch(r"error: the container of stage 'quiet' is lost: [A-Z][a-z ]+\n", said)


def test_a_container_that_ended_after_its_client_was_killed_is_no_hindrance(workspace: Path) -> None:
    process = start_sleeper(workspace, MINTAGE_RUN="gone")
    process.kill()
    with engine() as client:
        (left,) = client.containers.list(filters={"label": "mintage.run=gone"})
        left.stop(timeout=0)
    assert as_stage(workspace, "quiet", "echo ran").stdout == "ran\n"


def test_without_an_engine_dvc_says_so_in_a_sentence(workspace: Path) -> None:
    none = {"DOCKER_HOST": "unix:///nonexistent"}
    done = as_stage(workspace, "quiet", "true", **none)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert (
        "error: no Docker engine answers at unix:///nonexistent (No such file or directory): start one" in done.stderr
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*next(iter(none.items())))
        assert end_containers("any") == []
        with refused("docker-unreachable", "unix:///nonexistent"):
            check_engine([])


def test_a_missing_image_is_named_with_the_command_that_makes_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = as_stage(workspace, "quiet", "true", MINTAGE_IMAGE_TAG="none")
    assert (done.returncode, done.stderr) == (
        2,
        "error: image mintage/data:none is missing: build it with `make images`\n",
    )
    stages = [Stage(name, (), Meta(image=group)) for name, group in (("a", "data"), ("b", "train"), ("c", "data"))]
    for name, value in built_images().items():
        monkeypatch.setenv(name, value)
    check_engine(stages)
    monkeypatch.setenv("MINTAGE_IMAGE_TAG", "none")
    with refused("container-image-missing", "mintage/data:none, mintage/train:none"):
        check_engine(stages)


@pytest.mark.parametrize(
    ("meta", "variables", "said"),
    [
        ({"image": "data", "memory": "lots"}, {}, "specified value for memory (lots)"),
        (
            {"image": "data", "network": True},
            {"MINTAGE_NETWORK": "no-such-network"},
            "network no-such-network not found",
        ),
    ],
)
def test_what_the_engine_refuses_is_said_in_its_words(
    workspace: Path, meta: dict[str, Any], variables: dict[str, str], said: str
) -> None:
    folder = make_workspace(workspace / "inner", {"odd": {"cmd": "true", "meta": meta}})
    done = as_stage(folder, "odd", "true", **variables)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: the engine refuses a container for stage 'odd': ")
    assert said in done.stderr


def test_a_gpu_is_asked_for_where_meta_and_the_environment_say_so(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    with_gpu, without = Meta(image="train", gpu=True), Meta(image="data")
    for name in ("MINTAGE_CUDA", "MINTAGE_IMAGE_PREFIX", "MINTAGE_IMAGE_TAG"):
        monkeypatch.delenv(name, raising=False)
    assert settings("a", with_gpu, workspace, cores=2)["device_requests"] is None
    monkeypatch.setenv("MINTAGE_CUDA", "1")
    (request,) = settings("a", with_gpu, workspace, cores=2)["device_requests"]
    assert (request["Count"], request["Capabilities"]) == (-1, [["gpu"]])
    assert settings("a", without, workspace, cores=2)["device_requests"] is None
    assert (image_name(with_gpu), image_name(without)) == ("mintage/train-cuda:latest", "mintage/data:latest")


def test_images_outside_of_the_workspace_can_be_read_and_not_changed(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "cats").mkdir(parents=True)
    (tmp_path / "elsewhere" / "cats" / "one.png").write_text("a cat")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cats").symlink_to(tmp_path / "elsewhere" / "cats")
    set_param(workspace, "path: data/source ", f"path: {tmp_path}/images ")
    done = as_stage(workspace, "ingest", f"cat {tmp_path}/images/cats/one.png; touch {tmp_path}/images/new")
    assert done.stdout == "a cat"
    assert "Read-only file system" in done.stderr
    assert "No such file" in as_stage(workspace, "quiet", f"ls {tmp_path}/images").stderr, "for ingest alone"


@pytest.mark.parametrize("named", ["{}/home/new/store", "~/new/store", "../home/new/store"])
def test_a_store_outside_of_the_workspace_is_the_same_folder_inside(
    workspace: Path, tmp_path: Path, named: str
) -> None:
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("[default]\n")
    folder = named.format(tmp_path)
    set_param(workspace, "url: file:published ", f"url: file:{folder} ")
    done = as_stage(workspace, "upload", f"echo kept > {folder}/release; cat ~/.aws/credentials", HOME=str(home))
    assert (done.stdout, done.stderr) == ("[default]\n", "")
    assert (home / "new/store/release").read_text() == "kept\n"


def test_files_that_are_links_into_a_cache_elsewhere_can_be_read(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "abc").write_text("cached")
    (workspace / "out.txt").symlink_to(tmp_path / "cache" / "abc")
    assert as_stage(workspace, "quiet", "cat out.txt").returncode != 0
    config = workspace / ".dvc" / "config"
    config.write_text(config.read_text() + f"[cache]\n    dir = {tmp_path}/cache\n    type = symlink\n")
    assert as_stage(workspace, "quiet", "cat out.txt").stdout == "cached"


def test_what_git_says_outside_and_the_image_are_what_a_stage_records_inside(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(workspace, "init", "-q")
    git(workspace, "commit", "-q", "--allow-empty", "-m", "one")
    monkeypatch.chdir(workspace)
    (workspace / "stages").mkdir(exist_ok=True)
    (workspace / "stages/new.py").touch()
    outside = git_state()
    assert (len(outside["commit"]), outside["clean"]) == (40, False)
    said = as_stage(workspace, "quiet", 'echo "$MINTAGE_GIT"').stdout
    image = as_stage(workspace, "quiet", 'echo "$MINTAGE_IMAGE"').stdout
    assert re.fullmatch(r"mintage/data:\S+@sha256:[0-9a-f]{64}\n", image)
    monkeypatch.chdir("/")  # where git knows nothing
    monkeypatch.setenv("MINTAGE_GIT", said)
    assert git_state() == outside
