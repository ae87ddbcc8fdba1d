"""Failures and releases are told to a webhook, a real HTTP server here, and to Prefect as events."""

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from tests.flows.test_flow import ask, play
from tests.flows.test_stopping import sleeping, started
from tests.flows.toy import chain, make_workspace, start_flow, until

RECEIPT = '{"release": "%s", "url": "https://store.example/%s"}'


class Webhook(ThreadingHTTPServer):
    """Keeps what was posted; answers with `status`, when it may."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[dict[str, Any]] = []
        self.status, self.may_answer = 200, threading.Event()
        self.may_answer.set()
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/json"
        self.server.received.append(json.loads(body))
        self.server.may_answer.wait(300)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def releasing(folder: Path, webhook: str) -> Path:
    """A workspace whose stage publishes what params say: a release a seed."""
    seed = "$(sed -n '/^train:/,/^$/s/^  seed: *\\([0-9]*\\).*/\\1/p' params.yaml)"
    command = f"""printf '{RECEIPT}' {seed} {seed} > published.json"""
    workspace = make_workspace(
        folder, {"only": {"cmd": command, "params": ["train.seed"], "outs": [{"published.json": {"persist": True}}]}}
    )
    set_webhook(workspace, webhook)
    return workspace


def set_webhook(workspace: Path, url: str, timeout: float = 10.0) -> None:
    params = workspace / "params.yaml"
    text = params.read_text().replace("webhook: null ", f"webhook: {url} ")
    params.write_text(text.replace("webhook_timeout: 10.0", f"webhook_timeout: {timeout}"))


@pytest.mark.usefixtures("server")
def test_a_new_release_is_told_once_and_the_same_again_is_not(tmp_path: Path, webhook: Webhook) -> None:
    workspace = releasing(tmp_path / "toy", webhook.url)
    assert play(workspace, overrides=["train.seed=5"]).is_completed()
    assert play(workspace, overrides=["train.seed=5"], force=True).is_completed()
    assert [message["event"] for message in webhook.received] == ["mintage.release.published"]
    assert webhook.received[0]["release"] == {"release": "5", "url": "https://store.example/5"}
    assert webhook.received[0]["flow_run"]["id"]
    play(workspace, overrides=["train.seed=6"])
    assert [message["release"]["release"] for message in webhook.received] == ["5", "6"]


@pytest.mark.usefixtures("server")
def test_a_failed_stage_and_a_refused_run_are_told_with_their_sentence(tmp_path: Path, webhook: Webhook) -> None:
    stages = chain("first")
    stages["first"]["cmd"] = "echo 'error: the gate is shut' >&2; exit 2"
    workspace = make_workspace(tmp_path / "toy", stages)
    set_webhook(workspace, webhook.url)
    play(workspace)
    play(workspace, targets=["frist"])
    messages = [(message["event"], message["sentence"]) for message in webhook.received]
    assert messages == [
        ("mintage.run.failed", "first: the gate is shut"),
        ("mintage.run.failed", "there is no stage 'frist' in dvc.yaml: did you mean 'first'?"),
    ]


def test_a_run_that_was_ended_from_outside_is_told_too(tmp_path: Path, server: str, webhook: Webhook) -> None:
    workspace = sleeping(tmp_path / "toy")
    run = start_flow(workspace, server=server, MINTAGE_WEBHOOK=webhook.url)  # the environment goes before the params
    until(lambda: started(workspace))
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=300)
    assert [message["event"] for message in webhook.received] == ["mintage.run.failed"]
    assert webhook.received[0]["sentence"].startswith("Execution was ")  # aborted, or canceled


@pytest.mark.usefixtures("server")
def test_a_webhook_that_is_slow_or_refuses_or_is_not_there_never_fails_a_run(tmp_path: Path, webhook: Webhook) -> None:
    workspace = releasing(tmp_path / "toy", webhook.url)
    webhook.status = 500
    assert play(workspace, overrides=["train.seed=1"]).is_completed()
    webhook.may_answer.clear()
    assert play(workspace, overrides=["train.seed=2", "flow.webhook_timeout=0.5"]).is_completed()
    webhook.may_answer.set()
    assert len(webhook.received) == 2
    assert play(workspace, overrides=["train.seed=3", "flow.webhook=http://127.0.0.1:9/"]).is_completed()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("url", ["https://host:port/hook", "http://[::1/hook", "hook"])
def test_a_webhook_that_is_no_address_never_fails_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("MINTAGE_WEBHOOK", url)
    workspace = releasing(tmp_path / "toy", "https://127.0.0.1:9/")
    assert play(workspace, overrides=["train.seed=1"]).is_completed()


@pytest.mark.usefixtures("server")
def test_a_release_is_an_event_on_which_automations_can_act(tmp_path: Path, webhook: Webhook) -> None:
    workspace = releasing(tmp_path / "toy", webhook.url)
    play(workspace, overrides=["train.seed=8"])

    async def events() -> list[dict[str, Any]]:
        wanted = {"filter": {"event": {"name": ["mintage.release.published"]}}}
        async with get_client() as client:
            found: list[dict[str, Any]] = (await client._client.post("/events/filter", json=wanted)).json()["events"]
            return found

    until(lambda: any(event["payload"]["workspace"] == str(workspace) for event in ask(events())))
    event = next(event for event in ask(events()) if event["payload"]["workspace"] == str(workspace))
    assert event["payload"]["release"]["release"] == "8"
    assert any(related["prefect.resource.role"] == "flow-run" for related in event["related"])
