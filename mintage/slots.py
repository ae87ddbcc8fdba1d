"""An optimizer's state of each weight, as tensors by name, from which training resumes."""

from typing import Any

import torch
from torch import Tensor


def slots_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state of each weight: `INDEX.SLOT` -> tensor."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{slot}": t for i, slots in state.items() for slot, t in slots.items() if isinstance(t, Tensor)}


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix and a dot, by the rest of their names."""
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def load_slots(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `slots_of`."""
    weights: list[Tensor] = optimizer.param_groups[0]["params"]
    slots: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, slot = key.split(".")
        slots.setdefault(int(index), {})[slot] = _laid_out_like(weights[int(index)], tensor)
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out_like(weight: Tensor, tensor: Tensor) -> Tensor:
    """The tensor with the strides of its weight: a fused optimizer goes through both in memory order."""
    return torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor
