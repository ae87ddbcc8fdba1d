"""A player's optimizer, and the pace of its learning rate."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gan.recipes import PlayerRecipe

_LAST = 0.1
_Make = Callable[[Iterator[nn.Parameter], PlayerRecipe], torch.optim.Optimizer]


def _adam(weights: Iterator[nn.Parameter], recipe: PlayerRecipe) -> torch.optim.Optimizer:
    return torch.optim.Adam(weights, recipe.learning_rate, (recipe.beta1, recipe.beta2), fused=True)


def _sgd(weights: Iterator[nn.Parameter], recipe: PlayerRecipe) -> torch.optim.Optimizer:
    return torch.optim.SGD(weights, recipe.learning_rate, recipe.momentum, fused=True)


def _rmsprop(weights: Iterator[nn.Parameter], recipe: PlayerRecipe) -> torch.optim.Optimizer:
    return torch.optim.RMSprop(weights, recipe.learning_rate, recipe.beta2, momentum=recipe.momentum)


OPTIMIZERS: dict[str, _Make] = {"adam": _adam, "sgd": _sgd, "rmsprop": _rmsprop}


def make_optimizer(player: nn.Module, recipe: PlayerRecipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over the player's weights."""
    return OPTIMIZERS[recipe.optimizer](player.parameters(), recipe)


def progress(images_seen: int, decay_images: float) -> float:
    """How far a decay is, from 0 to 1 along half a cosine; 0 where nothing decays."""
    if not decay_images:
        return 0.0
    return (1 - math.cos(math.pi * min(1.0, images_seen / decay_images))) / 2


def faded(value: float, last: float, decayed: float) -> float:
    """A value that falls to the share `last` of itself, where its decay is so far."""
    return value * (1 - (1 - last) * decayed)


def set_pace(optimizer: torch.optim.Optimizer, recipe: PlayerRecipe, decayed: float) -> None:
    """The learning rate, which falls to a tenth."""
    for group in optimizer.param_groups:
        group["lr"] = faded(recipe.learning_rate, _LAST, decayed)


def slots_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimizer remembers of each weight: `INDEX.SLOT` -> tensor."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{slot}": t for i, slots in state.items() for slot, t in slots.items() if isinstance(t, Tensor)}


def load_slots(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `slots_of`."""
    weights: list[Tensor] = optimizer.param_groups[0]["params"]
    slots: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, slot = key.split(".")
        slots.setdefault(int(index), {})[slot] = _laid_out_like(weights[int(index)], tensor)
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out_like(weight: Tensor, tensor: Tensor) -> Tensor:
    """The tensor with the strides of its weight: a fused optimizer steps through both in memory order."""
    return torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor
