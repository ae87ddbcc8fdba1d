"""The real pipeline with and without containers: the same bits, and each a cache hit for the other."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from ruamel.yaml import YAML

from tests.flows.docker_engine import built_images, containers, need_engine
from tests.flows.forked import ForkedFlow
from tests.flows.project import QUICK, container_variables, in_containers, make_project
from tests.flows.toy import locked, make_workspace, marked_processes, start_flow, until
from tests.stages.s3_servers import moto_server
from tests.test_pipeline import ALL, commit, run, set_params, stages_run

need_engine()
pytestmark = [pytest.mark.docker, pytest.mark.slow]

SAYS_WHEN = {"models/selected", "reports/index.html", "reports/report.json", "published.json"}
"""Outputs that hold provenance, which says seconds and versions: they differ between any two runs."""
LONG = ("train.seed=7", "train.images=30000", "train.checkpoint_every=10000", "train.resume_every=0.5")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project at one commit, run without containers."""
    built_images()
    folder = make_project(tmp_path_factory.mktemp("runs") / "outside", *QUICK)
    assert sorted(stages_run(run(folder, "dvc", "repro"))) == sorted(ALL)
    return folder


@pytest.fixture(scope="module")
def inside(outside: Path) -> Path:
    """The same commit, run in containers."""
    folder = outside.parent / "inside"
    run(outside, "git", "clone", "-q", ".", str(folder))
    assert sorted(stages_run(in_containers(folder, "dvc", "repro"))) == sorted(ALL)
    return folder


def hashes(project: Path) -> dict[str, str]:
    """Every output's hash, as DVC recorded it."""
    return {out["path"]: out["md5"] for stage in locked(project).values() for out in stage["outs"]}


def without_times(provenance: Any) -> Any:
    """What made an output, without how long it took and by which Python."""
    if isinstance(provenance, dict):
        varying = {"seconds", "images_per_second", "machine", "packages"}
        return {name: without_times(value) for name, value in provenance.items() if name not in varying}
    return provenance


def test_outputs_are_the_same_hash_for_hash(outside: Path, inside: Path) -> None:
    ours, theirs = hashes(outside), hashes(inside)
    assert ours.keys() == theirs.keys()
    differing = {path for path in ours if ours[path] != theirs[path]}
    assert {path for path in differing if not path.startswith("provenance/")} <= SAYS_WHEN
    assert len(ours.keys() - differing) >= 17


def test_what_made_the_report_is_the_same_but_for_its_times(outside: Path, inside: Path) -> None:
    ours, theirs = (json.loads((project / "reports/report.json").read_text()) for project in (outside, inside))
    assert without_times(ours) == without_times(theirs)


def test_the_selected_model_is_the_same_file_by_file_but_for_its_times(outside: Path, inside: Path) -> None:
    names = sorted(path.name for path in (outside / "models/selected").iterdir())
    assert names == sorted(path.name for path in (inside / "models/selected").iterdir())
    for name in names:
        ours, theirs = ((project / "models/selected" / name).read_bytes() for project in (outside, inside))
        if name == "provenance.json":
            ours, theirs = without_times(json.loads(ours)), without_times(json.loads(theirs))
        assert ours == theirs, name


@pytest.mark.parametrize("stage", [name for name in ALL if name not in ("identity", "report", "upload")])
def test_provenance_differs_in_times_and_versions_alone(outside: Path, inside: Path, stage: str) -> None:
    ours, theirs = (json.loads((project / f"provenance/{stage}.json").read_text()) for project in (outside, inside))
    assert without_times(ours) == without_times(theirs)
    assert ours["git"]["commit"] == run(outside, "git", "rev-parse", "HEAD").strip()
    used = {name: version for name, version in ours["packages"].items() if name in theirs["packages"]}
    assert theirs["packages"] == used, "an image has other versions than the environment outside"


def test_a_run_made_one_way_is_up_to_date_the_other_way(outside: Path, inside: Path) -> None:
    assert stages_run(run(inside, "dvc", "repro")) == []
    assert stages_run(in_containers(outside, "dvc", "repro")) == []


def test_an_earlier_result_made_in_a_container_is_a_cache_hit_without_one(inside: Path) -> None:
    before = hashes(inside)["samples"]
    set_params(inside, "sample.count=60")
    assert stages_run(run(inside, "dvc", "repro", "-s", "sample")) == ["sample"]
    assert hashes(inside)["samples"] != before
    set_params(inside, "sample.count=50")
    assert "'sample' is cached - skipping run" in run(inside, "dvc", "repro", "-s", "sample")
    assert hashes(inside)["samples"] == before


