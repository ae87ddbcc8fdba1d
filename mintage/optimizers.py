"""A player's optimizer, and its learning rate."""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import nn

from mintage import catalog
from mintage.recipes import PlayerRecipe

_LAST = 0.1
_Make = Callable[[Iterator[nn.Parameter], PlayerRecipe], torch.optim.Optimizer]


@cache
def without_compiler(kind: type[torch.optim.Optimizer]) -> Any:
    """The same optimizer without the import of torch's compiler, which costs a process one to two CPU seconds.

    It takes the same steps. If another torch hides these parts in another way, only the import comes back.
    """
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        inner: Any = getattr(getattr(torch.optim.Optimizer, name), "__wrapped__", None)
        if inner is not None:
            vars(inner)["__dynamo_disable"] = inner  # else the first call imports the compiler to look it up

    class Plain(kind):  # type: ignore[misc,valid-type]
        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            return getattr(kind.step, "__wrapped__", kind.step)(self, closure)

    Plain.__name__ = kind.__name__
    return Plain


def adam(weights: Iterator[nn.Parameter], recipe: PlayerRecipe) -> torch.optim.Optimizer:
    return without_compiler(torch.optim.Adam)(
        weights, recipe.learning_rate, (recipe.beta1, recipe.beta2), weight_decay=recipe.weight_decay, fused=True
    )


def sgd(weights: Iterator[nn.Parameter], recipe: PlayerRecipe) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = without_compiler(torch.optim.SGD)(
        weights,
        recipe.learning_rate,
        recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        fused=True,
    )
    for weight in made.param_groups[0]["params"] if recipe.momentum else ():
        # Else its first step leaves uninitialized memory in them if that step is skipped.
        made.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return made


def rmsprop(weights: Iterator[nn.Parameter], recipe: PlayerRecipe) -> torch.optim.Optimizer:
    return without_compiler(torch.optim.RMSprop)(
        weights, recipe.learning_rate, recipe.beta2, weight_decay=recipe.weight_decay, momentum=recipe.momentum
    )


def make_optimizer(player: nn.Module, recipe: PlayerRecipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over the player's weights."""
    make: _Make = catalog.load("optimizer", recipe.optimizer)
    return make(player.parameters(), recipe)


def step_unless(optimizer: torch.optim.Optimizer, waits: torch.Tensor | None) -> None:
    """One step, or none if `waits` is 1: a scalar on the device, where a fused optimizer reads it."""
    fused = bool(optimizer.defaults.get("fused"))
    if fused:
        optimizer.found_inf = waits  # type: ignore[attr-defined]
    if fused or waits is None or not bool(waits):
        optimizer.step()


def progress(images_seen: int, decay_images: float) -> float:
    """How far a decay has gone, from 0 to 1 along half a cosine; always 0 if `decay_images` is 0."""
    if not decay_images:
        return 0.0
    return (1 - math.cos(math.pi * min(1.0, images_seen / decay_images))) / 2


def faded(value: float, last: float, decayed: float) -> float:
    """`value`, which falls to `last` times itself, when the share `decayed` of its decay is done."""
    return value * (1 - (1 - last) * decayed)


def set_pace(optimizer: torch.optim.Optimizer, recipe: PlayerRecipe, decayed: float) -> None:
    """Set the learning rate, which falls to a tenth."""
    for group in optimizer.param_groups:
        group["lr"] = faded(recipe.learning_rate, _LAST, decayed)
