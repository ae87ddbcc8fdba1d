"""Sweeps of a toy pipeline: git, DVC and Prefect are real, the stages only look like ours."""

import asyncio
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import State

from flows.pipeline import final_state, results_of
from flows.sweep import sweep as flow
from tests.flows.sweep_toy import dvc, experiments, make_repository, ran, start_sweep
from tests.flows.toy import marked_processes, start_flow, until
from tests.programs import git
from tests.test_pipeline import finished_project

pytestmark = pytest.mark.usefixtures("server")


def sweep(repository: Path, *overrides: str, **parameters: Any) -> State[Any]:
    given = {"overrides": list(overrides), "name": "s", "workspace": str(repository), **parameters}
    return asyncio.run(final_state(flow, **given))


def states(state: State[Any]) -> dict[str, str]:
    return {row["trial"]: row["state"] for row in results_of(state)["trials"]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "toy")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, server: str) -> tuple[Path, State[Any], list[str]]:
    """A repository, the state of a sweep of it in which one trial fails, and what its stages said."""
    repository = make_repository(tmp_path_factory.mktemp("swept") / "toy")
    # As while a `dvc exp run` goes on in the main checkout.
    git(repository, "update-ref", "refs/exps/exec/EXEC_BASELINE", "HEAD")
    slow = "evaluator.seed=3"  # for so long do two trials want the same work at a time
    state = sweep(repository, "train.seed=13,2,3", slow, jobs=2)
    return repository, state, ran(repository)


Swept = tuple[Path, State[Any], list[str]]


def test_one_trial_that_fails_stops_no_other_and_the_best_is_named(swept: Swept) -> None:
    _, state, _ = swept
    assert states(state) == {"s-1": "failed", "s-2": "finished", "s-3": "finished"}
    rows, verdict = results_of(state)["trials"], results_of(state)["verdict"]
    assert verdict == "best by the rule 'lowest Frechet distance': s-3 (train.seed=3)"
    assert [row["best"] for row in rows] == ["", "", "*"]
    assert rows[0]["why"] == "train: seed 13 brings bad luck: take another"
    assert rows[1]["Frechet distance (real)"] == "2.00 (0.500)"
    assert (state.is_failed(), state.message) == (True, f"1 of 3 trials failed (s-1); {verdict}")
    assert results_of(state)["exit_code"] == 1


def test_trials_that_ended_well_are_dvc_experiments_on_the_commit(swept: Swept) -> None:
    repository, _, _ = swept
    shown = experiments(repository)
    assert {name: trial["params"]["train"]["seed"] for name, trial in shown.items()} == {"s-2": 2, "s-3": 3}
    assert {name: trial["metrics"]["frechet_distance"] for name, trial in shown.items()} == {"s-2": 2.0, "s-3": 1.0}
    assert "train.seed" in dvc(repository, "exp", "diff", "s-2", "s-3")


def test_the_same_work_is_done_once_though_trials_run_side_by_side(swept: Swept) -> None:
    _, _, said = swept
    assert sorted(said) == ["data", "select 2", "select 3", "train 13", "train 2", "train 3"]


def test_the_main_checkout_is_as_it_was_and_a_dvc_exp_run_in_it_is_not_disturbed(swept: Swept) -> None:
    repository, _, _ = swept
    assert git(repository, "status", "--porcelain") == ""
    assert not (repository / "models").exists()
    exec_refs = git(repository, "for-each-ref", "--format", "%(refname)", "refs/exps/exec", "refs/exps/stash")
    assert exec_refs == "refs/exps/exec/EXEC_BASELINE"


def test_each_trial_is_a_run_of_the_pipeline_within_the_sweep(swept: Swept) -> None:
    _, state, _ = swept

    async def read_run() -> tuple[dict[str, str], list[Any]]:
        async with get_client() as client:
            sweep_id = state.state_details.flow_run_id
            assert sweep_id is not None
            of_it = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[sweep_id]))
            runs = await client.read_flow_runs(flow_run_filter=of_it)
            artifacts = await client.read_artifacts()
            tables = [artifact.data for artifact in artifacts if artifact.flow_run_id == sweep_id]
            # A request that the busy server answered too late, and Prefect sent again, leaves a run that never begins.
            begun = [run for run in runs if run.state_name != "Pending"]
            return {run.name: str(run.state_name) for run in begun}, tables

    runs, tables = asyncio.run(read_run())
    assert runs == {"s-1": "Failed", "s-2": "Completed", "s-3": "Completed"}
    assert len(tables) == 1
    assert "train.seed=3" in str(tables[0])


def test_a_sweep_goes_on_with_what_failed_and_clean_leaves_the_experiments(repository: Path, server: str) -> None:
    slow = "evaluator.seed=3"
    assert states(sweep(repository, "train.seed=13,2", slow, jobs=2)) == {"s-1": "failed", "s-2": "finished"}
    ran(repository)
    state = sweep(repository, "train.seed=2,5", slow)
    assert states(state) == {"s-1": "failed", "s-2": "finished", "s-3": "finished"}
    assert sorted(ran(repository)) == ["select 5", "train 13", "train 5"]
    before = experiments(repository)
    assert "/.flow/sweeps/s/1 " in git(repository, "worktree", "list")
    cleaned = start_sweep(repository, "--name", "s", "--clean")
    assert (cleaned.communicate(timeout=120)[0], cleaned.returncode) == ("", 0)
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert list((repository / ".flow" / "sweeps").iterdir()) == []
    assert git(repository, "for-each-ref", "refs/sweeps") == ""
    assert experiments(repository) == before
    cleaned = start_sweep(repository, "--name", "s", "--clean")
    assert cleaned.communicate(timeout=120)[0] == "error: there is no sweep 's' here; there is none\n"
    assert cleaned.returncode == 2
    refused = sweep(repository, "train.seed=1,2,4", slow)
    assert "there is another experiment 's-3' on this commit" in str(refused.message)


