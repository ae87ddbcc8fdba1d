"""What a result was made of, as a digest: half-done work is gone on with only where nothing of it changed."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def code_digest(package: str) -> str:
    """SHA-256 over the modules of `package` that this process has loaded: changed code starts anew."""
    loaded = [module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
    files = sorted(str(module.__file__) for module in loaded if module.__file__)
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()


def fingerprint_of(identity: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
