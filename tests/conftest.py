"""One thread a process: the networks here are tiny, and threads that wait for each other cost more than they give."""

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator

import psutil
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from tests.tried import is_read

os.environ.setdefault("OMP_NUM_THREADS", "1")
# What killed processes leave in the temporary folder goes with this one; the tests' own folders stay beside it.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="mintage-tests-")
atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)
os.environ.setdefault("TESTS_TOGETHER", tempfile.tempdir)  # the folder of the one that starts all workers
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # of tests that import onnxruntime
gc.set_threshold(10_000)  # at 700 a third of a test with boto3 was the search for garbage among what it reads
# Nothing is judged by how long it takes: a machine may be busy. A change is judged by the same examples each time;
# MINTAGE_THOROUGH draws new ones.
settings.register_profile(
    "mintage",
    deadline=None,
    derandomize="MINTAGE_THOROUGH" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mintage")
# Else it also draws constants of the modules that are imported by now, which depends on the tests that ran before.
providers._get_local_constants = Constants
# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # under nohup; a handler, unlike this, ends with an exec
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What the tests import stays, and is no garbage to look for."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """Five for two cores, since many tests wait for a process or a server, while each has the 2.5 GB it may need."""
    return max(1, min(5 * (os.cpu_count() or 1) // 2, psutil.virtual_memory().total // 2_500_000_000))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first: short ones then fill the gaps at the end, where several run side by side."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="module")
def _garbage_is_of_one_module() -> None:
    """What is there by now stays, and is not looked at again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _environment_stays() -> Iterator[None]:
    """What a program that is tried here sets for itself and what it starts would hold for all tests after it."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def read(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Takes what a user reads: each text must hold what a mark `tried` of the test says, and each mark must be met."""
    unread = {mark.args[1] for mark in request.node.iter_markers("tried")}
    marks = frozenset(unread)

    def check(text: str) -> None:
        held = {mark for mark in marks if is_read(mark, text)}
        assert held, f"{text!r} holds none of {sorted(marks)}"
        unread.difference_update(held)

    yield check
    assert not unread, f"the test is marked as one that shows this, and does not: {sorted(unread)}"
