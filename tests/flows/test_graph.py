"""The graph that flows read from DVC, and its picture."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

from flows.drawing import COLORS, drawing
from flows.graph import load_graph, unchanged, with_upstream
from flows.stage import StageResult
from tests.flows.toy import ROOT, chain, make_workspace, write_stages
from tests.refusals import refused


def test_the_project_s_own_graph_is_that_of_dvc_yaml() -> None:
    listed = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    graph = load_graph(ROOT)
    assert set(graph) == set(listed)
    assert set(graph["select"].upstream) == {"identity", "train", "evaluator", "normalize"}
    assert graph["train"].plots == ("metrics/train.tsv", "plots/training")
    assert graph["select"].metrics == ("metrics/selection.json",)
    assert {name: graph[name].meta.retries for name in listed} == {n: s["meta"]["retries"] for n, s in listed.items()}
    done: set[str] = set()
    for name, stage in graph.items():
        assert set(stage.upstream) <= done, f"{name} comes before what it needs"
        done.add(name)


def test_stages_of_a_loop_and_of_a_folder_within_have_the_names_that_dvc_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = {"each": {"foreach": ["a", "b"], "do": {"cmd": "touch ${item}.txt", "outs": ["${item}.txt"]}}}
    workspace = make_workspace(tmp_path / "toy", stages)
    (workspace / "more").mkdir()
    (workspace / "more" / "dvc.yaml").write_text("stages:\n  join:\n    cmd: cat ../a.txt\n    deps: [../a.txt]\n")
    monkeypatch.chdir(tmp_path)  # names do not depend on where one stands
    graph = load_graph(workspace)
    assert {name: stage.upstream for name, stage in graph.items()} == {
        "each@a": (),
        "each@b": (),
        "more/dvc.yaml:join": ("each@a",),
    }
    assert not unchanged(workspace, "more/dvc.yaml:join")
    assert list(with_upstream(graph, ["more/dvc.yaml:join"])) == ["each@a", "more/dvc.yaml:join"]


@pytest.mark.parametrize(
    ("key", "value", "code", "sentence"),
    [
        (
            "meta",
            {"timeout": "soon"},
            "stage-meta-invalid",
            "line 13: stages.first.meta.timeout = 'soon' is refused: it must be a ",
        ),
        (
            "meta",
            {"retries": -1},
            "stage-meta-invalid",
            "line 13: stages.first.meta.retries = -1 is refused: it must be at least",
        ),
        (
            "meta",
            {"retrys": 3, "owner": "us"},
            "stage-meta-invalid",
            "line 13: stages.first.meta.retrys = 3 is not a known key: did you mean 'retries'?",
        ),
        ("meta", "fast", "stage-meta-invalid", "line 12: stages.first.meta = 'fast' is refused: it must be a mapping"),
        (
            "param",
            ["train"],
            "stage-invalid",
            "line 12: stages.first.param = [...] is not a known key: did you mean 'params'?",
        ),
        ("outs", "first.txt", "stage-invalid", "line 8: stages.first.outs = 'first.txt' is refused: it must be a list"),
        ("cmd", None, "stage-invalid", "line 7: stages.first.cmd: None is none of a command and a list of commands"),
    ],
)
def test_a_stage_that_cannot_be_meant_is_named_with_the_line_of_its_mistake(
    tmp_path: Path, key: str, value: object, code: str, sentence: str
) -> None:
    stages = chain("zeroth", "first")
    stages["first"][key] = value
    with refused(code, f"dvc.yaml, {sentence}"):
        load_graph(make_workspace(tmp_path / "toy", stages))


@pytest.mark.tried(
    "two stages of dvc.yaml with one output",
    "dvc.yaml, line 9: stages 'zeroth' and 'first' both write zeroth.txt: give each an output of its own",
)
def test_two_stages_of_one_output_are_named_with_its_line(tmp_path: Path, read: Callable[[str], None]) -> None:
    stages = chain("zeroth", "first")
    stages["first"]["outs"] = ["zeroth.txt"]
    with refused("outputs-overlap") as refusal:
        load_graph(make_workspace(tmp_path / "toy", stages))
    read(str(refusal.value))
    stages["zeroth"] |= {"wdir": "data", "outs": [{"some/": {"cache": False}}]}
    stages["first"]["metrics"] = ["data/some/more.json"]
    write_stages(tmp_path / "toy", stages)
    within = "line 15: stages 'zeroth' and 'first' write data/some and data/some/more.json, one of which is in"
    with refused("outputs-overlap", within):
        load_graph(tmp_path / "toy")


def test_a_param_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    stages = chain("zeroth", "first")
    stages["first"]["deps"].append("${ingest.pth}")
    with refused("stage-param-unknown", "line 12: params.yaml has no key 'ingest.pth': did you mean 'ingest.path'?"):
        load_graph(make_workspace(tmp_path / "toy", stages))


def test_stages_that_need_each_other_are_named(tmp_path: Path) -> None:
    stages = chain("zeroth", "first")
    stages["zeroth"]["deps"] = ["./first.txt"]
    with refused("stages-circular", "zeroth -> first -> zeroth each stage needs what the one before makes"):
        load_graph(make_workspace(tmp_path / "toy", stages))


@pytest.mark.tried(
    "a dvc.yaml with a tab",
    "dvc.yaml is not valid YAML, line 2: found character '\\t' that cannot start any token: mend it",
)
def test_a_dvc_yaml_that_is_not_yaml_is_told_with_the_line(tmp_path: Path, read: Callable[[str], None]) -> None:
    workspace = make_workspace(tmp_path / "toy", {})
    (workspace / "dvc.yaml").write_text("stages:\n\tfirst: {cmd: true}\n")
    with refused("pipeline-unreadable") as refusal:
        load_graph(workspace)
    read(str(refusal.value))


def test_the_picture_has_every_stage_in_the_color_of_its_outcome_and_no_arrow_that_follows_from_others(
    tmp_path: Path,
) -> None:
    stages = chain("first", "second", "third")
    stages["third"]["deps"].append("first.txt")
    graph = load_graph(make_workspace(tmp_path / "toy", stages))
    results = {"first": StageResult("ran"), "second": StageResult("failed"), "third": StageResult("not started")}
    root = ElementTree.fromstring(drawing(graph, results))
    space = "{http://www.w3.org/2000/svg}"
    assert [text.text for text in root.iter(f"{space}text")] == ["first", "second", "third"]
    filled = [box.get("fill") for box in root.iter(f"{space}rect")][1:]
    assert filled == [COLORS[result.outcome] for result in results.values()]
    assert len(list(root.iter(f"{space}path"))) == 2 * 2, "two arrows, each a line and a head"
