"""Stores of every kind: a folder, moto, and a real server where the environment names one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.stores import open_store
from tests.stages.release_trees import make_tree
from tests.stages.s3_servers import SERVERS, Server, bucket_of, named_server
from tests.stages.shared_store import Shared


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
