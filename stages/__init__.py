"""The pipeline's stages, one module each, in the order of `dvc.yaml`."""

import gc
import os
import signal
import sys


def begin() -> None:
    """To be called once a program has imported what it needs: from here on Ctrl-C and garbage are as anywhere."""
    gc.freeze()  # what is imported stays
    gc.enable()
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _stop(*_: object) -> None:
    """A line, and the end by Ctrl-C. A KeyboardInterrupt may be lost in an import: torch, importing numpy, goes on."""
    print("\nstopped: nothing had begun", file=sys.stderr, flush=True)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


if "OMP_WAIT_POLICY" not in os.environ:  # read when torch loads
    # Threads of torch that wait for each other give up the processor after some microseconds, not milliseconds: beside
    # other busy programs several threads were ten times slower than one (`benchmarks.threads`).
    os.environ.setdefault("GOMP_SPINCOUNT", "4000")

if sys.argv[:1] == ["-m"]:  # as long as `python -m` looks for the module, whose imports take seconds
    gc.disable()  # of what is imported nothing is garbage, and the search for it took a seventh of a start
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
