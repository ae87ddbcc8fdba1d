"""The benchmark of the gallery: what it publishes is shown, and a build reads only what is new."""

import sys
from pathlib import Path

import pytest

from benchmarks import gallery as benchmark
from stages.releases.manifest import release_in
from stages.releases.publish import publish
from tests.stages.gallery_sites import Gallery


@pytest.mark.nightly
def test_a_first_build_one_without_changes_and_one_of_one_release_more_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Gallery(tmp_path).publish(curves=True)
    monkeypatch.setattr(sys, "argv", ["gallery", "--url", f"file:{tmp_path}/store", "--releases", "3", "--no-explorer"])
    monkeypatch.setattr(benchmark, "VISITS", 1)
    benchmark.main()
    builds, index = capsys.readouterr().out.split("\n\n")
    rows = [line[2:-2].split(" | ") for line in builds.splitlines()[2:]]
    assert [row[0] for row in rows] == ["3 new releases", "the same", "one more"]
    assert [int(row[4]) for row in rows] == [4 + 1 + 3 * 3, 4 + 1 + 3 * 3, 4 + 1 + 4 * 3]  # pages, mark; of releases
    first, same, _ = (float(row[1]) for row in rows)
    assert first > same > 0
    told = [line for line in index.splitlines() if line.startswith("| opened")]
    assert told or "no Chromium" in index


def test_copies_differ_in_family_data_verdict_and_figures(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    original = gallery.publish()
    for files in benchmark.copied(release_in(gallery.store, original), 4):
        publish(gallery.store, files)
    gallery.build()
    cards = [given for tag, given in gallery.page().found if tag == "li" and given.get("data-family")]
    assert len(cards) == 6
    for fact, many in (("data-family", 5), ("data-data", 6), ("data-level", 3), ("data-figures", 5)):
        assert len({card[fact] for card in cards}) >= many, fact
