"""`train.processes: 2`: real processes that the stage starts, and what becomes of them."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from stages.common.errors import INTERRUPTED
from tests.forked import Forked
from tests.programs import Done, python
from tests.stages.forked import run_train_stage, start_train_stage, try_stage_in
from tests.stages.test_train import OFTEN, SHORT, outputs, saved_states, train, wait_for_a_new_state, workspace
from tests.stages.tiny_data import write_params

pytestmark = pytest.mark.slow

TWO = SHORT | {"train.family": "gan", "train.processes": 2, "train.images": 3000}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = two(tmp_path_factory.mktemp("finished"))
    code, output = try_stage_in(folder, "train", anew=True)
    assert code == 0, output
    return folder


def two(folder: Path, **changes: Any) -> Path:
    return workspace(folder, TWO, **changes)


def training(process: Forked) -> list[psutil.Process]:
    """The processes that play, in the order of their ranks, in which they were started, once they do."""
    return sorted(psutil.Process(process.pid).children(), key=lambda child: (child.create_time(), child.pid))


def until_it_plays(folder: Path) -> Forked:
    process = start_train_stage(folder)
    wait_for_a_new_state(folder, process.is_alive)
    assert process.is_alive(), (folder / "output.txt").read_text()
    return process


def ended(process: Forked, folder: Path) -> tuple[int | None, str]:
    """How it ended, within five minutes, and everything printed."""
    process.join(timeout=300)
    return process.exitcode, (folder / "output.txt").read_text()


def all_gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=300)[1]


def test_both_read_one_order_and_one_of_them_writes(finished: Path) -> None:
    states = {path for path in outputs(finished) if path.endswith(".safetensors")}
    assert states == {f"models/checkpoints/images-{images:09d}.safetensors" for images in (1008, 2000, 3008)}
    assert not list(finished.rglob("*.partial"))


def test_the_curves_are_those_of_one_process_but_for_rounding(finished: Path, tmp_path: Path) -> None:
    changes = {"train.recipe.generator.normalization": "none", "train.recipe.discriminator.normalization": "none"}
    rows = {}
    for processes in (1, 2):
        folder = workspace(tmp_path / str(processes))
        write_params(folder, TWO | changes | {"train.processes": processes, "train.images": 1000})
        run_train_stage(folder)
        lines = (folder / "metrics/train.tsv").read_text().splitlines()
        rows[processes] = [[float(value) for value in line.split("\t")] for line in lines[1:]]
    assert rows[2] == [pytest.approx(row, rel=1e-3) for row in rows[1]]


def test_killed_with_9_and_run_again_both_end_in_the_same_bits(finished: Path, tmp_path: Path) -> None:
    folder = two(tmp_path, train__resume_every=OFTEN)
    process = until_it_plays(folder)
    children = training(process)
    process.kill()
    for child in children:
        child.kill()
    process.join()
    assert all_gone(children)
    output = run_train_stage(folder)
    assert output.count("going on from") == 1
    assert outputs(folder) == outputs(finished)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_other_with_one_sentence(tmp_path: Path, rank: int) -> None:
    process = until_it_plays(two(tmp_path, train__images=10_000_000, train__resume_every=OFTEN))
    children = training(process)
    children[rank].kill()
    code, output = ended(process, tmp_path)
    assert code == 75, output
    assert f"error: process {rank} of 2 was ended by SIGKILL: run again" in output
    assert "Traceback" not in output
    assert all_gone(children)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, INTERRUPTED)])
def test_a_signal_to_the_stage_ends_all(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = until_it_plays(two(tmp_path, train__images=10_000_000, train__resume_every=OFTEN))
    children = training(process)
    assert process.pid
    os.kill(process.pid, number)
    found, output = ended(process, tmp_path)
    assert found == code
    assert "Traceback" not in output
    assert all_gone(children)


def test_no_process_outlives_a_stage_that_was_killed(tmp_path: Path) -> None:
    process = until_it_plays(two(tmp_path, train__images=10_000_000, train__resume_every=OFTEN))
    children = training(process)
    process.kill()
    assert all_gone(children)
    process.join()


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"train.recipe.batch_size": 17}, "each process takes as many images of each part of a batch"),
        ({"train.device": "cuda:0"}, "device = 'cuda:0' is one for 2 processes"),
    ],
)
def test_what_cannot_be_is_told_once(tmp_path: Path, changes: dict[str, Any], fragment: str) -> None:
    folder = workspace(tmp_path)
    write_params(folder, TWO | changes)
    code, output = train(folder)
    assert code == 2, output
    assert "Traceback" not in output
    assert [fragment in line for line in output.splitlines() if line.startswith("error: ")] == [True]
    assert outputs(folder) == {}


def test_another_number_of_processes_or_batch_size_says_what_it_changes(finished: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "copy"))
    write_params(folder, TWO | {"train.processes": 1, "train.recipe.batch_size": 32, "train.images": 1000})
    output = run_train_stage(folder)
    said = [line for line in output.splitlines() if line.startswith("training starts anew")]
    assert len(said) == 1
    assert "batch_size was 16 and is 32" in said[0]
    assert "processes was 2 and is 1" in said[0]
    assert "going on" not in output


def by_hand(folder: Path, count: int, *program: str) -> Done:
    torchrun = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}")
    return python(*torchrun, *(program or ("-m", "stages.train")), folder=folder, OMP_NUM_THREADS="1")


@pytest.mark.nightly
def test_torchrun_by_hand_gives_the_same_bits_and_wants_the_number_in_the_params(
    finished: Path, tmp_path: Path
) -> None:
    folder = two(tmp_path)
    done = by_hand(folder, 2)
    assert done.returncode == 0, done.stderr
    assert outputs(folder) == outputs(finished)
    write_params(folder, TWO | {"train.processes": 1})
    done = by_hand(folder, 2)
    assert done.returncode != 0
    assert done.stderr.count("error: torchrun started 2 processes: set train.processes to 2, not 1") == 1


def test_a_nan_in_one_process_stops_all_with_the_sentence(tmp_path: Path) -> None:
    folder = two(tmp_path)
    poisoned = "import os, runpy, torch\nfrom mintage import games\nreal = games.draw\n"
    poisoned += "def draw(*a): return real(*a) * (float('nan') if os.environ['RANK'] == '1' else 1.0)\n"
    poisoned += "games.draw = draw\nrunpy.run_module('stages.train', run_name='__main__')\n"
    (folder / "poisoned.py").write_text(poisoned)
    done = by_hand(folder, 2, "poisoned.py")
    assert done.returncode != 0
    assert done.stderr.count("error: training diverged") == 1
    assert saved_states(folder) == set()
