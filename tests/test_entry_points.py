"""Every module that can be run, found by its `__main__`: its command line is read before anything else."""

import ast
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import prefect.main  # noqa: F401  # its log keeps the stream of its import: not one that a test here closes
import pytest

from tests.programs import printed_by

ROOT = Path(__file__).parents[1]


def guard_of(path: Path) -> ast.If | None:
    """`if __name__ == "__main__":` of a module; None where it has none."""
    top = ast.parse(path.read_text()).body
    return next((node for node in top if isinstance(node, ast.If) and "__main__" in ast.dump(node.test)), None)


GUARDS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): guard
    for folder in ("stages", "flows", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if (guard := guard_of(path))
}


def ran(module: str, arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of `python -m module`, in this process and in an empty folder, which must stay empty."""
    names = vars(importlib.import_module(module))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["it", *arguments])
    with pytest.raises(SystemExit) as ended:
        exec(compile(ast.Module(GUARDS[module].body, []), module, "exec"), names)
    assert not list(folder.iterdir())
    return int(ended.value.code or 0)


def test_the_modules_that_can_be_run_are_found() -> None:
    assert {"stages.ingest", "stages.releases.__main__", "flows.pipeline", "benchmarks.flow"} <= GUARDS.keys()


@pytest.mark.parametrize("module", GUARDS)
def test_help_tells_what_a_module_does_and_runs_nothing(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(module, ["--help"], tmp_path, monkeypatch) == 0
    usage, _, text = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith(f"usage: python -m {module.removesuffix('.__main__')}")
    assert len(text.partition("options:")[0].split()) > 5, "it says nothing of what it does"


@pytest.mark.parametrize("module", GUARDS)
def test_a_module_refuses_an_option_that_it_does_not_know(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(module, ["--no-such-option"], tmp_path, monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.endswith(" --help` says what it takes\n")
    assert said.count("\n") == 1


@pytest.mark.tried("`python -m stages.translate --follow five`", "error: --follow: 'five' is no whole number: ...")
def test_a_word_in_place_of_a_number_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    read: Callable[[str], None],
) -> None:
    asked = ["clip.gif", "--out", "out", "--follow", "five"]
    assert ran("stages.translate", asked, tmp_path, monkeypatch) == 2
    read(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("stages.sampling.files", [""]),
        ("stages.translate", ["a.png", "--out", ""]),
        ("stages.gallery.__main__", ["--out", ""]),
    ],
)
def test_an_empty_name_as_of_a_variable_that_is_not_set_is_no_folder(
    module: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ran(module, words, tmp_path, monkeypatch) == 2
    assert "it is empty: name a file or a folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("benchmarks.gallery --releases 0", "whole number from 1 up"),
        ("benchmarks.stages --rounds -1", "whole number from 1 up"),
        ("benchmarks.families --seconds nan", "number above 0"),
    ],
)
def test_a_benchmark_of_nothing_is_refused(
    asked: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, option, number = asked.split()
    assert ran(module, [option, number], tmp_path, monkeypatch) == 2
    said = f"error: {option}: {number!r} is no {kind}: `python -m {module} --help` says what it takes\n"
    assert capsys.readouterr().err == said


@pytest.mark.tried("`mintage releases lst`", "error: there is no command 'lst': did you mean 'list'? ...")
def test_a_command_of_a_command_that_is_misspelled_is_told_the_nearest(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    read: Callable[[str], None],
) -> None:
    assert ran("stages.releases.__main__", ["lst"], tmp_path, monkeypatch) == 2
    said = capsys.readouterr().err
    read(said)
    assert said.endswith("did you mean 'list'? `python -m stages.releases --help` says what it takes\n")


def test_an_option_that_a_command_of_a_command_lacks_leads_to_that_command_s_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("stages.releases.__main__", ["delete", "x", "--dry-run"], tmp_path, monkeypatch) == 2
    told = "unrecognized arguments: --dry-run: `python -m stages.releases delete --help` says what it takes"
    assert capsys.readouterr().err == f"error: {told}\n"


@pytest.mark.parametrize(
    ("asked", "guess"),
    [
        ("stages.gallery.__main__ s3://bucket/team", "--url s3://bucket/team"),
        ("stages.gallery.__main__ .", "--url file:."),
        ("stages.gallery.__main__ --titel=Ours", "--title"),
        ("flows.pipeline --forse", "--force"),
    ],
)
def test_an_argument_that_is_unknown_is_told_the_option_that_may_be_meant(
    asked: str, guess: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, unknown = asked.split()
    assert ran(module, [unknown], tmp_path, monkeypatch) == 2
    assert capsys.readouterr().err.startswith(f"error: unrecognized arguments: {unknown}: did you mean '{guess}'? `")


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        ("-S", "dvc exp run -S train.images=9000"),
        ("--set=a.b=1", "dvc exp run -S"),
        ("--force", "dvc repro --force"),
        ("--ask", "sample.attributes"),
    ],
)
def test_an_option_that_run_has_not_leads_to_the_command_that_has_it(
    asked: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("flows.make", ["run", asked], tmp_path, monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {asked.partition('=')[0]} is no option of this command: ")
    assert f"`{command}" in said


def test_a_value_that_an_option_does_not_take_is_told_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran("stages.project", ["model", "a.png", "--fit", "crp"], tmp_path, monkeypatch) == 2
    assert capsys.readouterr().err.startswith("error: --fit: there is no 'crp': did you mean 'crop'? `python -m ")


@pytest.mark.parametrize("module", GUARDS)
def test_a_module_is_run_where_errors_become_a_sentence(module: str) -> None:
    assert re.fullmatch(r"run_stage\((.* else )?main\)", ast.unparse(GUARDS[module].body[-1]))


@pytest.mark.tried(
    "`python -m stages.ingest --help`",
    "usage: python -m stages.ingest [-h] [--sources [NAME]] Ingest: images as they came into Parquet. ...",
)
def test_help_asked_for_by_a_shell_leaves_the_data_as_they_are(tmp_path: Path, read: Callable[[str], None]) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    read(printed_by("-m", "stages.ingest", "--help", folder=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("arguments", [["stages.train", "--families", "cyclegan"], ["stages.ingest", "--sources"]])
def test_a_reader_that_has_read_enough_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_the_flow_imports_without_what_the_worker_s_image_lacks() -> None:
    """The images themselves are tried where a Docker engine is (tests/flows/test_images.py)."""
    lacks = "numpy", "torch", "pandas", "matplotlib", "scipy", "sklearn"
    code = f"import sys; sys.modules.update(dict.fromkeys({lacks})); import flows.pipeline, flows.container"
    printed_by("-c", code)
