"""Programs as a person starts them: each in a process of its own, with the code of this checkout."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
Done = subprocess.CompletedProcess[str]


def python(
    *arguments: object,
    folder: Path = ROOT,
    also: Iterable[Path] = (),
    largest_file: int | None = None,
    **variables: str,
) -> Done:
    """`python ARGUMENTS` in `folder`, with these variables in the environment.

    Args:
        also: Folders with other packages, behind this checkout.
        largest_file: Bytes that no file may go beyond: the system refuses to write more, as a full disk does.
    """
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file, largest_file)) if largest_file else None
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *also])), **variables}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, preexec_fn=limit
    )


def printed_by(*arguments: object, **options: Any) -> str:
    """What the same prints; it must end well."""
    done = python(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def git(folder: Path, *words: str) -> str:
    """What git prints, for whom it is no matter who commits."""
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
