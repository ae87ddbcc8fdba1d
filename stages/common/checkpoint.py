"""Training states in files of the pipeline: written atomically; a damaged one becomes a UserError."""

from pathlib import Path
from typing import Any

from torch import Tensor

from mintage.checkpoint import pack, unpack
from mintage.errors import CheckpointError
from stages.common.errors import UserError
from stages.common.files import missing_output, write_bytes


def write_checkpoint(path: str | Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write atomically; the same tensors and facts give the same bytes."""
    write_bytes(path, pack(tensors, facts))


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, and the facts. Raises UserError if the file is missing or damaged."""
    try:
        return unpack(path)
    except FileNotFoundError:
        raise missing_output(path) from None
    except CheckpointError as error:
        raise UserError("checkpoint-unusable", str(error)) from None
