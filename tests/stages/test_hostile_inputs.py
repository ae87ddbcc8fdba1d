"""What is hostile or broken at ingest.path: one clear sentence, an exit code, nothing written outside."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from stages import ingest, normalize
from stages.common.errors import run_stage
from stages.sources import reader
from tests.stages.hostile_files import FILES
from tests.stages.hostile_inputs import Case
from tests.stages.hostile_trees import TREES
from tests.stages.tiny_data import write_params

SMALL = {"ingest.max_pixels": 10**6}
CASES = TREES | FILES


@contextmanager
def _as_nobody(work: Path) -> Iterator[None]:
    """Root may read everything, so a test that root runs goes on as somebody else."""
    if os.geteuid() != 0:
        yield
        return
    above = [path for path in [work, *work.parents] if path.is_relative_to(os.environ["PYTEST_DEBUG_TEMPROOT"])]
    modes = {path: path.stat().st_mode for path in above}
    for path, mode in modes.items():
        path.chmod(mode | (0o777 if path == work else 0o111))
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


def _everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _run(main: Callable[[], None], work: Path, case: Case) -> int:
    try:
        with _as_nobody(work) if case.locked else nullcontext():
            run_stage(main)
    except SystemExit as stop:
        return int(str(stop.code))
    return 0


@pytest.mark.parametrize("name", CASES)
def test_hostile_input_is_one_sentence_and_an_exit_code_and_nothing_is_written_outside(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case, work = CASES[name], tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    case.make(Path("input"))
    write_params(
        work, SMALL | {"train.family": "dcgan", "ingest.source": case.source, "ingest.path": "input"} | case.params
    )
    reader(case.source)  # somebody else may not read where Python is installed
    before = _everything(tmp_path)
    code = _run(ingest.main, work, case)
    if case.stage == "normalize":
        assert code == 0
        capsys.readouterr()
        code = _run(normalize.main, work, case)
    printed = capsys.readouterr()
    said = printed.err.splitlines()[-1] if case.code else printed.out
    assert (code, case.words in said) == (case.code, True), said
    assert said.startswith("error: ") == bool(case.code)
    assert "Traceback" not in printed.err
    made = {path.split("/")[1] for path in _everything(tmp_path) - before}
    assert made <= {"data", "provenance", ".resume"}
    assert (work / "data/raw").exists() == (case.code == 0 or case.stage == "normalize")
