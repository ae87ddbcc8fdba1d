"""The benchmark of the families: what it keeps of a run, so that it can be stopped."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import families
from stages.common.params import Evaluator, load_section
from stages.evaluator import evaluator
from tests.stages.tiny_data import CLASSES
from tests.stages.tiny_models import write_data

SHORT = "--families dcgan --seeds 1 --seconds 0.01 --most-seconds 0.01 --images 16 --checkpoints 1 --samples 100"


@pytest.mark.nightly
def test_a_run_that_is_done_is_in_the_table_and_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path, CLASSES, {"evaluator.images": 640})
    evaluator(load_section(Evaluator, tmp_path / "params.yaml"), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["families", *SHORT.split()])
    capsys.readouterr()
    families.main()
    kept, table = Path(".families/runs.jsonl").read_bytes(), capsys.readouterr().out
    assert re.search(r"(?m)^\| dcgan \| 1 \| \d", table)
    assert re.search(r"(?m)^\| real images \| ", table)

    def refuse(*_: Any) -> Any:
        raise AssertionError("it is done")

    monkeypatch.setattr(families, "run", refuse)
    families.main()
    assert Path(".families/runs.jsonl").read_bytes() == kept
    assert capsys.readouterr().out == table