def test_a_release_goes_from_a_container_to_an_object_store(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTAGE_NETWORK", "host")  # the store listens on this machine's loopback
    with moto_server("a-key", "a-secret") as store:
        url = f"http://{store.host}:{store.port}"
        variables = {"ENDPOINT_URL": url, "ACCESS_KEY_ID": store.key, "SECRET_ACCESS_KEY": store.secret}
        for name, value in {**variables, "DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="releases")
        set_params(inside, "upload.url=s3://releases/toy")
        output = in_containers(inside, "dvc", "repro", "-s", "upload")
        keys = {entry["Key"] for entry in client.list_objects_v2(Bucket="releases")["Contents"]}
    set_params(inside, "upload.url=file:published")
    assert "a-secret" not in output
    release = json.loads((inside / "published.json").read_text())["release"]
    assert {"toy/channels/latest.json", f"toy/releases/{release}/generator.safetensors"} <= keys


def test_an_experiment_in_a_copy_of_the_workspace_runs_on_the_copy(inside: Path) -> None:
    commit(inside, "the run")
    before = hashes(inside)
    output = in_containers(inside, "dvc", "exp", "run", "--temp", "--name", "more", "-S", "sample.count=70")
    assert "sample" in stages_run(output)
    assert hashes(inside) == before
    (reference,) = run(inside, "git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/more").split()
    lock = YAML(typ="safe").load(run(inside, "git", "show", f"{reference}:dvc.lock"))
    made = {out["path"]: out["md5"] for out in lock["stages"]["sample"]["outs"]}
    assert made["samples"] != before["samples"], "the container saw the params of the workspace, not the copy's"


def test_a_training_stopped_in_a_container_goes_on_without_one_to_the_same_bits(outside: Path, inside: Path) -> None:
    for project in (outside, inside):
        set_params(project, *LONG)
    run(outside, "dvc", "repro", "-s", "train")
    environment = {**os.environ, **container_variables(inside), "MINTAGE_PYTHON": sys.executable, "MINTAGE_RUN": "stop"}
    command = [sys.executable, "-m", "dvc", "repro", "-s", "train"]
    training = subprocess.Popen(command, cwd=inside, env=environment, start_new_session=True)
    until(lambda: list(inside.glob(".resume/*/rolling/*.safetensors")))
    os.killpg(training.pid, signal.SIGTERM)
    assert training.wait(timeout=300) != 0
    until(lambda: containers("mintage.run=stop") == [], seconds=10)
    assert "going on from" in run(inside, "dvc", "repro", "-s", "train")
    assert hashes(inside)["models/checkpoints"] == hashes(outside)["models/checkpoints"]


@pytest.fixture
def sleeping(tmp_path: Path) -> Path:
    """A workspace whose only stage, once `go` is there, is done at once; before, it sleeps in its container."""
    command = "echo begun > begun; test -e go || sleep 600; echo done > out.txt"
    stage = {"cmd": command, "outs": ["out.txt"], "meta": {"image": "data"}}
    return make_workspace(tmp_path / "toy", {"only": stage})


def start_in_containers(workspace: Path, server: str) -> ForkedFlow:
    return start_flow(workspace, server=server, MINTAGE_RUNNER="docker", **built_images())


def begun(workspace: Path) -> bool:
    return (workspace / "begun").exists() and len(containers(f"mintage.workspace={workspace}")) == 1


def test_a_flow_that_is_told_to_stop_ends_its_container(sleeping: Path, server: str) -> None:
    flow = start_in_containers(sleeping, server)
    until(lambda: begun(sleeping))
    flow.send_signal(signal.SIGTERM)
    flow.communicate(timeout=300)
    assert flow.returncode != 0
    assert containers(f"mintage.workspace={sleeping}") == []


def test_the_container_of_a_flow_killed_with_9_is_ended_by_the_next_run(sleeping: Path, server: str) -> None:
    flow = start_in_containers(sleeping, server)
    until(lambda: begun(sleeping))
    for process in marked_processes(sleeping):  # its client too: the container is on its own now
        process.kill()
    flow.kill()
    flow.communicate()
    assert begun(sleeping)
    (sleeping / "go").touch()
    flow = start_in_containers(sleeping, server)
    output, _ = flow.communicate(timeout=300)
    assert flow.returncode == 0, output
    assert "ended what a killed run had left" in output
    assert (sleeping / "out.txt").read_text() == "done\n"
    assert containers(f"mintage.workspace={sleeping}") == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DOCKER_HOST": "unix:///nonexistent"}, "no Docker engine answers at unix:///nonexistent"),
        ({"MINTAGE_IMAGE_TAG": "none"}, "image mintage/data:none is missing: build it with `make images`"),
    ],
)
def test_a_flow_says_before_it_starts_that_there_is_no_engine_or_image(
    sleeping: Path, server: str, variables: dict[str, str], said: str
) -> None:
    named = {**built_images(), "MINTAGE_RUNNER": "docker", **variables}
    output, _ = (flow := start_flow(sleeping, server=server, **named)).communicate(timeout=300)
    assert flow.returncode == 2
    assert said in output
    assert "Traceback" not in output
    assert not (sleeping / "begun").exists()
