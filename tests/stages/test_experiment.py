"""`dvc exp run`: what it publishes, and what a refused one leaves in params.yaml."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.common.errors import UserError, run_stage
from stages.common.receipt import publish_again, read_receipt
from stages.summary import Receipt
from stages.upload import main
from tests.programs import git
from tests.stages.release_trees import make_tree
from tests.stages.tiny_data import ROOT, write_params


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_tree(tmp_path / "tree")
    monkeypatch.chdir(root)
    return root


def published(tree: Path) -> list[str]:
    return [path.name for path in tree.glob("published/releases/*")]


@pytest.mark.tried(
    "`dvc exp run`, whose `upload.publish` is runs",
    "not published yet: this is the experiment bold-seal, and upload.publish is not always; "
    "`mintage releases publish` publishes it",
)
def test_an_experiment_publishes_nothing_and_says_how_to(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], read: Callable[[str], None]
) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "bold-seal")
    main()
    assert published(tree) == []
    why = "this is the experiment bold-seal, and upload.publish is not always"
    read(capsys.readouterr().out)
    assert Receipt.model_validate(json.loads((tree / "published.json").read_text())).unpublished == why
    assert read_receipt(tree) is None


def test_an_experiment_publishes_where_params_ask_for_it(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_EXP_NAME", "bold-seal")
    params = tree / "params.yaml"
    params.write_text(params.read_text().replace("publish: runs ", "publish: always "))
    main()
    assert len(published(tree)) == 1


def test_an_experiment_keeps_the_receipt_of_the_release_before_and_the_next_run_publishes(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main()
    first = read_receipt(tree)
    make_tree(tree, seed=1)
    with monkeypatch.context() as experiment:
        experiment.setenv("DVC_EXP_NAME", "bold-seal")
        main()
    kept = read_receipt(tree)
    assert first is not None
    assert kept is not None
    assert kept.pop("unpublished")
    assert kept == first, "the gate and the report compare with it"
    publish_again(tree)
    assert read_receipt(tree) == first, "not what dvc.lock holds, so DVC runs upload"
    main()
    assert len(published(tree)) == 2


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository's params, committed."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "params"]):
        git(tmp_path, *command)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def in_experiment(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Be a stage of `dvc exp run` with such options, whose values are in params.yaml."""

    def be(*options: str, **params: Any) -> None:
        import psutil

        committed = {f"{stage}.device": "auto" for stage in ("evaluator", "train", "select", "sample")}
        write_params(checkout, committed | {key.replace("__", "."): value for key, value in params.items()})
        monkeypatch.setenv("DVC_EXP_NAME", "bold-seal")
        monkeypatch.setenv("DVC_ROOT", str(checkout))
        dvc = SimpleNamespace(cmdline=lambda: [sys.executable, "dvc", "exp", "run", *options])
        monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parents=lambda: [dvc]))

    return be


def refused() -> None:
    def stage() -> None:
        raise UserError("of-a-test", "no such thing")

    with pytest.raises(SystemExit):
        run_stage(stage)


@pytest.mark.tried(
    "`dvc exp run -S` with a value that a stage refuses", "error: ... params.yaml is as it was before -S"
)
def test_a_refused_value_of_an_experiment_does_not_stay_in_params(
    checkout: Path,
    in_experiment: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    read: Callable[[str], None],
) -> None:
    in_experiment("-S", "train.family=gam", "--set-param=train.seed=3", train__family="gam", train__seed=3)
    refused()
    read(capsys.readouterr().err)
    assert (checkout / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_what_was_changed_by_hand_stays_beside_a_refused_value(
    checkout: Path, in_experiment: Callable[..., None]
) -> None:
    in_experiment("-Strain.family=gam", train__family="gam", report__title="Mine")
    refused()
    text = (checkout / "params.yaml").read_text()
    assert "family: cgan " in text
    assert "title: Mine" in text


def test_without_set_param_nothing_is_taken_back(
    checkout: Path, in_experiment: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    in_experiment(train__family="gam")
    refused()
    assert capsys.readouterr().err == "error: no such thing\n"
    assert "family: gam" in (checkout / "params.yaml").read_text()


def experiment_in(checkout: Path, graph: str, setting: str) -> str:
    """What one reads of `dvc exp run -S` with such a dvc.yaml."""
    (checkout / "dvc.yaml").write_text(graph)
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = {**os.environ, **who, "PATH": tools, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    for line in ("dvc init -q", "git add -A", "git commit -qm pipeline"):
        subprocess.run(line.split(), cwd=checkout, env=environment, check=True)
    command = ["dvc", "exp", "run", "-S", setting]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_real_experiment_that_is_refused_leaves_params_as_they_were(checkout: Path) -> None:
    graph = "stages: {check: {cmd: python -m stages.report, params: [report]}}\n"
    assert "report.title = '' is refused" in experiment_in(checkout, graph, "report.title=''")
    assert (checkout / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


@pytest.mark.slow
def test_an_experiment_on_a_folder_that_is_not_there_is_refused_before_dvc_looks_for_it(checkout: Path) -> None:
    graph = YAML(typ="safe").load(ROOT / "dvc.yaml")
    stages = {name: graph["stages"][name] for name in ("identity", "ingest")}
    stages["identity"]["deps"] = []
    said = experiment_in(checkout, json.dumps({"stages": stages}), "ingest.path=NOWHERE")
    assert "error: params.yaml: ingest.path = 'NOWHERE' is missing" in said
    assert (checkout / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
