"""The receipt of the last release, which `upload` leaves behind."""

import json
from pathlib import Path
from typing import Any

RECEIPT = Path("published.json")


def read_receipt(root: Path) -> dict[str, Any] | None:
    """None where nothing was published from here, or the receipt is no receipt; never an error."""
    try:
        receipt = json.loads((root / RECEIPT).read_text())
    except (OSError, ValueError):
        return None
    named = isinstance(receipt, dict) and all(isinstance(receipt.get(key), str) for key in ("release", "url"))
    return receipt if named else None
