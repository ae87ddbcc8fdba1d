"""What every stage's program begins with and says while it works: its command line, its bar, how Ctrl-C ends it."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


def parser_of(module: str, text: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m module`, with the module's docstring `text` as its help.

    It refuses, with exit code 2, what it does not know, abbreviations of options among it.
    """
    return argparse.ArgumentParser(
        program(module),
        description=(text or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def program(module: str) -> str:
    """What a user typed to start `module`: `python -m` and its name, or a command of `mintage`."""
    return os.environ.pop("MINTAGE_COMMAND", f"python -m {module}")  # what we start is none of it


def progress_bar(desc: str, total: int | None, unit: str = "", done: int = 0) -> "tqdm[Any]":
    """A bar on stderr; `update(n)` it, and use it as a context manager. `total` is None where nobody knows it.

    Without a unit the samples of the data are counted: images, sounds, bars, lines.
    """
    interval = 0.5 if sys.stderr.isatty() else 10.0
    return tqdm(
        total=total, initial=done, desc=desc, unit=unit, unit_scale=True, mininterval=interval, maxinterval=interval
    )


@contextmanager
def explain_interrupt(kept: Callable[[], str]) -> Iterator[None]:
    """Within the block Ctrl-C says what `kept` then says."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(kept()) from None
