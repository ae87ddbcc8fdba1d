"""What a release, or a folder such as models/selected, says of the model in it."""

import json
from pathlib import Path
from typing import Any

from mintage.release import ReleaseError, identify, read
from stages.common.files import read_json
from stages.common.marks import MODEL_DIGITS, family_in

_PROVENANCE = "provenance.json"


def family_of(address: str) -> str | None:
    """The family of a model in a folder, such as models/selected, or in a release; None where that does not say it."""
    return family_in(provenance_of(address))


def release_of(address: str) -> str | None:
    """The beginning of a release's id; None of a folder that is none."""
    try:
        return identify(address)[:MODEL_DIGITS]
    except ReleaseError:
        return None


def provenance_of(address: str) -> dict[str, Any]:
    """What a folder, such as models/selected, or a release says of what made it; empty where it does not."""
    path = Path(address, _PROVENANCE)
    try:
        provenance = read_json(path) if path.is_file() else json.loads(*read(address, [_PROVENANCE]))
    except (ReleaseError, ValueError):
        return {}
    return provenance if isinstance(provenance, dict) else {}
