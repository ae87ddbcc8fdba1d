"""Errors that a user can mend, and the one place where they become a sentence and an exit code."""

import errno
import os
import sys
from collections.abc import Callable

from stages.common.surroundings import settle

BAD_INPUT = 2
TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the same command may succeed later."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


_LONGEST_SHOWN = 200


class UserError(Exception):
    """Something the user can mend: one sentence that says what is wrong, and what to do."""

    exit_code = BAD_INPUT


class TemporaryError(UserError):
    """What may heal by itself, a network or a busy store: worth another try, by hand or by an orchestrator."""

    exit_code = TRY_AGAIN


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`; bad input and a full disk become one sentence on stderr and exit code 2.

    What may heal by itself has exit code 75.
    """
    settle()
    try:
        main()
    except (UserError, OSError) as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        raise SystemExit(getattr(error, "exit_code", BAD_INPUT)) from None


def sentence_of(error: Exception) -> str | None:
    """What to tell the user where the error is theirs to mend, a full disk among them; else None."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        what = f"no room to write {error.filename or 'the output'} ({os.strerror(error.errno)})"
        return f"{what}: free some space and run again; earlier outputs are untouched"
    return None


def shown(value: object) -> str:
    """What somebody else wrote, for a sentence: on one line, in quotes if it is text, a long one without its middle."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 60]}...{text[-57:]}"
