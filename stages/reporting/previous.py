"""The release before this one, where the receipt of it and its files are at hand.

A compromise: `published.json` is what upload makes of this page, so in the graph it would be a cycle. It is read
where it lies and is no dependency: a release that comes or goes makes no page stale, and a page compares with what
was published when it was made. Made again by force after it was published, a page finds itself and compares nothing.
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
    """A release, and its measures; without them `reason` says why they are not at hand."""

    release: str
    url: str
    selection: Selection | None = None
    data_fingerprint: str | None = None
    reason: str = ""


def read_previous(root: Path) -> Previous | None:
    """None where nothing was published from here, or the receipt is no receipt; never an error."""
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
