"""Plays any game: optimizers, freezing, precision, processes, moving averages, state. Names no game and no family."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from mintage import processes
from mintage.data import RealImages
from mintage.devices import move
from mintage.games import Game, Scene, Step
from mintage.layers import RANDOM, average_into, running_statistics
from mintage.optimizers import make_optimizer, progress, set_pace, step_unless
from mintage.randomness import seeded, stream
from mintage.recipes import Recipe
from mintage.slots import load_slots, slots_of, under

_EMA_RAMP = 0.05
"""The averages' half-life is at most this share of the images seen."""


class Engine:
    """A game on a device, with an optimizer for each of its sides and a moving average of what it releases."""

    def __init__(self, game: Game, recipe: Recipe, device: torch.device, precision: torch.dtype) -> None:
        self.recipe = recipe
        self.device = device
        self.precision = str(precision).removeprefix("torch.")
        """As `train` calls it: float32, bfloat16."""
        self.game = game
        move(game, device).train()
        self.game.autocast = torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)
        self.averages = {
            name: deepcopy(game.get_submodule(name)).eval().requires_grad_(False) for name in game.released
        }
        self.optimizers = {side: make_optimizer(game.mover(side), getattr(recipe, side)) for side in game.sides}
        self._drops = any(isinstance(layer, RANDOM) for layer in game.modules())

    def turn(self, real: RealImages, batch_size: int, images_seen: int, seed: int) -> dict[str, Tensor]:
        """Every step of one turn of the game, then the moving averages. Reads nothing back from the device.

        Random layers (dropout) also depend only on the seed and the images seen.

        Returns the columns of train.tsv as scalars on the device: means over the turn's steps that have them.
        """
        decayed = progress(images_seen, self.recipe.decay_images)
        for side, optimizer in self.optimizers.items():
            set_pace(optimizer, getattr(self.recipe, side), decayed)
        steps = self.game.schedule(images_seen, batch_size)
        found: dict[str, list[Tensor]] = {}
        with self._random_layers(seed, images_seen):
            for number, sides in enumerate(steps):
                step = Step(seed, images_seen + number * batch_size, batch_size)
                for name, value in self.step(Scene(step, sides, real, self.device)).items():
                    found.setdefault(name, []).append(value)
        self.update_averages(images_seen, len(steps) * batch_size)
        first, last = ([f"{side}_{what}" for side in self.game.sides] for what in ("loss", "gradient"))
        names = sorted(found, key=lambda name: (name not in first) + (name in last))
        return {name: torch.stack(found[name]).mean() for name in names}

    def images_at_end(self, images: int, batch_size: int) -> int:
        """Images seen at the end of a training of at least `images`, which ends with a whole turn."""
        seen = 0
        while seen < images:
            seen += batch_size * len(self.game.schedule(seen, batch_size))
        return seen

    def _random_layers(self, seed: int, images_seen: int) -> AbstractContextManager[None]:
        if not self._drops:
            return nullcontext()
        return seeded(stream(seed, f"layers/{processes.rank()}", images_seen), self.device)

    def step(self, scene: Scene) -> dict[str, Tensor]:
        """Every side of the scene moves once. Returns their columns of train.tsv.

        While a side moves, the game's sides before it are frozen: they get no gradient, which would be thrown away, and
        keep their running statistics.
        """
        found: dict[str, Tensor] = {}
        for side in scene.sides:
            mover, parts = self.game.mover(side), scene.parts(side, self.recipe.accumulation)
            with _frozen(self.game.mover(name) for name in self.game.sides[: self.game.sides.index(side)]):
                columns = self._backward(side, parts)
            step_unless(self.optimizers[side], self.game.waits(side))
            processes.average([*columns.values(), *running_statistics(mover)])
            found |= columns | self.game.after(side, parts)
        return found

    def _backward(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """Compute the gradients of a side, averaged over parts and processes. Returns its losses and gradient norm."""
        optimizer = self.optimizers[side]
        optimizer.zero_grad(set_to_none=True)
        found: dict[str, list[Tensor]] = {}
        for part in parts:
            losses = self.game.losses(side, part)
            loss = reduce(add, losses.values()) / len(parts)
            if loss.requires_grad:  # a side may have nothing to learn yet
                torch.autograd.backward(loss)
            for name, value in losses.items():
                found.setdefault(name, []).append(value.detach())
        gradients = [weight.grad for weight in _weights(optimizer) if weight.grad is not None]
        processes.average(gradients)
        means = {name: torch.stack(values).mean() for name, values in found.items()}
        return means | {f"{side}_gradient": get_total_norm(gradients or [torch.zeros((), device=self.device)])}

    @torch.no_grad()
    def update_averages(self, images_seen: int, images: int) -> None:
        """Move averages of weights and batch norm's statistics; the half-life is shorter at the start."""
        half_life = min(self.recipe.ema_half_life, _EMA_RAMP * images_seen)
        keep = 0.5 ** (images / half_life) if half_life > 0 else 0.0
        for name, average in self.averages.items():
            average_into(average, self.game.get_submodule(name), keep)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the game needs to resume to the same bits."""
        parts = {name: module.state_dict() for name, module in self._modules().items()}
        parts |= {f"{side}_optimizer": slots_of(optimizer) for side, optimizer in self.optimizers.items()}
        return {f"{name}.{key}": tensor for name, part in parts.items() for key, tensor in part.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`; raises RuntimeError or KeyError if the tensors are of another game."""
        for name, module in self._modules().items():
            module.load_state_dict(under(name, tensors))
        for side, optimizer in self.optimizers.items():
            load_slots(optimizer, under(f"{side}_optimizer", tensors))

    def _modules(self) -> dict[str, nn.Module]:
        averages = {f"average.{name}": average for name, average in self.averages.items()}
        return {**dict(self.game.named_children()), **averages}


@contextmanager
def _frozen(modules: Iterable[nn.Module]) -> Iterator[None]:
    held = list(modules)
    for module in held:
        module.requires_grad_(False).eval()
    yield
    for module in held:
        module.requires_grad_(True).train()


def _weights(optimizer: torch.optim.Optimizer) -> Iterable[Tensor]:
    return (weight for group in optimizer.param_groups for weight in group["params"])
