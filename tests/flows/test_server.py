"""The Prefect server of a run: found when it is slow, waited for while it works, one sentence where it fails."""

import asyncio
import importlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import psutil
import pytest
from prefect.server.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_HOME, temporary_settings
from prefect.utilities.importtools import lazy_import
from ruamel.yaml import YAML

from flows import server as server_module
from flows.container import end_containers, engine
from flows.server import MEND, answers, answers_in_time, check_proxy, server_lost, started
from stages.common.surroundings import reach_this_machine_directly
from tests.counting_proxy import Server, behind, serving
from tests.flows.test_stopping import sleeping
from tests.flows.test_stopping import started as is_asleep
from tests.flows.toy import ROOT, chain, make_workspace, start_flow, tables, until
from tests.programs import git, python
from tests.refusals import refused
from tests.shared import of_all_workers


class SlowAtFirst(BaseHTTPRequestHandler):
    """Answers the first request when there is a second one."""

    asked = 0
    again = threading.Event()

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.asked > 1:
            self.again.set()
        self.again.wait(300)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_server_that_is_slow_to_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "TIMEOUT", 1.0)
    with serving(Server(handler=SlowAtFirst)) as slow:
        assert answers_in_time(slow.url)
    assert SlowAtFirst.asked > 1


def test_nobody_waits_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    assert not answers_in_time("http://127.0.0.1:9/api")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with temporary_settings({PREFECT_HOME: tmp_path}):
        yield tmp_path


@pytest.mark.usefixtures("home")
def test_a_server_is_waited_for_as_long_as_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "PATIENCE", 0.3)
    work, tries = iter(range(100)), iter([False] * 5 + [True])
    monkeypatch.setattr(server_module, "_work_done", lambda _: next(work))
    monkeypatch.setattr(server_module, "answers", lambda _: next(tries))
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with socket.create_server(("127.0.0.1", 0)) as listens:
        there = f"http://127.0.0.1:{listens.getsockname()[1]}/api"
        with started(command, {**os.environ}, there, MEND) as url:
            assert url == there
    assert next(work) > 5


@pytest.mark.tried(
    "a Prefect server that hangs in its start",
    "Prefect's server made no progress for 0.3 seconds: run again when the machine is less busy, "
    "or start one before (`make serve`) and name it in PREFECT_API_URL",
)
@pytest.mark.usefixtures("home")
def test_a_server_that_does_nothing_is_given_up_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.setattr(server_module, "PATIENCE", 0.3)
    monkeypatch.setattr(server_module, "_work_done", lambda _: 1.0)
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with (
        refused("server-too-slow") as refusal,
        started(command, {**os.environ}, "http://127.0.0.1:9/api", MEND),
    ):
        pass
    read(str(refusal.value))


@pytest.mark.tried(
    "a Prefect server that ends in its start",
    "Prefect's server ended in its start (the database is locked; all of it in ...server.log): mend that, "
    "or set PREFECT_HOME to an empty folder that you may write",
)
def test_a_server_that_ends_in_its_start_is_told_by_its_last_words(home: Path, read: Callable[[str], None]) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('words before\\nthe database is locked')"]
    with refused("server-did-not-start") as refusal, started(command, {**os.environ}, "http://127.0.0.1:9/api", MEND):
        pass
    read(str(refusal.value))
    assert "words before" in (home / "server.log").read_text()


@pytest.mark.tried(
    "a Prefect server that stops answering within a run",
    "the Prefect server... did not answer (ReadTimeout): run again when the machine is less busy; "
    "stages that were finished are kept",
)
def test_a_server_that_is_lost_is_one_sentence_and_worth_another_try(read: Callable[[str], None]) -> None:
    with refused("server-unreachable") as lost, server_lost():
        raise httpx.ReadTimeout("")
    read(str(lost.value))
    with refused("server-unreachable"), server_lost():
        raise RuntimeError("The API is not ready. Failed to reach API at http://127.0.0.1:9/api.")
    with pytest.raises(RuntimeError, match="a fault of ours"), server_lost():
        raise RuntimeError("a fault of ours")


