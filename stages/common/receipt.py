"""The receipt of the last release, which `upload` leaves behind."""

import json
from pathlib import Path
from typing import Any

from stages.common.files import read_json, write_json

RECEIPT = Path("published.json")
UNPUBLISHED = "unpublished"
"""A key in the receipt of the last release: why a later run was not published."""


def read_receipt(root: Path) -> dict[str, Any] | None:
    """The receipt; None if nothing was published from here, or the file is no receipt. Never raises."""
    try:
        receipt = json.loads((root / RECEIPT).read_text())
    except (OSError, ValueError):
        return None
    named = isinstance(receipt, dict) and all(isinstance(receipt.get(key), str) for key in ("release", "url"))
    return receipt if named else None


def publish_again(root: Path) -> None:
    """If an experiment was not published, remove that note from the receipt, so that DVC runs `upload` again."""
    path = root / RECEIPT
    receipt = read_json(path) if path.exists() else None
    if isinstance(receipt, dict) and UNPUBLISHED in receipt:
        del receipt[UNPUBLISHED]
        write_json(path, receipt) if receipt else path.unlink()
