"""Stores of every kind: a folder, moto, and a real server where the environment names one; a run to select from."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mintage
from mintage import Model
from stages.common.files import read_json
from stages.common.split import Split
from stages.stores import open_store
from tests.shared import made_once
from tests.stages.forked import run_stage_in
from tests.stages.hosts import connected
from tests.stages.release_trees import make_tree
from tests.stages.s3_servers import SERVERS, Server, bucket_of, named_server
from tests.stages.shared_store import Shared
from tests.stages.whole_pipeline import copy_untrained, run_pipeline


@pytest.fixture(scope="module", params=["folder", *SERVERS])
def release_server(request: pytest.FixtureRequest) -> Iterator[Server | None]:
    if request.param == "folder":
        yield None
        return
    with named_server(request.param) as found:
        yield found


@pytest.fixture
def shared(
    release_server: Server | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shared]:
    tree = make_tree(tmp_path / "tree")
    monkeypatch.chdir(tree)
    monkeypatch.setattr(sys, "argv", sys.argv)
    if release_server is None:
        yield Shared(open_store(f"file:{tmp_path}/store"), tree, capsys)
        return
    with bucket_of(release_server, monkeypatch) as (_, bucket):
        yield Shared(open_store(f"s3://{bucket}/team"), tree, capsys)


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """Two hosts: `tests.stages.hosts`."""
    with connected():
        yield


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`write_run` of ten classes: to be read, or copied."""
    from tests.stages.tiny_models import write_run

    return made_once(tmp_path_factory, "digits_run", write_run)


@pytest.fixture(scope="session")
def digits_selected(tmp_path_factory: pytest.TempPathFactory, digits_run: Path) -> Path:
    """The same, after the stage `select` as DVC runs it: to be read, or copied."""

    def selected(folder: Path) -> None:
        shutil.copytree(digits_run, folder)
        run_stage_in(folder, "select")

    return made_once(tmp_path_factory, "digits_selected", selected)


@pytest.fixture(scope="module")
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipeline of the module's `PARAMS`, through every stage; a module that needs more has its own."""
    return run_pipeline(tmp_path_factory.mktemp("finished"), request.module.PARAMS)


@pytest.fixture(scope="module")
def holdout(finished: Path) -> Split:
    """What that pipeline held out."""
    return Split(finished / "data/normalized/holdout")


@pytest.fixture
def ready(finished: Path, tmp_path: Path) -> Path:
    """As it is before anything is trained."""
    return copy_untrained(finished, tmp_path)


@pytest.fixture
def selected(finished: Path) -> Model:
    return mintage.load(finished / "models/selected")


@pytest.fixture
def published(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("MINTAGE_CACHE", str(finished / "cache"))
    return mintage.load(finished / "published/channels/latest")


@pytest.fixture(scope="module")
def selection(finished: Path) -> dict[str, Any]:
    """What `select` wrote in it."""
    found: dict[str, Any] = read_json(finished / "metrics/selection.json")
    return found
