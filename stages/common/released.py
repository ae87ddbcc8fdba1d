"""Facts about the model in a release, or in a folder such as models/selected."""

import json
from pathlib import Path
from typing import Any

from mintage.release import ReleaseError, identify, read
from stages.common.files import read_json
from stages.common.marks import MODEL_DIGITS, family_in

_PROVENANCE = "provenance.json"


def family_of(address: str) -> str | None:
    """The family of a model in a folder, such as models/selected, or in a release; None if it is not recorded."""
    return family_in(provenance_of(address))


def release_of(address: str) -> str | None:
    """The beginning of a release's id; None for a folder that is no release."""
    try:
        return identify(address)[:MODEL_DIGITS]
    except ReleaseError:
        return None


def provenance_of(address: str) -> dict[str, Any]:
    """The provenance in a folder, such as models/selected, or in a release; empty if there is none."""
    path = Path(address, _PROVENANCE)
    try:
        provenance = read_json(path) if path.is_file() else json.loads(*read(address, [_PROVENANCE]))
    except (ReleaseError, ValueError):
        return {}
    return provenance if isinstance(provenance, dict) else {}
