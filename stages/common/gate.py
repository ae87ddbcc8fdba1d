"""The gate between the data and all that learns from it."""

from pathlib import Path

from stages.common.errors import UserError
from stages.common.files import read_json


def require_passed_gate(report: str | Path) -> None:
    """Raises UserError where `validate` found the data wanting, or did not run."""
    if not read_json(report).get("success"):
        raise UserError(
            "gate-not-passed", f"the data did not pass the gate ({report}): mend the data or the limits in params.yaml"
        )
