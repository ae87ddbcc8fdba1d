"""What several workers of one test session use, made by the first that needs it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def of_all_workers(factory: "pytest.TempPathFactory") -> Path:
    """The folder of temporary files that all workers of this session have in common."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Of all processes, one is within; a lock of a process that was killed is free."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made_once(factory: "pytest.TempPathFactory", name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` has filled, for all workers: read it, or copy it."""
    shared = of_all_workers(factory)
    with one_at_a_time(shared / f"{name}.lock"):
        if not (shared / name).exists():
            make(shared / f"{name}.partial")
            (shared / f"{name}.partial").rename(shared / name)
    return shared / name
