"""The Prefect server: the one that the settings name, or one of this process's own for the time of the run."""

import httpx
from prefect.settings import PREFECT_API_URL

from stages.common.errors import UserError

TIMEOUT = 5.0


def answers(url: str) -> bool:
    """Whether a Prefect API is at this url, in good health."""
    try:
        return httpx.get(f"{url}/health", timeout=TIMEOUT).is_success
    except httpx.HTTPError:
        return False


def check_server() -> None:
    """Raise UserError where the settings name a server and none answers; without one, Prefect starts its own."""
    url = PREFECT_API_URL.value()
    if url is not None and not answers(url):
        raise UserError(
            f"no Prefect server answers at {url}: start it (`make serve`), or unset PREFECT_API_URL to run without one"
        )
