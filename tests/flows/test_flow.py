"""The flow on toy pipelines: DVC and Prefect are real, the stages are shell commands."""

import asyncio
import re
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import pipeline
from flows import stage as stage_module
from flows.pipeline import results_of
from flows.workspace import override_params
from stages.common.errors import BAD_INPUT, TRY_AGAIN
from tests.flows.toy import ROOT, chain, locked, make_workspace, until, write_stages
from tests.stages.test_summary import finished

Answer = TypeVar("Answer")
pytestmark = pytest.mark.usefixtures("server")


def play(workspace: Path, **parameters: Any) -> State[Any]:
    return asyncio.run(pipeline.final_state(pipeline.pipeline, workspace=str(workspace), **parameters))


def ask(question: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(question)


def outcomes(state: State[Any]) -> dict[str, str]:
    return {name: result["outcome"] for name, result in results_of(state)["stages"].items()}


async def _seen(state: State[Any]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    async with get_client() as client:
        run = state.state_details.flow_run_id
        assert run is not None
        tasks = await client.read_task_runs(flow_run_filter=None, limit=100)
        names = {task.name: str(task.state_name) for task in tasks if task.flow_run_id == run}
        artifacts = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
        )
        logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])), limit=200)
        return names, {str(a.key): str(a.data) for a in artifacts}, [log.message for log in logs]


def seen_by_the_server(state: State[Any]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The state's name of each task, the content of each artifact, and the log of a flow run."""
    return ask(_seen(state))


def test_a_stage_added_to_dvc_yaml_is_run_without_a_word_to_the_flow(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("first", "second"))
    assert outcomes(play(workspace)) == {"first": "ran", "second": "ran"}
    write_stages(workspace, chain("first", "second", "third"))
    state = play(workspace)
    assert state.is_completed()
    assert outcomes(state) == {"first": "skipped", "second": "skipped", "third": "ran"}
    assert (workspace / "third.txt").read_text() == "first\nsecond\nthird\n"
    names, _, _ = seen_by_the_server(state)
    assert names == {"first": "Skipped", "second": "Skipped", "third": "Completed"}


def test_independent_stages_run_side_by_side(tmp_path: Path) -> None:
    meet = (
        "touch {0}.here; for i in $(seq 200); do test -e {1}.here && touch {0}.txt && exit 0; sleep 0.1; done; exit 1"
    )
    stages = {
        one: {"cmd": meet.format(one, other), "outs": [f"{one}.txt"]}
        for one, other in (("left", "right"), ("right", "left"))
    }
    state = play(make_workspace(tmp_path / "toy", stages))
    assert outcomes(state) == {"left": "ran", "right": "ran"}


def test_a_stage_whose_upstream_failed_never_starts_and_the_others_do(tmp_path: Path) -> None:
    stages = chain("first", "second", "third") | {"apart": {"cmd": "touch apart.txt", "outs": ["apart.txt"]}}
    stages["second"]["cmd"] = "echo 'error: the gate is shut: open it' >&2; exit 2"
    state = play(make_workspace(tmp_path / "toy", stages))
    assert state.is_failed()
    assert state.message == "second: the gate is shut: open it"
    assert outcomes(state) == {"first": "ran", "apart": "ran", "second": "failed", "third": "not started"}
    assert not (tmp_path / "toy" / "third.txt").exists()
    assert results_of(state)["exit_code"] == 2


def test_only_what_a_changed_param_touches_runs_again_and_going_back_is_a_cache_hit(tmp_path: Path) -> None:
    stages = chain("first", "second")
    stages["second"]["params"] = ["train.seed"]
    workspace = make_workspace(tmp_path / "toy", stages)
    play(workspace)
    assert outcomes(play(workspace, overrides=["train.seed=7"])) == {"first": "skipped", "second": "ran"}
    state = play(workspace)
    assert outcomes(state) == {"first": "skipped", "second": "from cache"}
    assert seen_by_the_server(state)[0]["second"] == "Cached"
    assert outcomes(play(workspace, targets=["first"], force=True)) == {"first": "ran"}


def test_overrides_are_the_run_s_own_and_params_yaml_comes_back_byte_for_byte(tmp_path: Path) -> None:
    stages = {"only": {"cmd": "grep -c . params.yaml; cp params.yaml seen.yaml", "outs": ["seen.yaml"]}}
    workspace = make_workspace(tmp_path / "toy", stages)
    before = (workspace / "params.yaml").read_bytes()
    assert play(workspace, overrides=["train.seed=41", "+train.recipe.generator.beta1=0.25"]).is_completed()
    seen = (workspace / "seen.yaml").read_text()
    assert "  seed: 41 " in seen
    assert "      beta1: 0.25\n" in seen
    assert "# of the latents" in seen, "comments are kept"
    assert (workspace / "params.yaml").read_bytes() == before


def test_the_overrides_of_a_killed_run_are_not_what_the_next_one_is_judged_by(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("first"))
    before = (workspace / "params.yaml").read_bytes()
    (workspace / ".flow").mkdir()
    override_params(workspace, ["ingest.path=gone"])  # killed here
    assert play(workspace).is_completed()
    assert (workspace / "params.yaml").read_bytes() == before


def test_what_is_written_into_params_yaml_during_a_run_with_overrides_is_kept_aside(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stages = {"only": {"cmd": "echo '# mine' >> params.yaml; touch out.txt", "outs": ["out.txt"]}}
    workspace = make_workspace(tmp_path / "toy", stages)
    before = (workspace / "params.yaml").read_bytes()
    assert play(workspace, overrides=["train.seed=41"]).is_completed()
    assert (workspace / "params.yaml").read_bytes() == before
    edited = workspace / ".flow/params.edited.yaml"
    assert edited.read_text().endswith("# mine\n")
    assert f"the edited one is kept as {edited}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"targets": ["secnd"]}, "there is no stage 'secnd' in dvc.yaml: did you mean 'second'?"),
        ({"targets": ["nostage"]}, "there is no stage 'nostage' in dvc.yaml; known: first, second"),
        ({"overrides": ["train.sed=1"]}, "override 'train.sed=1': params.yaml has no key 'train.sed': did you mean"),
        ({"overrides": ["train.seed"]}, "override 'train.seed' is not of the form section.key=value"),
        ({"overrides": ["train.seed=soon"]}, "params.yaml: train.seed = 'soon' is refused: it must be a whole number"),
        ({"overrides": ["+train.sped=1"]}, "params.yaml: train.sped = 1 is not a known key"),
        ({"overrides": ["ingest.path=nowhere"]}, "ingest.path = 'nowhere' is missing"),
        ({"push": True}, "nothing to push to: name a DVC remote"),
    ],
)
def test_what_can_be_known_to_be_wrong_is_refused_before_anything_starts(
    tmp_path: Path, parameters: dict[str, Any], sentence: str
) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("first", "second"))
    state = play(workspace, **parameters)
    assert (state.name, state.type.value) == ("Refused", "FAILED")
    assert sentence in str(state.message)
    assert results_of(state) == {"exit_code": 2}
    assert not (workspace / "first.txt").exists()


