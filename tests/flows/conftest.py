"""One Prefect server for all tests of flows: a real one, in a process of its own, on an empty database."""

from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The url of its API; flows that run in the test's own process report to it too."""
    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())
