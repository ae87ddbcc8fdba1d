"""The first process's state, in all of them: so only its machine needs the folder of states."""

import json

import torch
from safetensors.torch import load, save

from mintage import processes
from stages.common.errors import UserError
from stages.common.resume import State


def broadcast_state(fingerprint: str, state: State | None, device: torch.device) -> State | None:
    """The state that the first process gives; None where it gives none.

    Raises UserError where it trains from other params, data or code than this one.
    """
    if processes.count() == 1:
        return state
    tensors, facts = state or ({}, None)
    plain = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    first = json.loads(processes.broadcast_bytes(json.dumps([fingerprint, facts]).encode(), device))
    packed = processes.broadcast_bytes(save(plain), device)
    if first[0] != fingerprint:
        raise UserError(
            "processes-differ",
            "the first process has other params, data or code: bring the machines to one commit and data",
        )
    return None if first[1] is None else (load(packed), first[1])
