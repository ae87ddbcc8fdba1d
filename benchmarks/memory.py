"""The peak memory of a program, which it tells itself: its parent's figure for it would include the parent's memory."""

import subprocess
import sys
from typing import Any

_PROGRAM = (
    "import runpy; runpy.run_module({!r}, run_name='__main__'); "
    "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
)


def peak_of(module: str, *options: str, **how: Any) -> int:
    """The most kilobytes that `python -m module options` takes; `how` is for `subprocess.run`."""
    command = [sys.executable, "-c", _PROGRAM.format(module), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, **how)
    return int(ended.stdout.split("VmHWM:")[1].split()[0])