def test_a_full_disk_is_a_failed_state_that_says_so(tmp_path: Path) -> None:
    # The kernel refuses to write past a limit as it does on a full disk; the stage is a real one. Without -B Python
    # would keep its compiled modules as far as there was room, and no later process could import them.
    stages = chain("first")
    stages["first"]["cmd"] = f"ulimit -f 1; PYTHONPATH={ROOT} python -B -m stages.ingest"
    state = play(make_workspace(tmp_path / "toy", stages))
    assert state.is_failed()
    assert re.search(r"first: no room to write .*: free some space and run again", str(state.message))


def test_bad_input_is_never_tried_again_and_what_can_heal_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "RETRY_DELAY", 0.01)
    count = "echo x >> {0}.tries; "
    heals = count + "test $(wc -l < {0}.tries) = 3 && touch {0}.txt"
    commands = {"heals": heals, "gate": count + "exit 2", "never": count + "exit 1"}
    stages = {
        name: {"cmd": command.format(name), "outs": [f"{name}.txt"], "meta": {"retries": 2}}
        for name, command in commands.items()
    }
    workspace = make_workspace(tmp_path / "toy", stages)
    assert outcomes(play(workspace)) == {"heals": "ran", "gate": "failed", "never": "failed"}
    assert {name: len((workspace / f"{name}.tries").read_text().split()) for name in commands} == {
        "heals": 3,
        "gate": 1,
        "never": 3,
    }


