"""An example's files: downloaded once, by the command in its file, and checked by SHA-256."""

import os
import subprocess
from pathlib import Path

from flows.processes import own_path
from stages.common.errors import TemporaryError, UserError
from stages.common.files import replacing_directory, sha256_of
from stages.examples import Example


def bring_data(example: Example, folder: Path) -> Path | None:
    """The place of the example's files in `folder`; None if its source needs none.

    Raises UserError if the command fails, or gets other files than the example was made with.
    """
    files, command = example.data.files, example.data.command
    if not files or command is None:
        return None
    place = folder / example.name
    if not _wrong(place, files):
        return place
    print(f"{example.name}: {example.data.name} ({example.data.license}) by: {command}", flush=True)
    with replacing_directory(place) as partial:
        environment = {**os.environ, "PATH": own_path()}
        done = subprocess.run(
            ["sh", "-euc", command], cwd=partial, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise TemporaryError("example-data-missing", f"the command that brings {example.data.name} failed: {said}")
        if wrong := _wrong(partial, files):
            raise UserError(
                "example-data-differs",
                f"{example.data.name}: {wrong[0]} is missing, or is not the file with the SHA-256 that "
                f"{example.channel}.yaml states",
            )
    return place


def _wrong(place: Path, files: dict[str, str]) -> list[str]:
    return [
        name
        for name, digest in files.items()
        if not (place / name).is_file() or sha256_of(place / name) != digest.lower()
    ]
