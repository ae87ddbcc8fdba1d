"""`dvc repro` for `make run`: with the exit code of the stage that failed, SIGTERM and SIGHUP treated as Ctrl-C."""

import logging
import re
import signal
import sys
from collections.abc import Callable
from typing import Any

from stages.common.dvc import is_hint
from stages.common.errors import INTERRUPTED, UNREAD, Terminated, UserError, ending_signals, run_stage
from stages.common.stage import parser_of

NOTHING = "nothing had changed: all stages were skipped"
_SAID = (INTERRUPTED, UNREAD, Terminated.exit_code)
"""Exit codes of a stage that was stopped, and has said so."""


def main() -> None:
    parser = parser_of("flows.by_dvc", __doc__)
    parser.add_argument("stage", nargs="?", metavar="STAGE", help="run it and what it needs, no more")
    stage = parser.parse_args().stage
    for number in ending_signals():
        signal.signal(number, _as_interrupt)
    raise SystemExit(reproduce(*filter(None, [stage])))


def reproduce(*stages: str) -> int:
    """Run `dvc repro`; returns the exit code of the stage that failed, else DVC's own, which is 0 or above 250.

    Raises BrokenPipeError if nobody reads the output, and SignalError if a signal ended a stage, which so said nothing.
    """
    from dvc.cli import main as dvc
    from dvc.commands.status import CmdDataStatus
    from dvc.ui import ui

    CmdDataStatus.UP_TO_DATE_MSG = NOTHING
    write, ui.write = ui.write, _without_hints(ui.write)
    sys.argv = [sys.argv[0], "repro", *stages]  # the name of DVC's locks
    reason, handlers = Reason(), logging.getLogger("dvc").handlers
    for handler in handlers:
        handler.addFilter(reason)
    try:
        code = int(dvc(sys.argv[1:]))
    finally:
        ui.write = write
        for handler in handlers:
            handler.removeFilter(reason)
    if reason.unread:
        raise BrokenPipeError
    if reason.exit_code is not None and reason.exit_code < 0:
        print(file=sys.stderr)  # the bar of a killed stage has no end of its line
        raise _ended(reason.command, -reason.exit_code)
    return code if reason.exit_code is None else reason.exit_code


class SignalError(UserError):
    """A signal ended a stage; the exit code is a shell's: 128 and the signal's number."""


class Reason(logging.Filter):
    """Why DVC failed, from what it logs; drops hints, and lines that repeat what a stopped stage has said itself."""

    exit_code: int | None = None
    """The stage's, if one failed; negative if a signal ended it."""
    command = ""
    unread = False
    """Whether nobody reads the output any more."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            self.unread |= isinstance(error, BrokenPipeError)
            if found := re.fullmatch(r"failed to run: (.*), exited with (-?\d+)", str(error), re.DOTALL):
                self.command, self.exit_code = found[1], int(found[2])
            error = error.__cause__
        code = self.exit_code
        if is_hint(record.getMessage()):
            return False
        return not (self.unread or (code is not None and (code < 0 or code in _SAID)))


def _without_hints(write: Callable[..., None]) -> Callable[..., None]:
    """DVC's function for what it prints, but for its hints."""

    def write_rest(*objects: Any, **options: Any) -> None:
        if not is_hint(str(objects[0]) if objects else ""):
            write(*objects, **options)

    return write_rest


def _ended(command: str, number: int) -> SignalError:
    name, often = signal.Signals(number).name, ", most often since memory was full" if number == signal.SIGKILL else ""
    if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a stage with work to save does so, and says it
        ended = SignalError("stage-ended", f"`{command}` was ended by {name}: run the same command again")
    else:
        ended = SignalError(
            "stage-ended", f"`{command}` was ended by {name}{often}: the same command goes on from what it saved"
        )
    ended.exit_code = 128 + number
    return ended


def _as_interrupt(_number: int, _frame: object) -> None:
    """Do what Ctrl-C does, which DVC ignores as long as a stage runs: that gets the signal, too, and ends by itself.

    Only the first signal counts: a second one must not interrupt the release of DVC's locks.
    """
    for number in ending_signals():
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which a next stage would inherit
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    run_stage(main)
