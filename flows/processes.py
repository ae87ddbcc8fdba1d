"""Commands that leave nothing behind: all processes of a run have its mark, by which they are found and ended."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import psutil

from stages.common.at_work import RUN, marked

STAGE = "MINTAGE_STAGE"
"""The environment variable that marks a process, and all that it starts, with a stage, as RUN does with a run."""
DVC = [sys.executable, "-m", "dvc", "--wait-for-lock"]
REPRODUCE = ["repro", "--single-item"]
GRACE = 8.0
"""Seconds from asking a process to end to killing it."""
_POLL = 0.05


def own_path() -> str:
    """PATH with this Python first: commands of dvc.yaml, and those that bring an example's data, run `python`."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


async def run_marked(
    command: Sequence[str], workspace: Path, environment: Mapping[str, str], on_line: Callable[[str], None]
) -> int:
    """Run a command in its own session and return its exit code; `environment` has `RUN` and `STAGE`.

    Each line goes to `on_line` as it comes, and so does each state of a progress bar. If a cancel or a timeout ends
    the wait, every process of that stage is ended before the exception is raised again.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=workspace,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        async for line in _lines(process.stdout):
            on_line(line)
        return await process.wait()
    finally:
        # Not awaited: a second cancel must not come between asking and killing.
        end_marked(environment[RUN], environment[STAGE])


def end_marked(run: str, stage: str | None = None, grace: float | None = None) -> list[str]:
    """End every process of a run, or of one stage of it; returns their commands. `grace` is in seconds, as `GRACE`.

    They are found by their environment, so a process that left its group, or lost its parent, is found too.
    """
    found: dict[int, str] = {}
    give_up = time.monotonic() + (GRACE if grace is None else grace)
    mark = {RUN: run} if stage is None else {RUN: run, STAGE: stage}
    while alive := marked(mark):
        for process in alive:
            if process.pid not in found:
                found[process.pid] = _command(process)
                _send(process, signal.SIGTERM)
            elif time.monotonic() > give_up:
                _send(process, signal.SIGKILL)
        time.sleep(_POLL)
    return list(found.values())


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return f"process {process.pid}"


def _send(process: psutil.Process, sign: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(sign)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines without their ends; a progress bar, which is drawn anew after each \\r, gives a line each time."""
    rest = b""
    while chunk := await stream.read(2**16):
        text = rest + chunk
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if text[end - 1 : end] == b"\r":
            end = len(text)
        for line in re.split(rb"[\r\n]", text[:end]):
            if line.strip():
                yield line.decode(errors="replace").rstrip()
        rest = text[end:]
    if rest.strip():
        yield rest.decode(errors="replace").rstrip()
