"""A Prefect server in a process forked from one that has imported Prefect's: that takes longer than all the rest."""

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flows.server import STOP_TIMEOUT, answers
from tests.flows.toy import until
from tests.forked import Forked, Started, become

IMPORTED = ["prefect.server.api.server", "uvicorn"]
_VARIABLES = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


@contextmanager
def prefect_server(database: Path) -> Iterator[str]:
    """A server like that of `flows.server.own_server`, with its log beside the database; yields the url of its API."""
    variables = {**_VARIABLES, "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}"}
    log = database.with_suffix(".log")
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("wb") as said:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        order = {"variables": variables, "of": os.getpid()}
        process = Forked(__name__, order, listening.fileno(), said.fileno())
    try:
        until(lambda: answers(url) or not process.is_alive())
        assert process.is_alive(), log.read_text()
        yield url
    finally:
        process.terminate()
        process.join(STOP_TIMEOUT)
        if process.is_alive():
            process.kill()
            process.join()


def start(order: dict[str, Any], listening: int, said: int) -> Started:
    """In the new process: serve, until it is ended or the process of the tests is."""
    pid = os.fork()
    if pid:
        return pid, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for stream in (1, 2):
        os.dup2(said, stream)
    become({**order, "environment": {**order["environment"], **order["variables"]}})
    import uvicorn
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    threading.Thread(target=_end_with, args=(order["of"],), daemon=True).start()
    config = uvicorn.Config("prefect.server.api.server:create_app", factory=True, log_level="error", lifespan="on")
    uvicorn.Server(config).run([socket.socket(fileno=listening)])
    os._exit(0)


def _end_with(process: int) -> None:
    """Nobody else would end the server of a process that was killed."""
    with suppress(ProcessLookupError):
        select.select([os.pidfd_open(process)], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
