"""A store that is not there is an error to whoever would read from it; a name that is another's word is told ours."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mintage.nearest import like
from stages.releases.__main__ import parser
from stages.selection.metrics import METRICS, SELECTABLE
from tests.refusals import refused
from tests.stages.test_params import changed, refusal


@pytest.mark.tried(
    "`python -m stages.releases list` (show, verify, gc) of a folder that is not there",
    "there is no folder '.../nowhere': name another store, or publish there first",
)
@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["show", "latest"], ["verify", "latest"], ["gc"]])
def test_a_place_that_is_not_there_is_an_error_and_is_not_made(
    command: list[str], tmp_path: Path, read: Callable[[str], None]
) -> None:
    arguments = parser().parse_args([*command, "--url", f"file:{tmp_path / 'nowhere'}"])
    with refused("store-missing") as refusal:
        arguments.run(arguments)
    read(str(refusal.value))
    assert not list(tmp_path.iterdir())


def test_a_folder_without_releases_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = parser().parse_args(["list", "--url", f"file:{tmp_path}"])
    assert arguments.run(arguments) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [("fid", "frechet_distance"), ("KID", "kernel_distance"), ("inception_score", "classifier_score")],
)
def test_a_metric_by_another_name_is_told_the_one_that_is_meant(name: str, meant: str) -> None:
    assert like(name, list(METRICS)) == meant


@pytest.mark.tried(
    "`select.metric: fid`", "select.metric = 'fid': did you mean 'frechet_distance'? It is not one of ..."
)
def test_a_metric_that_is_no_metric_is_told_the_list_and_the_nearest_once(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    sentence = refusal(changed(tmp_path, "select.metric", "fid"))
    read(sentence)
    assert sentence.count("'kernel_distance'") == 1
    unlike = refusal(changed(tmp_path, "select.metric", "zzzzzz"))
    assert "known: " not in unlike
    assert unlike.count("'kernel_distance'") == 1


def test_a_metric_that_only_a_guard_can_name_is_not_told_to_whom_chooses_by_one(tmp_path: Path) -> None:
    guards_only = [name for name, metric in METRICS.items() if metric.guard_only]
    words = refusal(changed(tmp_path, "select.metric", "is"))  # the inception score, a classifier's here
    assert all(repr(name) in words for name in SELECTABLE)
    assert not any(repr(name) in words for name in guards_only)
    of_guards = refusal(changed(tmp_path, "select.guards", "[{metric: is, at_least: 1}]"))
    assert "did you mean 'classifier_score'?" in of_guards
    for wrong in ("[fid]", "{a: fid}", "1"):
        assert "select.metric = " in refusal(changed(tmp_path, "select.metric", wrong))