def test_images_that_git_ignores_keep_their_hash_and_the_best_is_applied_to_the_main_checkout(repository: Path) -> None:
    (repository / "data" / "source" / "cat.png").write_bytes(b"cat")
    dvc(repository, "repro")
    assert ran(repository) == ["data", "train 0", "select 0", "release"]
    assert sweep(repository, "train.seed=2").is_completed()
    assert ran(repository) == ["train 2", "select 2"], "data is found in the main checkout's run cache"
    reference = git(repository, "for-each-ref", "--format", "%(refname)", "refs/exps")
    assert git(repository, "ls-tree", "-r", "--name-only", reference, "data") == "data/source/README.md"
    dvc(repository, "exp", "apply", "s-1")
    dvc(repository, "repro")
    assert ran(repository) == ["release"]
    assert (repository / "models" / "weights").read_text().startswith("weights 2 ")


def waiting(repository: Path) -> int:
    """How many trials are in the midst of their training."""
    log = repository / "toy.log"
    return log.read_text().count("waits") if log.exists() else 0


def test_a_killed_sweep_goes_on_and_ends_what_it_had_left(repository: Path, server: str) -> None:
    (repository / "trials.yaml").write_text("- [train.seed=2]\n- [train.seed=99]\n")
    killed = start_sweep(repository, "--name", "s", "--list", str(repository / "trials.yaml"), server=server)
    until(lambda: waiting(repository) == 1, seconds=180)
    killed.kill()
    killed.communicate()
    left = marked_processes(repository)
    assert left, "nothing ends what a killed process had started"
    ran(repository)
    again = start_sweep(repository, "--name", "s", server=server)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    assert "ended what was left of s-2: " in output
    assert not set(left) & set(marked_processes(repository))
    assert ran(repository) == ["train 99", "went on from step 7", "select 99"]
    assert "best by the rule 'lowest Frechet distance': s-1 (train.seed=2)" in output


@pytest.mark.parametrize("sign", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)])
def test_a_signal_ends_every_trial(repository: Path, server: str, sign: signal.Signals) -> None:
    run = start_sweep(
        repository, "--jobs", "2", "-S", "train.seed=99", "-S", "+train.recipe.width=16,32", server=server
    )
    until(lambda: waiting(repository) == 2, seconds=180)
    run.send_signal(sign)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 128 + sign, output
    assert "Traceback" not in output
    # Where Prefect lost the signal, or a busy machine takes its time, a thread ends the sweep after a while.
    assert output.splitlines()[-1].startswith(("stopped: ", "error: ended "))
    assert marked_processes(repository) == []
    assert experiments(repository) == {}


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"overrides": ["train.sed=1,2"]}, "did you mean 'train.seed'?"),
        ({"overrides": ["ingest.path=data/source,nowhere"]}, "ingest.path = 'nowhere' is missing"),
        ({"overrides": ["train.seed=1,"]}, "are not of the form section.key=value,value"),
        (
            {"overrides": ["sample.count=1,2"]},
            "sample.count=1 changes none of the stages that trials run (data, train, ",
        ),
        ({"overrides": ["train.seed=1"], "targets": ["relase"]}, "did you mean 'release'?"),
        ({"overrides": ["train.seed=1"], "jobs": 0}, "jobs = 0: give 1 or more"),
        ({"overrides": []}, "there is no sweep 's' to go on with"),
        ({"overrides": ["train.seed=1"], "name": "../s"}, "'../s' cannot name a sweep"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_a_failed_state_before_anything_is_made(
    repository: Path, parameters: dict[str, Any], sentence: str
) -> None:
    state = asyncio.run(final_state(flow, **{"name": "s", "workspace": str(repository), **parameters}))
    assert (state.name, results_of(state)) == ("Refused", {"exit_code": 2})
    assert sentence in str(state.message)
    assert not list(repository.glob(".flow/sweeps/*"))


@pytest.mark.slow
@pytest.mark.nightly
def test_the_real_pipeline_is_swept_and_the_best_goes_on_to_a_release(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, server: str
) -> None:
    repository = Path(shutil.copytree(finished_project(tmp_path_factory).project, tmp_path / "mintage", symlinks=True))
    changed = ["-Sevaluator.images=2000", "-Strain.images=1200", "-Strain.checkpoint_every=600"]
    run = start_sweep(repository, "--name", "s", *changed, "-Strain.seed=1,2", "-j2", server=server)
    output, _ = run.communicate(timeout=400)
    assert run.returncode == 0, output
    assert output.count("Running stage 'evaluator'") == 1
    best = re.search(r"^best by the rule 'lowest Frechet distance': (s-[12]) ", output, re.MULTILINE)
    assert best is not None
    distances = {name: trial["metrics"]["frechet_distance"] for name, trial in experiments(repository).items()}
    assert best[1] == min(distances, key=distances.__getitem__)
    assert len(set(distances.values())) == 2
    given = experiments(repository)[best[1]]["params"]["train"]["seed"]
    run = start_flow(repository, *changed, f"-Strain.seed={given}", server=server)
    output, _ = run.communicate(timeout=400)
    assert run.returncode == 0, output
    ran = re.findall(r"Running stage '(\w+)'", output)
    assert set(ran[:2]) == {"sample", "export"}, "the rest is in the run cache"  # side by side, in either order
    assert ran[2:] == ["report", "upload"]
