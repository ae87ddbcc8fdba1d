"""`install.py GROUP`: the packages of GROUP.txt beside this file, into the virtual environment of its own Python.

What is there already is not asked for again: `.GROUP` in the environment holds a digest of all requirements, and the
place where the environment was, since its scripts name it and must be mended when the checkout is moved or copied.
It needs nothing but Python, and says what it fetches, how large that is, and how far it has come.
"""

import argparse
import compileall
import hashlib
import importlib.util
import json
import os
import queue
import re
import shlex
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = Path(sys.prefix).resolve()
"""The environment itself, even if `.venv` is a link to one that several checkouts share."""
PACKAGES = {"run": 215, "dev": 270, "docs": 235}
"""About how many packages come with a group."""
SIZES = (
    "about 0.5 GB to fetch and 2 GB on the disk with torch for the CPU alone, 3 and 8 GB with CUDA "
    "(PIP_EXTRA_INDEX_URL names an index of CPU builds)"
)
COVERED = {"dev": ["dev", "run"], "docs": ["docs", "run"]}
"""The groups that a group includes."""
COMMAND = """\
import sys
from pathlib import Path

for folder in (Path(sys.prefix).parent, Path.cwd()):  # the checkout that one stands in goes first
    if (folder / "mintage/__main__.py").is_file():
        sys.path.insert(0, str(folder))
from mintage.__main__ import main

raise SystemExit(main())
"""
"""`.venv/bin/mintage` without its first line. It contains no path of a checkout: several may share the environment."""
_LONGEST_FIRST_LINE = 127
_BY_SH = b"""#!/bin/sh
'''exec' "$(dirname "$(realpath "$0")")/python" "$0" "$@"
' '''
"""
"""The first lines of a script that starts the Python beside it: a command to sh, a string to Python."""
_UNITS = {"B": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}
_EVERY = 20.0
"""Seconds between lines if the output is no terminal."""


def main() -> int:
    group = _arguments().group
    stamp, wanted = VENV / f".{group}", digest()
    known = _read(stamp)
    place = known.get("place") or made_at(VENV / "pyvenv.cfg") or str(VENV)
    if place != str(VENV):
        print(f"{VENV} was at {place}: its scripts are mended")
        mend_scripts(VENV / "bin", place, str(VENV))
    if known.get("wanted") != wanted:
        code = install(group)
        if code != 0:
            return code
        mend_scripts(VENV / "bin", str(VENV), str(VENV))  # what pip wrote for a path that is special to sh
    with suppress(OSError):  # a shared environment may be read-only
        write_command(VENV)
        if known != {"wanted": wanted, "place": str(VENV)}:
            for name in COVERED.get(group, [group]):
                (VENV / f".{name}").write_text(json.dumps({"wanted": wanted, "place": str(VENV)}) + "\n")
    return 0


def digest() -> str:
    """A digest of this Python's version and all requirements; dates of files do not count."""
    content = [sys.version.encode(), *(path.read_bytes() for path in sorted(HERE.glob("*.txt")))]
    return hashlib.sha256(b"\0".join(content)).hexdigest()


def made_at(settings: Path) -> str:
    """The place for which an environment was made, as Python recorded it; empty if it did not."""
    try:
        made = re.search(r"(?m)^command = .* -m venv (/.*)$", settings.read_text())
    except (OSError, UnicodeDecodeError):
        return ""
    return os.path.realpath(made[1]) if made else ""


def mend_scripts(folder: Path, old: str, new: str) -> None:
    """Replace the environment's former place by the new one, in scripts' first lines and in scripts to be sourced."""
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        mend = _sourced if path.name.startswith("activate") else _started
        mended = content if b"\0" in content else mend(content, old, new)
        if mended != content:
            with suppress(OSError):
                path.write_bytes(mended)


def _sourced(script: bytes, old: str, new: str) -> bytes:
    """A script to be sourced with the new place, quoted for the shell, whether the former place was quoted or not."""
    forms = "|".join(re.escape(form) for form in (shlex.quote(old), f'"{old}"', old))
    return re.sub(os.fsencode(forms), lambda _: os.fsencode(shlex.quote(new)), script)


def _started(script: bytes, old: str, new: str) -> bytes:
    return _startable(script.replace(os.fsencode(old), os.fsencode(new)), os.fsencode(new))


def write_command(venv: Path) -> None:
    """Write the environment's command `mintage`, which does what `python -m mintage` does in a checkout."""
    path, python = venv / "bin/mintage", os.fsencode(str(venv / "bin/python"))
    script = _startable(b"#!%s\n%s" % (python, COMMAND.encode()), os.fsencode(str(venv)))
    if not path.exists() or path.read_bytes() != script:
        path.write_bytes(script)
        path.chmod(0o755)


