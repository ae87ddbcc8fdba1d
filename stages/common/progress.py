"""One look for every progress bar: rate and time left; a line every few seconds where it goes into a log."""

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(desc: str, total: int | None, unit: str = "img", done: int = 0) -> "tqdm[Any]":
    """A bar on stderr; `update(n)` it, and use it as a context manager. `total` is None where nobody knows it."""
    interval = 0.5 if sys.stderr.isatty() else 10.0
    return tqdm(
        total=total, initial=done, desc=desc, unit=unit, unit_scale=True, mininterval=interval, maxinterval=interval
    )
