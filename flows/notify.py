"""Tell others: a JSON POST to a webhook, and Prefect events on which automations can act. Never fails a run."""

import os
from pathlib import Path
from typing import Any

import httpx
from prefect import get_run_logger
from prefect.events import emit_event
from prefect.exceptions import MissingContextError
from prefect.logging import get_logger
from prefect.runtime import flow_run

from flows.stage import StageResult
from stages.common.errors import UserError
from stages.common.params import Flow as Settings
from stages.common.params import load_params

FAILED, RELEASED = "mintage.run.failed", "mintage.release.published"
_TIMEOUT = 10.0


async def failed(workspace: Path, settings: Settings | None, sentence: str) -> None:
    """Report a failed run; `settings` are None if it ended before its params were known."""
    await _tell(workspace, settings, FAILED, {"sentence": sentence})


async def released(
    workspace: Path, settings: Settings, release: dict[str, Any], results: dict[str, StageResult]
) -> None:
    measured = {name: result.metrics for name, result in results.items() if result.metrics}
    await _tell(workspace, settings, RELEASED, {"release": release, "metrics": measured})


async def _tell(workspace: Path, settings: Settings | None, event: str, facts: dict[str, Any]) -> None:
    run = {"id": flow_run.id, "name": flow_run.name, "url": flow_run.ui_url}
    payload = {"event": event, "workspace": str(workspace), "flow_run": run, **facts}
    resource = {"prefect.resource.id": f"mintage.workspace.{workspace.name}", "prefect.resource.name": workspace.name}
    emit_event(event, resource=resource, payload=payload)
    url, timeout = _webhook(workspace, settings)
    if url:
        try:
            async with httpx.AsyncClient(timeout=timeout) as client:
                (await client.post(url, json=payload)).raise_for_status()
        except httpx.HTTPStatusError as error:  # the url may be secret, and is not repeated
            _logger().warning("the webhook refused the message: HTTP %s", error.response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # an invalid port, for example
            _logger().warning("the webhook was not reached: %s", type(error).__name__)


def _webhook(workspace: Path, settings: Settings | None) -> tuple[str | None, float]:
    """The webhook's url and time-out: MINTAGE_WEBHOOK of the environment overrides params, which may be unreadable."""
    given = os.environ.get("MINTAGE_WEBHOOK")
    try:
        settings = settings or load_params(workspace / "params.yaml").flow
    except UserError:
        return given, _TIMEOUT
    return given or settings.webhook, settings.webhook_timeout


def _logger() -> Any:
    try:
        return get_run_logger()
    except MissingContextError:  # a hook runs after the run
        return get_logger("mintage")
