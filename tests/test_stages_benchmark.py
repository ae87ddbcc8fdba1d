"""The benchmark of the stages: whose seconds it counts."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks import stages
from tests.programs import git

BURN = "sum(n * n for n in range({:d}))"


def checkout(folder: Path, **commands: str) -> Path:
    folder.mkdir()
    with (folder / "dvc.yaml").open("w") as file:
        YAML().dump({"stages": {name: {"cmd": command} for name, command in commands.items()}}, file)
    git(folder, "init", "-q")
    git(folder, "add", "dvc.yaml")
    return folder


def test_each_stage_is_timed_with_what_it_starts_and_one_that_the_other_lacks_costs_it_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{BURN.format(6_000_000)}'])"
    earlier = checkout(tmp_path / "earlier", ingest="echo out > made", train=f'python -c "{starts}"')
    here = checkout(tmp_path / "here", identity="true", ingest="test ! -e made", train="true")
    (here / "made").touch()  # git knows nothing of it
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["stages", str(earlier), "--rounds", "1"])
    stages.main()
    rows = {cells[0]: cells[1:] for line in capsys.readouterr().out.splitlines() if (cells := line[2:-2].split(" | "))}
    assert list(rows)[2:] == ["identity", "ingest", "train", "all but train", "all", "all, by the clock"]
    assert rows["identity"][0] == "0.0"
    old, new = (float(cell) for cell in rows["train"][:2])
    assert old > new
    assert float(rows["all"][0]) == pytest.approx(float(rows["all but train"][0]) + old, abs=0.11)
