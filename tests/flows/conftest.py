"""A Prefect server for the tests of flows: a real one, in a process of its own, on an empty database.

Each module has its own: one that nobody asks takes a second of a core each minute, for as long as tests run.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.flows.prefect_server import prefect_server
from tests.flows.toy import tables
from tests.shared import of_all_workers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The url of its API; flows that run in the test's own process report to it too.

    Not Prefect's own harness, which gives up after a number of seconds, however busy the machine is.
    """
    database = tmp_path_factory.mktemp("prefect") / "test.db"
    with ExitStack() as running:
        with tables(database, of_all_workers(tmp_path_factory)):
            url = running.enter_context(prefect_server(database))
        running.enter_context(temporary_settings({PREFECT_API_URL: url}))
        yield url
        APILogHandler().flush()  # while the server is there to take it
