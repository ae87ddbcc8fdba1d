"""What every stage's program shares: its command line, its progress bar, and how Ctrl-C ends it."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tqdm import tqdm

from mintage.nearest import like, nearest
from stages.common.errors import BAD_INPUT, Terminated, UserError, ending_signals, quoted, say


class Parser(argparse.ArgumentParser):
    """A parser that refuses unknown arguments, also abbreviated options, in a sentence like any other refusal."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False} | options)
        self.register("type", int, _whole)
        self.register("type", float, _number)
        self.register("type", Path, _path)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is unknown here: of a command's own arguments its own help tells, not that of all commands."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown[0])}")
        return found, unknown

    def _meant(self, unknown: str) -> str:
        """The end of a sentence: which option an unknown argument may mean; empty if none is like it."""
        options = [option for action in self._actions for option in action.option_strings]
        if "--url" in options and (unknown.startswith(("s3:", "file:")) or os.path.isdir(unknown)):
            return f": did you mean '--url {unknown if ':' in unknown else f'file:{unknown}'}'?"
        guess = like(unknown.partition("=")[0], options) if unknown.startswith("--") else None
        return f": did you mean {guess!r}?" if guess else ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            guess = nearest(str(value), [str(one) for one in action.choices])
            if isinstance(action, argparse._SubParsersAction):
                raise argparse.ArgumentError(None, f"there is no command {quoted(value)}{guess}")
            raise argparse.ArgumentError(action, f"there is no {quoted(value)}{guess}")

    def error(self, message: str) -> NoReturn:
        said = f"{message.removeprefix('argument ')}{'' if message.endswith('?') else ':'}"
        wrong = UserError("arguments-invalid", f"{said} `{self.prog} --help` says what it takes")
        say(wrong, str(wrong))
        raise SystemExit(BAD_INPUT)


def parser_of(module: str, text: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m module`, with the module's docstring `text` as its help.

    The help names the command by which the user started it.
    """
    called = program(module)
    text = (text or "").strip().replace(f"python -m {module}", called)
    return Parser(called, description=text, formatter_class=argparse.RawDescriptionHelpFormatter)


def confirm(what: str, *, yes: bool) -> None:
    """Ask on a terminal, once, whether `what` is to be removed, unless `yes`. Raises UserError if not.

    Scripts are not asked: nobody would answer.
    """
    if yes or not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print(f"{what} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("removal-declined", "nothing was removed: answer y to remove it, or say --yes")


def _path(text: str) -> Path:
    """Refuses an empty name, as of a variable that is not set: it would be the folder that one is in."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a file or a folder")
    return Path(text)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no number") from None


def program(module: str) -> str:
    """The command by which a user started `module`: `python -m` and its name, or a command of `mintage`."""
    return os.environ.pop("MINTAGE_COMMAND", f"python -m {module}")  # not for programs that this one starts


_MANY = 1000
"""From which on a bar shortens its numbers: 20.0k; it would write a few as 3.00."""


class Bar(tqdm):  # type: ignore[type-arg]
    """A bar that, in a log, ends without a second line of the same count: a log's lines are not overwritten."""

    _closes = False

    def update(self, n: float | None = 1) -> bool | None:
        # A last batch may go beyond the total, and such a bar would no longer show one.
        return super().update(n if self.total is None else max(0, min(n or 0, self.total - self.n)))

    def close(self) -> None:
        self._closes = True
        super().close()

    def display(self, *what: Any, **how: Any) -> None:
        if not (self._closes and self.n == self.last_print_n and not sys.stderr.isatty()):
            super().display(*what, **how)


def progress_bar(desc: str, total: int | None, unit: str = "", done: int = 0, *, shown: bool = True) -> "tqdm[Any]":
    """A bar on stderr; `update(n)` it, and use it as a context manager. `total` is None if unknown.

    Without a `unit`, the unit is the data's samples: images, sounds, bars, lines.
    """
    interval = 0.5 if sys.stderr.isatty() else 10.0
    return Bar(
        total=total, initial=done, desc=desc, unit=unit, mininterval=interval, maxinterval=interval, disable=not shown,
        unit_scale=total is None or total >= _MANY,
    )  # fmt: skip


@dataclass
class Interrupt:
    """Whether the user pressed Ctrl-C."""

    asked: bool = False


@contextmanager
def deferred_interrupt(*, at_once: bool = False) -> Iterator[Interrupt]:
    """Within the block the first Ctrl-C is only noted, to be checked between two steps; the second one interrupts.

    Nothing changes with `at_once`, if Ctrl-C is ignored, or in another thread than the main one.
    """
    noted, before = Interrupt(), signal.getsignal(signal.SIGINT)
    if at_once or not callable(before) or threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        noted.asked = True

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupt_later() -> Iterator[None]:
    """Ctrl-C within the block waits for its end."""
    with deferred_interrupt() as interrupt:
        try:
            yield
        finally:
            if interrupt.asked:
                raise KeyboardInterrupt


@contextmanager
def explain_interrupt(kept: Callable[[], str]) -> Iterator[None]:
    """Within the block, the message after Ctrl-C is what `kept` returns then; SIGTERM and SIGHUP are alike."""
    with _as_interrupt() as terminated:
        try:
            yield
        except KeyboardInterrupt:
            raise (Terminated if terminated.asked else KeyboardInterrupt)(kept()) from None


@contextmanager
def _as_interrupt() -> Iterator[Interrupt]:
    """Within the block SIGTERM and SIGHUP do what Ctrl-C does, but only the first: several programs may pass them on.

    Nothing changes where somebody else handles one, or Ctrl-C ends the process at once, or in another thread.
    """
    noted, main = Interrupt(), threading.current_thread() is threading.main_thread()
    ours = [number for number in ending_signals() if signal.getsignal(number) is signal.SIG_DFL]
    if not main or not callable(signal.getsignal(signal.SIGINT)):
        yield noted
        return

    def treat(how: Any) -> None:
        for number in ours:
            signal.signal(number, how)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        treat(signal.SIG_IGN)
        noted.asked = True
        signal.raise_signal(signal.SIGINT)

    treat(interrupt)
    try:
        yield noted
    finally:
        if not noted.asked:  # else the process is about to end, and may say why
            treat(signal.SIG_DFL)
