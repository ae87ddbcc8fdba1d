"""One file holds a training state: tensors in safetensors, everything else as JSON in its header.

Nothing is unpickled. The header also has a SHA-256 of tensors and facts: safetensors alone would load a file with a
flipped bit without an error.
"""

import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mintage.errors import CheckpointError


def pack(tensors: dict[str, Tensor], facts: dict[str, Any]) -> bytes:
    """The content of a checkpoint; the same tensors and facts give the same bytes."""
    stored = _on_cpu(tensors)
    text = json.dumps(facts)
    # One key: safetensors writes several keys in an order that changes from run to run.
    header = json.dumps({"facts": text, "sha256": _digest(stored, text)})
    return save(stored, metadata={"mintage": header})


def weights_of(module: nn.Module) -> bytes:
    """All tensors of a module as the content of a safetensors file."""
    return save(_on_cpu(module.state_dict()))


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def unpack(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by name, and the facts. Raises FileNotFoundError, and CheckpointError where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["mintage"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it has no iterator)
        text, sha256 = header["facts"], header["sha256"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): remove it and run again") from None
    if _digest(tensors, text) != sha256:
        raise CheckpointError(
            f"{path} is damaged (its SHA-256 is not the one it was saved with): remove it and run again"
        )
    return tensors, json.loads(text)


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(content)  # with the caller's umask, for others who share a folder
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
