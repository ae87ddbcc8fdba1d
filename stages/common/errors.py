"""Errors that a user can fix, and the only place where they become a sentence and an exit code."""

import errno
import json
import os
import re
import select
import signal
import sys
from collections.abc import Callable

from stages import begin
from stages.common.surroundings import settle

BAD_INPUT = 2
TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the same command may succeed later."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as in a shell: 128 + SIGINT."""
UNREAD = 141
"""128 + SIGPIPE: nobody reads the output any more."""
NOTHING_KEPT = "nothing was written; the same command does the work again"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PARTIAL = re.compile(r"\.([^/]+?)(?:\.old)?\.partial$")
"""What `stages.common.files` writes before it takes the place of the file that the user knows."""
_UNUSABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip
"""Why a file or a folder cannot be written; an error on a missing one is left to the code that looks for it."""
_LONGEST_SHOWN = 200


class UserError(Exception):
    """An error that the user can fix: one sentence with what is wrong, and what to do.

    `code` names the kind of error for programs, and stays when the sentence changes; docs/errors.md lists all codes.
    """

    exit_code = BAD_INPUT

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)  # both, since pickling keeps only these arguments
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


class TemporaryError(UserError):
    """An error that may pass by itself, such as a network or a busy store: worth another try."""

    exit_code = TRY_AGAIN


class Terminated(KeyboardInterrupt):
    """The end by SIGTERM or SIGHUP where they are treated as Ctrl-C, but for the exit code, a shell's for SIGTERM."""

    exit_code = 128 + signal.SIGTERM


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; bad input and a full disk become one sentence on stderr and exit code 2.

    A TemporaryError has exit code 75. Ctrl-C is one sentence too, the message of the KeyboardInterrupt.
    """
    settle()
    try:
        begin()
        main()
        if sys.stdout is not None:  # it is None if it was closed
            sys.stdout.flush()
    except (UserError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _is_unread():
            raise SystemExit(UNREAD) from None
        sentence = sentence_of(error)
        if sentence is None:
            raise
        say(error, sentence)
        if _refused_experiment(error):
            print("params.yaml is as it was before -S; `dvc checkout` brings back what DVC removed", file=sys.stderr)
        raise SystemExit(getattr(error, "exit_code", BAD_INPUT)) from None
    except KeyboardInterrupt as stop:
        say_last(f"\nstopped: {str(stop) or NOTHING_KEPT}")
        raise SystemExit(getattr(stop, "exit_code", INTERRUPTED)) from None


def ending_signals() -> list[signal.Signals]:
    """What asks a program to end: SIGTERM, and SIGHUP, as of a terminal that is closed, unless `nohup` ignores it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]


def say_last(line: str) -> None:
    """Print a line on stderr; a terminal that is closed takes none, which must not change how the program ends."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        for stream in (sys.stdout, sys.stderr):  # else Python tries again at its end, and exits with 120
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_unread() -> bool:
    """Whether the reader of the output, such as `head`, has stopped reading; the rest is then thrown away."""
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in asked.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def say(error: Exception, sentence: str) -> None:
    """Print a line on stderr, by MINTAGE_ERRORS: the sentence alone, with its `code`, or as `json`."""
    of_system = "disk-full" if is_full(error) else "path-unusable"
    code, asked = error.code if isinstance(error, UserError) else of_system, os.environ.get("MINTAGE_ERRORS")
    if asked == "json":
        fault = {"error": code, "sentence": sentence, "exit_code": getattr(error, "exit_code", BAD_INPUT)}
        print(json.dumps(fault), file=sys.stderr)
    else:
        print(f"error[{code}]: {sentence}" if asked == "code" else f"error: {sentence}", file=sys.stderr)


def _refused_experiment(error: Exception) -> bool:
    """Whether the error ends a `dvc exp run -S`; its values are then removed from params.yaml."""
    if "DVC_EXP_NAME" not in os.environ or getattr(error, "exit_code", BAD_INPUT) != BAD_INPUT:
        return False
    from stages.common.experiment import take_back

    return take_back()


def sentence_of(error: Exception) -> str | None:
    """A sentence for the user if they can fix the error, such as a full or a locked disk; else None."""
    if isinstance(error, UserError):
        return str(error)
    if not isinstance(error, OSError):
        return None
    if is_full(error):
        what = f"no room to write {error.filename or 'the output'} ({os.strerror(error.errno or 0)})"
        return f"{what}: free some space and run again; earlier outputs are untouched"
    if error.errno in _UNUSABLE and error.filename:
        file = quoted(_PARTIAL.sub(r"\1", str(error.filename)))
        return (
            f"{file} cannot be used ({os.strerror(error.errno)}): make it yours to write, or name another place, and "
            "run again"
        )
    return None


def is_full(error: Exception) -> bool:
    """Whether the error is that of a full disk."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def counted(number: int, noun: str) -> str:
    """1 file, 2,000 files; 1 class, 2 classes."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending * (number != 1)}"


def one_line(error: Exception, most: int | None = 100) -> str:
    """What another library's error says, on one line and cut to `most` characters; its kind if it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def quoted(value: object, most: int = _LONGEST_SHOWN) -> str:
    """A foreign value for a sentence: on one line, in quotes if it is text; a long one without its middle."""
    text, head = repr(value), most * 7 // 10
    return text if len(text) <= most else f"{text[:head]}...{text[head + 3 - most :]}"


def brief(value: object) -> str:
    """A value of params for a sentence: quoted, and short enough that the sentence is read."""
    return quoted(value, most=60)
