"""Ctrl-C in work of which something is kept: a sentence says what, and how to go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def explain_interrupt(kept: Callable[[], str]) -> Iterator[None]:
    """Within the block Ctrl-C says what `kept` then says."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(kept()) from None