def _startable(script: bytes, venv: bytes) -> bytes:
    """A script of this environment with a first line that kernels accept: without spaces, and not too long.

    Else sh starts it, as with pip, but without a path, whose quotes and dollars would be special to sh.
    """
    first, _, rest = script.partition(b"\n")
    if first.startswith(b"#!" + venv + b"/bin/python"):
        return script if b" " not in first and len(first) < _LONGEST_FIRST_LINE else _BY_SH + rest
    by_pip = script.startswith(b"#!/bin/sh\n'''exec' \"" + venv + b"/bin/python")
    return _BY_SH + script.split(b"\n", 3)[3] if by_pip else script


def install(group: str) -> int:
    """Install a group by pip; returns pip's exit code, and prints its last lines if it failed."""
    if importlib.util.find_spec("pip") is None:  # an earlier setup was interrupted
        subprocess.run([sys.executable, "-m", "ensurepip", "--upgrade"], check=True, stdout=subprocess.DEVNULL)
    print(f"installing about {PACKAGES.get(group, 100)} packages into {VENV}: {SIZES}", flush=True)
    options = [
        "--disable-pip-version-check",
        "--no-input",
        "--no-compile",  # on one core; see below
        "--progress-bar",
        "off",
        "-c",
        str(HERE / "constraints.txt"),
    ]
    command = [sys.executable, "-m", "pip", "install", *options, "-r", str(HERE / f"{group}.txt")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    begun, last, progress = time.monotonic(), deque[str](maxlen=8), Progress(VENV)
    show = Display()
    for line in _lines(process):
        if line is not None:
            last.append(line)
            progress.read(line)
        show.state(f"{progress} ({_minutes(time.monotonic() - begun)})")
    code = process.wait()
    if code == 0:
        show.state("compiling")
        compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, workers=0)  # on all cores
    show.end(f"installed in {_minutes(time.monotonic() - begun)}" if code == 0 else "")
    if code != 0:
        errors = [line for line in last if line.startswith("ERROR")] or list(last)
        print(
            *errors,
            "error: pip could not install the packages: mend what it says and run again",
            sep="\n",
            file=sys.stderr,
        )
    return code


class Progress:
    """Pip's progress, from its output; while it installs, pip prints nothing, so it is read from the environment."""

    def __init__(self, venv: Path) -> None:
        self._venv = venv
        self._found = self._there = self._installing = self._before = 0
        self._megabytes = 0.0
        self._now = "asking the index"

    def read(self, line: str) -> None:
        """Take a line of pip's output."""
        words = line.split()
        size = re.search(r"\(([\d.]+) ([kMG]?B)\)", line)
        if line.startswith("Collecting "):
            self._found += 1
            self._now = f"looking at {words[1]}"
        elif line.startswith("Requirement already satisfied: "):
            self._there += 1
            self._now = f"looking at {words[3]}"
        elif size and words[0] in ("Downloading", "Using", "Processing"):
            name = words[-3].rsplit("/", 1)[-1].split("-py")[0].split("-cp")[0]
            self._megabytes += float(size[1]) * _UNITS[size[2]]
            self._now = f"now {name}, {size[1]} {size[2]}"
        elif line.startswith("Installing collected packages: "):
            self._installing, self._before = line.count(",") + 1, self._installed()
        elif line.startswith(("Building wheel", "Preparing metadata")):
            self._now = line.strip().rstrip(".").lower()

    def _installed(self) -> int:
        return sum(1 for _ in self._venv.glob("lib/python*/site-packages/*.dist-info"))

    def __str__(self) -> str:
        if self._installing:
            return f"installed {max(0, self._installed() - self._before)} of {self._installing} packages"
        there = f", {self._there} times one that is there" if self._there else ""
        return f"{self._found} packages found{there}, {self._megabytes:,.0f} MB fetched, {self._now}"


class Display:
    """A line that is drawn anew on a terminal; elsewhere a new line from time to time."""

    def __init__(self) -> None:
        self._watched = sys.stdout.isatty()
        self._last = time.monotonic()

    def state(self, text: str) -> None:
        """Show a text now, or leave it out if the last line is recent."""
        if self._watched:
            print(f"\r  {text[:100]:<100}", end="", flush=True)
        elif time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            print(f"  {text}", flush=True)

    def end(self, text: str) -> None:
        """Replace the line by `text`, for good."""
        if self._watched:
            print(f"\r{'':<102}\r", end="")
        if text:
            print(text, flush=True)


def _lines(process: "subprocess.Popen[str]") -> Iterator[str | None]:
    """A process's lines as they come, and None for each second without one."""
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    output = process.stdout

    def read() -> None:
        for line in output:
            lines.put(line.rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=1.0)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def _read(stamp: Path) -> dict[str, str]:
    """The facts in the stamp; empty if it is missing, or of an earlier version."""
    try:
        found = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("group", help="a file of requirements beside this one, without .txt: run, dev")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
