"""The last release before this page, if its receipt and its files are available.

A compromise: upload makes `published.json` after this page, so as a dependency it would be a cycle in the graph. It is
read without being a dependency: a new or deleted release makes no page stale, and a page compares with what was
published when it was made. If a published page is made again by force, it finds itself and compares nothing.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from stages.common.receipt import read_receipt
from stages.reporting.selection import Selection


@dataclass(frozen=True)
class Previous:
    """A release and its measures; without them, `reason` is why they are not available."""

    release: str
    url: str
    selection: Selection | None = None
    data_fingerprint: str | None = None
    reason: str = ""


def read_previous(root: Path) -> Previous | None:
    """The last release; None if nothing was published from here, or the file is no receipt. Never raises."""
    receipt = read_receipt(root)
    if receipt is None:
        return None
    release, url = receipt["release"], receipt["url"]
    if not url.startswith("file:"):
        return Previous(release, url, reason="it is in an object store, and this page is made without a network")
    folder = root / (unquote(url[7:]) if url.startswith("file:///") else url[5:])
    try:
        selection = Selection.model_validate(_json(folder / "metrics/selection.json"))
    except ValidationError:
        return Previous(release, url, reason="its measures are not where it was published, or are of another form")
    made = _json(folder / "provenance/train.json")
    return Previous(release, url, selection, made.get("data_fingerprint") if isinstance(made, dict) else None)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
