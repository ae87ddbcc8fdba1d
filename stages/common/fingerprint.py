"""What a result was made of, as a digest: half-done work is gone on with only where nothing of it changed."""

import hashlib
import json
from typing import Any


def fingerprint_of(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
