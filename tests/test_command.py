"""`mintage COMMAND`, as a shell starts it: in a checkout, beside one, and with the library alone."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from argparse import _SubParsersAction
from collections.abc import Callable
from pathlib import Path

import pytest

from mintage.__main__ import COMMANDS, OF_RELEASES
from mintage.completion import SCRIPTS, candidates
from mintage.nearest import nearest
from stages.releases.__main__ import parser
from tests.test_setup import INSTALL

ROOT = Path(__file__).parents[1]


def mintage(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mintage", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def library(folder: Path) -> Path:
    """A place where the library lies alone, as pip installs it."""
    shutil.copytree(ROOT / "mintage", folder / "mintage", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def checkout(folder: Path, program: str) -> Path:
    """The library beside a pipeline whose `stages.check` is this program."""
    (library(folder) / "stages").mkdir()
    (folder / "stages/check.py").write_text(program)
    return folder


def test_help_names_each_command_and_imports_no_torch() -> None:
    code = (
        "import sys; sys.argv[1:] = ['--help']; from mintage.__main__ import main; main(); "
        "sys.exit(not {'torch', 'numpy', 'stages', 'flows'}.isdisjoint(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"(?m)^  (\w+) ", done.stdout) == list(COMMANDS)
    assert mintage().stdout == done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_starts_a_program_that_is_there(name: str) -> None:
    done = mintage(name, "--help")
    assert done.returncode == 0, done.stderr
    usage, what = done.stdout.split("\n\n")[:2]
    assert usage.startswith(f"usage: mintage {name}")
    assert re.match(r"[A-Z][a-z]+ [^:]", what), "it begins with what the command does, not with its name"


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("run", "mintage run [-h] [STAGE]"),
        ("pull", "mintage pull [-h]"),
        ("sources", "mintage sources [-h] [NAME]"),
    ],
)
def test_help_names_nothing_that_the_command_says_already(name: str, usage: str) -> None:
    shown = mintage(name, "--help").stdout
    assert shown.startswith(f"usage: {usage}\n")
    assert "free" not in shown


def test_help_of_a_command_can_be_asked_for_by_its_name() -> None:
    assert mintage("help", "check").stdout == mintage("check", "--help").stdout != ""


def test_help_shows_examples_of_the_command_that_was_typed() -> None:
    shown = mintage("translate", "--help").stdout
    assert "mintage translate --release models/denoiser" in shown
    assert "python -m" not in shown


def test_the_version_is_that_of_the_checkout() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = mintage("--version")
    assert (done.returncode, done.stdout) == (0, f"mintage {known}\n")


@pytest.mark.parametrize(
    ("name", "guessed"), [("nostage", False), ("normalise", True), ("sampel", True), ("TRAIN", True)]
)
def test_only_a_near_name_is_guessed(name: str, guessed: bool) -> None:
    assert ("did you mean" in nearest(name, ["ingest", "normalize", "train", "sample"])) == guessed


@pytest.mark.parametrize(("name", "meant"), [("compare", "experiments"), ("generate", "sample")])
def test_a_command_by_another_word_is_guessed(name: str, meant: str) -> None:
    assert nearest(name, list(COMMANDS)) == f": did you mean {meant!r}?"


@pytest.mark.tried("`mintage trian`", "error: there is no command 'trian': did you mean 'train'?")
def test_an_unknown_command_is_told_the_nearest(read: Callable[[str], None]) -> None:
    done = mintage("trian")
    assert (done.returncode, done.stdout) == (2, "")
    read(done.stderr)


@pytest.mark.tried(
    "`mintage recognize`", "error: there is no command 'recognize' of its own: ask for `mintage releases recognize`"
)
def test_a_command_of_releases_is_told_its_whole_name(read: Callable[[str], None]) -> None:
    done = mintage("recognize", "picture.png")
    assert (done.returncode, done.stdout) == (2, "")
    read(done.stderr)


def test_those_are_all_commands_of_releases() -> None:
    (commands,) = (action for action in parser()._actions if isinstance(action, _SubParsersAction))
    assert set(OF_RELEASES) == set(commands.choices)
    assert COMMANDS.keys().isdisjoint(OF_RELEASES)


@pytest.mark.parametrize("arguments", [["families", "cgn"], ["families", "gan", "cgan"], ["completion", "csh"]])
def test_a_command_of_the_library_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    done = mintage(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.tried(
    "`mintage run` where only the library is installed",
    "error: `mintage run` needs the pipeline, and only the library is installed: clone the repository, run `make "
    "setup` there, and use .venv/bin/mintage",
)
def test_the_library_alone_has_its_families_and_says_what_the_pipeline_needs(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    done = mintage("run", folder=library(tmp_path))
    assert done.returncode == 2
    read(done.stderr)
    assert 'paper = "Mirza and Osindero 2014"' in mintage("families", "cgan", folder=tmp_path).stdout


def test_a_family_is_shown_in_each_of_its_variants(tmp_path: Path) -> None:
    row, other = (mintage("families", "cgan", *variant).stdout.splitlines() for variant in ([], ["modulated"]))
    assert (row[0], other[0]) == tuple(
        f"# {name}, of short | modulated | paper (train.variant)" for name in ("short", "modulated")
    )
    assert any(line.startswith("batch_size = 64 ") for line in row)
    assert any(line.startswith("batch_size = 128 ") for line in other)


@pytest.mark.parametrize("code", [0, 1, 2, 75, 141])
def test_the_exit_code_and_the_arguments_are_the_program_s_own(tmp_path: Path, code: int) -> None:
    program = f"import sys; print(sys.argv[1:]); raise SystemExit({code})"
    done = mintage("check", "--one", "two words", folder=checkout(tmp_path, program))
    assert (done.returncode, done.stdout) == (code, "['--one', 'two words']\n")


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for arguments in (["--help"], ["families"]):
        command = [sys.executable, "-m", "mintage", *arguments]
        done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, done.stderr) == (141, "")
    os.close(writing)


def test_the_environment_s_command_takes_the_checkout_that_one_stands_in_else_its_own(tmp_path: Path) -> None:
    program = "import os; print(__file__, os.getcwd())"
    own, other, elsewhere = (tmp_path / name for name in ("own one", "other", "pictures"))
    for folder in (own, other):
        checkout(folder, program)
        (folder / "pydantic.py").touch()  # what the pipeline needs, as far as the command looks
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(own / ".venv")], check=True)
    (other / ".venv").symlink_to(own / ".venv")
    INSTALL.write_command(own / ".venv")
    for folder, meant in ((own, own), (other, other), (elsewhere, own)):
        command = [str(folder / ".venv/bin/mintage" if folder != elsewhere else own / ".venv/bin/mintage"), "check"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.stdout == f"{meant}/stages/check.py {folder}\n", done.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["re"], ["releases", "remote"]),
        (["releases", "ro"], ["rollback"]),
        (["families", "sngan_"], ["sngan_attributes", "sngan_projection"]),
        (["run", "se"], ["select"]),
        (["example", "digits_dc"], ["digits_dcgan"]),
        (["completion", ""], sorted(SCRIPTS)),
        (["translate", "pic"], []),
        (["nothing", ""], []),
    ],
)
def test_a_shell_is_offered_what_a_command_takes(
    monkeypatch: pytest.MonkeyPatch, words: list[str], offered: list[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert candidates(words) == offered


@pytest.mark.parametrize("name", ["translate", "gallery", "experiments", "example", "sweep"])
def test_the_options_that_a_shell_is_offered_are_those_of_the_help(name: str) -> None:
    shown = set(re.findall(r"(?m)^  (?:-\w.*?, )?(--[a-z-]+)", mintage(name, "--help").stdout))
    assert set(candidates([name, "--"])) == shown


def test_bash_completes_a_command_and_leaves_files_to_itself(tmp_path: Path) -> None:
    (tmp_path / "mintage").write_text(f'#!/bin/sh\nexec {sys.executable} -m mintage "$@"\n')
    (tmp_path / "mintage").chmod(0o755)
    script = (
        "source <(mintage completion bash); COMP_CWORD=2; "
        'COMP_WORDS=(mintage releases ver); _mintage; echo "$COMPREPLY"; '
        "COMP_WORDS=(mintage translate ver); _mintage; echo ${#COMPREPLY[@]}; complete -p mintage"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "verify\n0\ncomplete -o default -F _mintage mintage\n", done.stderr
