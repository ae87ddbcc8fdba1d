"""What a game is: sides that move in turn, each by losses of its own. `mintage/engine.py` plays any of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mintage import catalog, processes
from mintage.data import RealImages
from mintage.dataset import Signature
from mintage.objectives import Knobs, Objective
from mintage.players import Generator
from mintage.randomness import stream
from mintage.recipes import Recipe

Made = TypeVar("Made")
Losses = dict[str, Tensor]
"""Scalars by the name of their column in train.tsv; a side descends their sum."""


@dataclass(frozen=True)
class Step:
    """One batch: which images it has, and where all its randomness comes from."""

    seed: int
    position: int
    """Images seen before it."""
    size: int
    """Of the whole batch."""

    @property
    def rows(self) -> tuple[int, int]:
        """The position of this process's first image, and how many it has."""
        size = self.size // processes.count()
        return self.position + processes.rank() * size, size

    def random(self, purpose: str) -> torch.Generator:
        """A stream of random numbers of its own for each purpose."""
        return stream(self.seed, purpose, self.position)


@dataclass(frozen=True)
class Scene:
    """What the sides that move in one step look at."""

    step: Step
    sides: tuple[str, ...]
    """Who moves in this step, in this order."""
    real: RealImages
    device: torch.device
    cache: dict[str, Any] = field(default_factory=dict)

    def parts(self, side: str, count: int) -> "list[Scene]":
        """The scene in which a side moves, as so many of smaller batches, of which none keeps what another has seen."""
        if count == 1:
            return [self]
        size = self.step.size // count
        steps = [Step(self.step.seed, self.step.position + part * size, size) for part in range(count)]
        return [Scene(step, (side,), self.real, self.device) for step in steps]

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` returns, kept for the sides that move later in this step."""
        if name not in self.cache:
            self.cache[name] = make()
        made: Made = self.cache[name]
        return made


class Game(nn.Module):
    """The `sides` move in this order, each by an optimizer of its own.

    Whatever else a game remembers is a buffer of a child, so that the engine saves and resumes it without knowing it.
    """

    sides: tuple[str, ...]
    released: tuple[str, ...]
    """Children of which a moving average is kept, and which are measured and shared."""
    of_domains = False
    """Whether it learns from two domains without pairs."""
    learns_classes = False
    """Whether, of such, it learns from the classes of both, too."""
    compares = False
    """Whether, of such, it learns to tell images apart, too, by what its terms may hold a translation."""
    couples = False
    """Whether, of such, it makes of one latent an image of each, and translates none."""
    of_words = False
    """Whether it learns from sequences of words."""
    encodes = False
    """Whether its generator comes with an encoder, which is released with it."""
    inverts = False
    """Whether it learns such an encoder alone, of a generator that is there already."""
    autocast: AbstractContextManager[Any] = nullcontext()
    """Within it networks run in the engine's precision; losses are made outside, in float32."""

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Game":
        """The recipe's game for such images, on the CPU; `seed` decides its first weights."""
        raise NotImplementedError

    def stand_on(self, first: Generator) -> None:
        """Take the weights of the first stage from this generator. Raises RuntimeError where they are another's."""
        raise NotImplementedError

    def mover(self, side: str) -> nn.Module:
        """What a side consists of: the child of its name, unless a game has it elsewhere."""
        return self.get_submodule(side)

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        """The steps of the turn that begins after so many images: for each the sides that move in it, in order."""
        raise NotImplementedError

    def losses(self, side: str, scene: Scene) -> Losses:
        """What the side descends. The sides before it in `sides` are frozen meanwhile."""
        raise NotImplementedError

    def waits(self, side: str) -> Tensor | None:
        """1 where a side stays as it is in its turn, 0 where it moves, a scalar on the device; None if it always moves.

        Its losses are written either way.
        """
        return None

    def probability(self, images: Tensor) -> Tensor | None:
        """How likely each image `[N,C,H,W]` is real, `[N]` in [0,1]; None where no side says so."""
        return None

    def after(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """What else happens when a side has moved, after all parts of a batch; more columns of train.tsv, or none."""
        return {}


class TwoPlayers(Game):
    """A generator, a discriminator (or several, as one module), and the objective that sets them against each other."""

    sides: tuple[str, ...] = ("discriminator", "generator")
    released = ("generator",)
    generator: Generator
    objective: Objective

    def __init__(self, generator: Generator, discriminator: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.config = generator.config
        self.generator = generator
        self.discriminator = discriminator
        knobs = Knobs(recipe.label_smoothing, recipe.targets, recipe.gamma, recipe.k_rate)
        self.objective = catalog.load("objective", recipe.objective)(knobs)
