"""Start a Prefect server if none is there, the deployments of prefect.yaml and a worker, until Ctrl-C: `make serve`.

In a container, or beside a team's server, PREFECT_API_URL names the server, and only the worker is started.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil
from prefect.settings import PREFECT_API_URL
from ruamel.yaml import YAML

from flows.container import check_engine
from flows.leftovers import end_killed_runs
from flows.lock import Lock
from flows.sandbox import image_name
from flows.server import STOP_TIMEOUT, answers, check_proxy, check_server, server_lost, started, stopped_at_the_end
from flows.workspace import FOLDER
from stages.common.dvc_file import Meta
from stages.common.errors import UserError, ending_signals, quoted, run_stage, say_last
from stages.common.stage import parser_of

POOLS: dict[str, str] = {"process": "mintage", "docker": "mintage-docker", "kubernetes": "mintage-kubernetes"}
"""The work pool of each type of worker."""
TEMPLATES: dict[str, Path] = {"kubernetes": Path("flows/kubernetes/pool.json")}
"""Templates for the jobs of a work pool, if they are not Prefect's defaults."""
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Where the server stores leases. In memory they would be lost on a restart, and a deployment stay blocked for ever."""

_LAST_PORT = 65535


def main() -> None:
    arguments = _arguments()
    os.environ |= {**variables(arguments.type), **os.environ}
    for number in ending_signals():
        signal.signal(number, _as_interrupt)
    try:
        with only_worker(POOLS[arguments.type]), server(arguments.port) as url, server_lost():
            serve(url, arguments.type, arguments.health)
    except KeyboardInterrupt:
        say_last("stopped")


def variables(kind: str) -> dict[str, str]:
    """Defaults of the environment variables in prefect.yaml that the caller has not set."""
    found = {"MINTAGE_WORKSPACE": str(Path.cwd())}
    if kind == "docker":
        check_engine([])
        socket = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
        if not socket.is_socket():
            raise UserError(
                "docker-socket-missing",
                f"there is no Docker socket at {socket}: a worker of type docker needs an engine here",
            )
        found["MINTAGE_WORKER_IMAGE"] = image_name(Meta(image="worker"))
        found["MINTAGE_USER"] = f"{os.getuid()}:{os.getgid()}"
        found |= {"MINTAGE_DOCKER_SOCKET": str(socket), "MINTAGE_DOCKER_GID": str(socket.stat().st_gid)}
    if kind == "kubernetes":
        if find_spec("prefect_kubernetes") is None:
            raise UserError(
                "worker-needs-kubernetes",
                "a worker of type kubernetes needs its package: "
                "pip install -c requirements/constraints.txt -r requirements/kubernetes.txt",
            )
        found["MINTAGE_WHOLE_IMAGE"] = image_name(Meta(image="whole"))
    return found


@contextmanager
def only_worker(pool: str) -> Iterator[None]:
    """Hold the lock of the pool's only worker in this checkout: a second would take the first one's runs for dead."""
    with Lock(FOLDER / f"{pool}.lock") as lock:
        if not lock.take():
            raise UserError(
                "serve-busy",
                "`make serve` is at work in this checkout already: stop that one first; nothing was touched",
            )
        yield


@contextmanager
def server(port: int) -> Iterator[str]:
    """The API's url, of the server in the settings, of the server on `port`, or of a new one."""
    check_proxy()
    named, own = PREFECT_API_URL.value(), f"http://127.0.0.1:{port}/api"
    if named or answers(own):
        check_server()
        yield named or own
        return
    # The UI in the browser calls the API by this url, which differs from the default with the port.
    environment = {**os.environ, "PREFECT_SERVER_UI_API_URL": own, "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES}
    command = _prefect("server", "start", "--host", "127.0.0.1", "--port", str(port))
    mend = f"mend that, or take another port than {port}, if another program has it (--port)"
    with started(command, environment, own, mend) as url:
        yield url


def serve(url: str, kind: str, health: bool = False) -> None:
    """Make the pool, register the deployments that use it, and work until stopped."""
    environment, pool = {**os.environ, "PREFECT_API_URL": url}, POOLS[kind]
    names = register(kind, environment)
    for what in asyncio.run(end_killed_runs(Path.cwd(), url, pool)):
        print(f"ended what was left of a killed worker: {what}")
    print(f"Prefect is at {url.removesuffix('/api')}; deployments: {', '.join(names)}; Ctrl-C ends it")
    options = ["--with-healthcheck"] if health else []
    worker = subprocess.Popen(_prefect("worker", "start", "--pool", pool, "--type", kind, *options), env=environment)
    with stopped_at_the_end(worker) as process:
        try:
            code = process.wait()
        finally:
            end_runs(process.pid)
        if code != 0:
            raise UserError("worker-stopped", "the worker stopped: see what it said above")


def register(kind: str, environment: Mapping[str, str]) -> list[str]:
    """Make the work pool of this type, and the deployments that use it; returns their names."""
    pool = POOLS[kind]
    names = [name for name, used in deployments(Path("prefect.yaml")).items() if used == pool]
    template = ["--base-job-template", str(TEMPLATES[kind])] if kind in TEMPLATES else []
    _do(_prefect("work-pool", "create", pool, "--type", kind, *template, "--overwrite"), environment)
    _do(_prefect("--no-prompt", "deploy", *(part for name in names for part in ("--name", name))), environment)
    return names


def end_runs(worker: int) -> None:
    """Ask a worker's flows to end, and wait for them. Prefect's worker itself would leave them running."""
    with suppress(psutil.NoSuchProcess):
        runs = [child for child in psutil.Process(worker).children() if "prefect.engine" in child.cmdline()]
        for run in runs:
            run.terminate()
        psutil.wait_procs(runs, STOP_TIMEOUT)


def deployments(path: Path) -> dict[str, str]:
    """The work pool of each deployment of a prefect.yaml, by name."""
    listed = YAML(typ="safe", pure=True).load(path)["deployments"]
    return {entry["name"]: entry["work_pool"]["name"] for entry in listed}


def _do(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if line.strip() and "An exception occurred" not in line]
        raise UserError(
            "prefect-command-failed", f"`{' '.join(command[2:])}` failed: {said[-1] if said else done.returncode}"
        )


def _prefect(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]


def _as_interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no port: name one from 1 to {_LAST_PORT}")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = parser_of("flows.serve", __doc__)
    parser.add_argument("--port", type=_port, default=4200, help="where the server listens, if one is started")
    parser.add_argument("--type", choices=list(POOLS), default="process", help="the type of the worker")
    parser.add_argument("--health", action="store_true", help="tell at :8080/health whether the worker works")
    return parser.parse_args()


if __name__ == "__main__":
    run_stage(main)
