"""`mintage COMMAND`: every program of Mintage under one name, for those who prefer it to `make` and `python -m`."""

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

BAD_INPUT, UNREAD = 2, 141
"""Exit codes; the pipeline's programs have the same (stages/common/errors.py)."""
TOLD = "MINTAGE_COMMAND"
"""The environment variable with the command by which a program was started, for its help."""
PLACE = Path(__file__).resolve().parents[1]
"""The folder of this package: a checkout has the pipeline beside it."""


@dataclass(frozen=True)
class Command:
    """A command: the program that it starts, and what it is for."""

    module: str
    text: str
    before: tuple[str, ...] = ()
    """Arguments that always come first."""


COMMANDS = {
    "run": Command("flows.make", "run the pipeline, or a STAGE and what it needs; skip what is up to date", ("run",)),
    "check": Command("stages.check", "say what is wrong with params.yaml and the data, and run nothing"),
    "advise": Command("stages.advise", "recommend a family, size and minutes for the ingested data"),
    "train": Command(
        "flows.make", "run the pipeline up to the training, as `mintage run train` does", ("run", "train")
    ),
    "sample": Command(
        "flows.make", "run the pipeline up to the samples, as `mintage run sample` does", ("run", "sample")
    ),
    "files": Command("stages.sampling.files", "write the samples as files: PNG, WAV, MIDI, OBJ, PFM, text"),
    "summary": Command("stages.summary", "say how good the model is, and where everything is"),
    "translate": Command("stages.translate", "translate your own pictures with a model"),
    "project": Command(
        "stages.project", "make your own pictures again with a model, then change their class or attributes"
    ),
    "releases": Command("stages.releases", "publish models, and list, verify, fetch or remove what was published"),
    "gallery": Command("stages.gallery", "build a static site of your releases"),
    "families": Command("mintage.families", "list the families, or print one with all its axes"),
    "sources": Command("stages.sources.listing", "list the sources of data, with their options"),
    "example": Command("flows.examples", "run an example in a checkout of its own, or list them"),
    "experiments": Command("stages.experiments", "list what was tried (experiments of DVC) in one table"),
    "log": Command("stages.log", "send the figures of a training to TensorBoard or MLflow"),
    "sweep": Command("flows.sweep", "run the pipeline with many values of params, several at a time"),
    "pipeline": Command("flows.pipeline", "run the pipeline as a Prefect flow, also with other params or by force"),
    "serve": Command("flows.serve", "start a Prefect server and a worker, which runs flows on a schedule"),
    "remote": Command("stages.remote", "set where data and models are shared (a DVC remote)"),
    "pull": Command("flows.make", "fetch the data and models that a colleague shared", ("pull",)),
    "completion": Command("mintage.completion", "print the completion of a shell: bash, zsh or fish"),
}


OF_RELEASES = (
    *("publish", "list", "show", "verify", "fetch", "recognize", "sign", "detect"),
    *("promote", "rollback", "delete", "gc"),
)
"""Commands of `mintage releases`, which people also type without that word."""


def main() -> int:
    """Run a command of this package, and return its exit code; any other command replaces this process."""
    try:
        name, *rest = sys.argv[1:] or ["--help"]
        if name == "help" and rest:
            name, rest = rest[0], ["--help"]
        code = run(name, rest)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # nobody reads the output any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD


def run(name: str, rest: list[str]) -> int:
    """Run a command, and return its exit code: 2, with a sentence, if it is unknown or its program is missing."""
    if name in ("-h", "--help", "help"):
        print(usage())
        return 0
    if name in ("-V", "--version"):
        print(f"mintage {version()}")
        return 0
    command = COMMANDS.get(name)
    if name in OF_RELEASES:
        return refuse(f"there is no command {name!r} of its own: ask for `mintage releases {name}`")
    if command is None:
        from mintage.nearest import nearest

        return refuse(f"there is no command {name!r}{nearest(name, list(COMMANDS))}")
    if command.module.startswith("mintage."):
        return int(import_module(command.module).main(rest))
    if not (PLACE / "stages").is_dir():
        lacking, mend = "only the library is installed", "clone the repository, run `make setup` there"
    elif find_spec("pydantic") is None:
        lacking, mend = f"this Python ({sys.executable}) lacks its packages", f"run `make setup` in {PLACE}"
    else:
        replace(name, command, rest)
    return refuse(f"`mintage {name}` needs the pipeline, and {lacking}: {mend}, and use .venv/bin/mintage")


def version() -> str:
    """That of the checkout, else of what pip installed."""
    import tomllib
    from importlib.metadata import version as installed

    settings = PLACE / "pyproject.toml"
    if settings.is_file():
        return str(tomllib.loads(settings.read_text(encoding="utf-8"))["project"]["version"])
    return installed("mintage")


def usage() -> str:
    """The help: a line a command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.text}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: mintage COMMAND ...\n",
            "Train, select, sample and share generative adversarial networks.\n",
            *lines,
            "\n`mintage COMMAND --help` tells more, and `mintage --version` which version this is.",
            "The library alone (`pip install .`) has families and completion.",
            "All other commands need a checkout; run them in its root folder.",
        ]
    )


def replace(name: str, command: Command, rest: list[str]) -> NoReturn:
    """Replace this process by the command's program, so that signals and exit codes are the program's."""
    environment = {**os.environ, TOLD: f"mintage {name}"}
    if Path.cwd() != PLACE:  # as in a folder of one's pictures
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLACE), os.environ.get("PYTHONPATH")]))
    arguments = [*command.before, *rest]
    os.execve(sys.executable, [sys.executable, "-m", command.module, *arguments], environment)


def refuse(sentence: str) -> int:
    """Print what is wrong, and return the exit code."""
    print(f"error: {sentence}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    raise SystemExit(main())
