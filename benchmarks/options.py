"""What a number on a benchmark's command line may be: of none, nothing can be measured."""

import argparse

from stages.common.errors import quoted


def natural(text: str) -> int:
    """A whole number from 1 up."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no whole number from 1 up")
    return number


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not number > 0:  # also for NaN
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no number above 0")
    return number
