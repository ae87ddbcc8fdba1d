"""How the evaluator learns, and any other classifier of real images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from mintage.augment import random_shift
from mintage.conditioning.embedding import Condition
from mintage.data import RealImages
from mintage.devices import choose_precision, move
from mintage.errors import DivergedError
from mintage.evaluator import Coordinates, Evaluator, EvaluatorConfig
from mintage.language import Language
from mintage.optimizers import without_compiler
from mintage.randomness import stream
from mintage.slots import load_slots, slots_of, under

_WARM_UP = 0.15
_WEIGHT_DECAY = 0.05


@dataclass(frozen=True)
class Schedule:
    """How long and how fast an evaluator learns."""

    images: int
    batch_size: int
    learning_rate: float
    seed: int
    still: tuple[int, ...] = ()
    """Sides along which samples are not shifted, since a shift would change them, as a new key changes a melody."""


def build_evaluator(config: EvaluatorConfig, seed: int) -> Evaluator:
    """An evaluator on the CPU, its first weights decided by `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if config.words:
            return Language(config)
        return Coordinates(config) if config.kind == "coordinates" else Evaluator(config)


def train_evaluator(
    config: EvaluatorConfig,
    real: RealImages,
    schedule: Schedule,
    *,
    progress: Callable[[int], object] = lambda images: None,
    keeper: "Keeper | None" = None,
) -> Evaluator:
    """An evaluator trained on real images and their labels, on their device, in evaluation mode.

    On a CPU the same arguments give the same bits, also when `keeper` resumes it. `progress` gets the number of images
    of each batch, and first the number of those already seen in a resumed state.
    Raises DivergedError if the weights are no longer finite.
    """
    evaluator = build_evaluator(config, schedule.seed)
    if isinstance(evaluator, Coordinates):
        if real.conditions is not None and config.classifies:
            # All at once: points are as small as their labels.
            evaluator.head.fit(real.take(torch.arange(len(real))).flatten(1).cpu(), real.conditions.cpu())
        return evaluator.to(real.device).eval()
    learn(evaluator, real, schedule, config.condition, progress=progress, keeper=keeper)
    return evaluator


class Learning:
    """The training of a network on real images: its state can be saved after any step, and resumes to the same bits.

    The network learns to give logits `[N,K]` of the images' condition, or, without a condition, the images again.
    """

    def __init__(self, network: nn.Module, real: RealImages, schedule: Schedule, condition: Condition | None) -> None:
        self.network, self.real, self.schedule, self.condition = network, real, schedule, condition
        move(network, real.device)
        rate, self.step, self.steps = schedule.learning_rate, 0, -(-schedule.images // schedule.batch_size)
        adam = without_compiler(torch.optim.AdamW)
        self.optimizer = adam(network.parameters(), rate, weight_decay=_WEIGHT_DECAY, fused=True)
        self.pace = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rate, self.steps, pct_start=_WARM_UP)

    @property
    def images_seen(self) -> int:
        return self.step * self.schedule.batch_size

    def turn(self) -> None:
        """Learn from one batch."""
        images, condition = self.real.batch(self.images_seen, self.schedule.batch_size)
        random = stream(self.schedule.seed, "evaluator/shift", self.images_seen)
        shifted = random_shift(images, random, self.schedule.still)
        precision = choose_precision("auto", images.device, tuple(images.shape[1:]))
        with torch.autocast(images.device.type, dtype=precision, enabled=precision != torch.float32):
            answer = self.network(shifted).float()
        if self.condition is None:
            assert isinstance(self.network, Evaluator)  # any other network has a condition
            loss = self.network.own_loss(shifted, answer)
        else:
            assert condition is not None
            loss = self.condition.loss(answer, condition)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.pace.step()
        self.step += 1

    def state(self) -> dict[str, Tensor]:
        """All that is needed to resume, together with `images_seen`."""
        weights = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        return weights | {f"optimizer.{name}": tensor for name, tensor in slots_of(self.optimizer).items()}

    def load(self, tensors: dict[str, Tensor], images_seen: int) -> None:
        """The inverse of `state`, for a state before the last step."""
        self.step = images_seen // self.schedule.batch_size
        self.network.load_state_dict(under("network", tensors))
        load_slots(self.optimizer, under("optimizer", tensors))
        self.pace.load_state_dict({"last_epoch": self.step - 1, "_step_count": self.step + 1})
        self.pace.step()  # rate and momentum follow from the number of the step alone


class Keeper(Protocol):
    """Saves states of a `Learning`, so that it can resume."""

    def load(self, learning: Learning) -> None:
        """Called before the first step: load the saved state, if there is one."""

    def after(self, learning: Learning) -> None:
        """Called after each step."""


def learn(
    network: nn.Module,
    real: RealImages,
    schedule: Schedule,
    condition: Condition | None,
    *,
    what: str = "the evaluator",
    progress: Callable[[int], object] = lambda images: None,
    keeper: Keeper | None = None,
) -> None:
    """Train a network on real images, each shifted at random, on their device; it ends in evaluation mode.

    See `Learning`. Raises DivergedError if the weights are no longer finite.
    """
    learning = Learning(network, real, schedule, condition)
    if keeper:
        keeper.load(learning)
        progress(learning.images_seen)
    while learning.step < learning.steps:
        learning.turn()
        progress(schedule.batch_size)
        if keeper:
            keeper.after(learning)
    if not all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()):
        raise DivergedError(f"{what}'s weights are not finite after {learning.images_seen:,} images")
    network.requires_grad_(False).eval()
