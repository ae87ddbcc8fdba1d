"""The flow that builds galleries: the stores, Prefect and the command are real."""

from pathlib import Path

import pytest

from flows import gallery
from flows.pipeline import results_of, run_here
from tests.flows.test_flow import seen_by_the_server
from tests.flows.toy import ROOT, until
from tests.refusals import refused
from tests.stages.gallery_sites import Gallery


@pytest.mark.usefixtures("server")
def test_each_store_gets_its_site_and_one_that_is_missing_keeps_no_other_back(tmp_path: Path) -> None:
    made = Gallery(tmp_path)
    release = made.publish()
    missing, out = f"file:{tmp_path}/missing", tmp_path / "sites"
    state = run_here(gallery.gallery, urls=[made.store.url, missing], out=str(out), title="Ours", workspace=str(ROOT))
    assert state.is_failed()
    assert str(state.message).startswith(f"{missing}: ")
    assert results_of(state)["exit_code"] == 2
    site = gallery.folders_of([made.store.url, missing], str(out))[made.store.url]
    assert (site / f"releases/{release}/index.html").is_file()
    assert "<title>Ours" in (site / "index.html").read_text()
    names, artifacts, _ = seen_by_the_server(state)
    assert names == {made.store.url: "Completed", missing: "Failed"}
    assert f"{made.store.url}: gallery: 1 release (1 read and written, 0 removed)" in artifacts["gallery"]
    until(lambda: any("gallery: 1 release" in line for line in seen_by_the_server(state)[2]), 60)  # logs come later


def test_stores_whose_sites_would_lie_in_one_folder_are_refused() -> None:
    assert gallery.folders_of(["s3://one/a", "s3://two/a"], "out") == {
        "s3://one/a": Path("out/one-a"),
        "s3://two/a": Path("out/two-a"),
    }
    assert gallery.folders_of(["published", "file:/srv/b"], "out") == {
        "published": Path("out/published"),
        "file:/srv/b": Path("out/srv-b"),
    }
    assert gallery.folders_of([], "out") == {None: Path("out")}
    with refused("galleries-alike"):
        gallery.folders_of(["s3://one/a", "s3://one/a/"], "out")


def test_stores_that_are_not_there_are_refused_before_a_server_is_waited_for(tmp_path: Path) -> None:
    gallery.check_request(tmp_path, ["file:missing", "s3://bucket/prefix"], "out")
    with refused("store-missing", "file:missing: there is no such folder"):
        gallery.check_request(tmp_path, ["file:missing", "file:gone"], "out")
    (tmp_path / "gone").mkdir()
    gallery.check_request(tmp_path, ["file:missing", "file:gone"], "out")
    with refused("params-missing"):
        gallery.check_request(tmp_path, [], "out")
    with refused("store-kind-unknown", "'ftp://nix'", "file:FOLDER or s3://BUCKET/PREFIX"):
        gallery.check_request(tmp_path, ["ftp://nix"], "out")
