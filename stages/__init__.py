"""The pipeline's stages, one module each, in the order of `dvc.yaml`."""

import gc
import sys
from types import TracebackType


def _in_a_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """One line for a Ctrl-C while a program still imports what it needs, which takes seconds."""
    if issubclass(kind, KeyboardInterrupt):
        print("\nstopped: nothing had begun", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if sys.argv[:1] == ["-m"]:  # as long as `python -m` looks for the module
    sys.excepthook = _in_a_line
    gc.disable()  # of what is imported nothing is garbage, and the search for it took a seventh of a start