@pytest.mark.tried(
    "`python -m flows.pipeline -S train.sede=1`",
    "override 'train.sede=1': params.yaml has no key 'train.sede': did you mean 'train.seed'?",
)
@pytest.mark.parametrize("module", ["flows.pipeline", "flows.sweep"])
def test_a_slip_in_an_override_is_told_before_a_server_is_asked_for(
    module: str, tmp_path: Path, read: Callable[[str], None]
) -> None:
    workspace = make_workspace(tmp_path / "toy", chain("one"))
    asked = ["--workspace", workspace, "-S", "train.sede=1", "one"]
    asked += ["--name", "s"] if module == "flows.sweep" else []
    git(workspace, "init", "-q")
    done = python("-m", module, *asked, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 2
    read(done.stderr)


@pytest.mark.slow
def test_a_run_without_a_server_starts_its_own_however_slow_and_leaves_none_behind(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workspace, home = sleeping(tmp_path / "toy"), tmp_path / "prefect"
    home.mkdir()
    slow = {"PREFECT_HOME": str(home), "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "1"}
    with tables(home / "prefect.db", of_all_workers(tmp_path_factory)):
        run = start_flow(workspace, server=None, **slow)
        until(lambda: is_asleep(workspace))
    own = [
        child
        for child in psutil.Process(run.pid).children()
        if "prefect.server.api.server:create_app" in child.cmdline()
    ]
    assert len(own) == 1
    run.kill()
    assert psutil.wait_procs(own, timeout=300)[1] == []
    run.communicate()
    (workspace / "go").touch()
    run = start_flow(workspace, server=None, **slow)
    output, _ = run.communicate()
    assert run.returncode == 0, output
    assert "Traceback" not in output


def test_with_proxies_a_prefect_server_of_this_machine_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Server()) as here, serving(Server()) as proxy:
        monkeypatch.setattr(os, "environ", behind(proxy, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"))
        assert answers(here.url)
        assert proxy.asked == ["GET " + here.url + "/health"]  # as it was
        reach_this_machine_directly()
        assert answers(here.url)
        assert httpx.post("http://outside.example/hook").is_success  # as a webhook
        assert here.asked == ["GET /health"]
        assert proxy.asked[1:] == ["POST http://outside.example/hook"]


def test_with_proxies_a_docker_engine_of_this_machine_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Server(b'{"ApiVersion": "1.44"}')) as here, serving(Server()) as proxy:
        monkeypatch.setattr(os, "environ", behind(proxy, "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"))
        os.environ["DOCKER_HOST"] = here.url.replace("http:", "tcp:")
        reach_this_machine_directly()
        with engine():
            pass
        assert here.asked == ["GET /version"]
        assert proxy.asked == []


def test_where_no_engine_answers_no_container_is_ended_also_where_prefect_loads_docker_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    importlib.import_module("docker.errors")
    for name in [name for name in sys.modules if name.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, name)
    lazy_import("docker")  # as prefect.utilities.dockerutils does, which a worker imports
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert end_containers("a run") == []


@pytest.mark.tried(
    "only a SOCKS proxy in the environment (`ALL_PROXY=socks5://...`), for `python -m flows.pipeline`",
    "the environment names a proxy that Prefect cannot use: set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT "
    "(of a SOCKS proxy: `pip install socksio`)",
)
def test_a_proxy_that_prefect_cannot_use_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    with serving(Server()) as proxy:
        monkeypatch.setattr(os, "environ", behind(proxy) | {"ALL_PROXY": "socks4://127.0.0.1:7890"})
        with refused("proxy-unusable") as refusal:
            check_proxy()
    read(str(refusal.value))


ZONES = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut", "UTC"]


@pytest.mark.parametrize("zone", ZONES)
def test_the_nightly_run_comes_once_a_day_also_when_clocks_change(zone: str) -> None:
    listed = YAML(typ="safe").load(ROOT / "prefect.yaml")["definitions"]["nightly"]["schedules"]
    schedule = CronSchedule(cron=listed[0]["cron"], timezone=zone)
    here = ZoneInfo(zone)
    first, last = datetime(2026, 1, 1, tzinfo=here), datetime(2027, 1, 1, tzinfo=here)
    runs = asyncio.run(schedule.get_dates(n=400, start=first, end=last))
    days = [run.astimezone(here).date() for run in runs]
    assert days == [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