def test_the_exit_code_says_whether_the_same_run_may_succeed_later(tmp_path: Path) -> None:
    stages = {"store": {"cmd": "exit 75", "outs": ["store.txt"]}}
    assert results_of(play(make_workspace(tmp_path / "busy", stages)))["exit_code"] == TRY_AGAIN
    stages["data"] = {"cmd": "exit 2", "outs": ["data.txt"]}
    assert results_of(play(make_workspace(tmp_path / "bad", stages)))["exit_code"] == BAD_INPUT


def test_what_a_failed_stage_had_made_before_comes_back(tmp_path: Path) -> None:
    stages = {"only": {"cmd": "test ! -e broken && echo made > made.txt", "outs": ["made.txt"]}}
    workspace = make_workspace(tmp_path / "toy", stages)
    assert play(workspace).is_completed()
    (workspace / "broken").touch()
    assert play(workspace, force=True).is_failed()
    assert (workspace / "made.txt").read_text() == "made\n"


def test_each_line_and_each_state_of_a_progress_bar_reaches_the_log(tmp_path: Path) -> None:
    command = "printf 'one\\ntwo\\n'; printf '\\rbar 10%%' >&2; sleep 0.5; printf '\\rbar 99%%\\n' >&2; touch out.txt"
    state = play(make_workspace(tmp_path / "toy", {"only": {"cmd": command, "outs": ["out.txt"]}}))
    wanted = ["one", "two", "bar 10%", "bar 99%"]
    until(lambda: [line for line in seen_by_the_server(state)[2] if line in wanted] == wanted)


def test_each_stage_shows_its_metrics_and_the_flow_ends_with_a_page(tmp_path: Path) -> None:
    stages = chain("first", "second")
    stages["first"] |= {"metrics": ["score.json"], "plots": ["log.tsv"]}
    stages["first"]["cmd"] += """; echo '{"quality": {"distance": 0.25}}' > score.json"""
    stages["first"]["cmd"] += "; printf 'images\\tloss\\n10\\t3\\n20\\t1.5\\n' > log.tsv"
    stages["second"]["cmd"] += "; exit 3"
    workspace = make_workspace(tmp_path / "toy", stages)
    _, artifacts, _ = seen_by_the_server(play(workspace))
    assert "quality.distance" in artifacts["stage-first"]
    assert "0.25" in artifacts["stage-first"]
    assert "1.5" in artifacts["stage-first"], "the last row of a table"
    page = artifacts["pipeline"]
    assert page.startswith("# Failed in ")
    assert "2 stages: 1 ran, 1 failed" in page
    assert "![graph](data:image/svg+xml;base64," in page
    assert "| first | ran |" in page


def test_pushing_sends_outputs_and_the_run_cache_to_the_remote(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("first", "second"))
    with (workspace / ".dvc" / "config").open("a") as config:
        config.write(f"    remote = shared\n['remote \"shared\"']\n    url = {tmp_path / 'store'}\n")
    assert play(workspace, push=True).is_completed()
    made = {stage["outs"][0]["md5"] for stage in locked(workspace).values()}
    sent = {f"{path.parent.name}{path.name}" for path in (tmp_path / "store" / "files").rglob("*") if path.is_file()}
    assert made <= sent
    assert any((tmp_path / "store" / "runs").rglob("*")), "what one has computed, nobody computes again"


def test_nothing_of_a_run_stays_in_the_workspace_but_its_outputs(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("first"))
    play(workspace, overrides=["train.seed=3"])
    assert [path.name for path in (workspace / ".flow").iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("arguments", "said"), [([], ["A later run", "Poor: "]), (["-S", "train.seed=1"], ["Poor: "]), (["first"], [])]
)
def test_the_command_ends_with_the_summary_of_a_whole_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: list[str],
) -> None:
    async def played(*_: Any, **__: Any) -> State[Any]:
        return Completed()

    judged = {"level": "poor", "sentence": "Poor: x.", "curve": "Good.", "advice": "None."}
    folder = finished(make_workspace(tmp_path / "toy", chain("first")), selection={"verdict": judged})
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages: {train: {cmd: x, outs: [{path: gone}]}}\n")
    monkeypatch.setattr(pipeline, "final_state", played)
    monkeypatch.setattr(sys, "argv", ["flows.pipeline", "-C", str(folder), *arguments])
    pipeline.main()
    shown = [one for one in capsys.readouterr().out.split("\n\n") if one.strip()]
    assert [one.strip()[: len(begin)] for one, begin in zip(shown, said, strict=False)] == said
    assert bool(shown) == bool(said)
