"""One Prefect server for all tests of flows: a real one, in a process of its own, on an empty database."""

from collections.abc import Iterator

import pytest
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.server import own_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The url of its API; flows that run in the test's own process report to it too.

    Not Prefect's own harness, which gives up after a number of seconds, however busy the machine is.
    """
    database = tmp_path_factory.mktemp("prefect") / "test.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{database}")
        with own_server() as url, temporary_settings({PREFECT_API_URL: url}):
            yield url
            APILogHandler().flush()  # while the server is there to take it
