"""One thread a process: the networks here are tiny, and threads that wait for each other cost more than they give."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.tried import is_read

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # of tests that import onnxruntime
# Nothing is judged by how long it takes: a machine may be busy.
settings.register_profile("mintage", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mintage")
# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def read(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Takes what a user reads: it must hold what the test's mark `tried` says, as docs/tried.md shows it."""
    (mark,) = request.node.iter_markers("tried")
    texts: list[str] = []

    def check(text: str) -> None:
        texts.append(text)
        assert is_read(mark.args[1], text), f"{text!r} does not hold {mark.args[1]!r}"

    yield check
    assert texts, "the test is marked as one that shows what is read, and shows nothing"
