"""What a game is: sides that move in turn, each with its own losses. `mintage/engine.py` plays any game."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mintage import catalog, processes
from mintage.conditioning.heads import Judgment
from mintage.data import RealImages
from mintage.dataset import Signature
from mintage.latents import draw
from mintage.layers import Layers
from mintage.model_config import ModelConfig
from mintage.objectives import Knobs, Objective
from mintage.players import Discriminator, Generator
from mintage.randomness import stream
from mintage.recipes import Recipe

Made = TypeVar("Made")
Losses = dict[str, Tensor]
"""Scalars by the name of their column in train.tsv; a side descends their sum."""
Shown = tuple[Tensor, Tensor | None]
"""Images `[N,C,H,W]`, and their condition, labels `[N]`, attributes `[N,K]` or sources `[N,S,H,W]`, shown with them."""


@dataclass(frozen=True)
class Step:
    """One batch: which images it has, and where all its randomness comes from."""

    seed: int
    position: int
    """Images seen before this batch."""
    size: int
    """Images in the batch, over all processes."""

    @property
    def rows(self) -> tuple[int, int]:
        """The position of this process's first image, and how many it has."""
        size = self.size // processes.count()
        return self.position + processes.rank() * size, size

    def random(self, purpose: str) -> torch.Generator:
        """This batch's random numbers for one purpose: no two purposes share a stream."""
        return stream(self.seed, purpose, self.position)

    def latents(self, config: ModelConfig, device: torch.device, purpose: str = "latent") -> Tensor:
        """This process's latents `[N,L]`, drawn for the whole batch."""
        drawn = processes.share(draw(config, self.size, self.random(purpose)))
        return drawn.to(device, non_blocking=True)


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
        """The scene of one side, cut into `count` smaller batches, each with a cache of its own."""
        if count == 1:
            return [self]
        size = self.step.size // count
        steps = [Step(self.step.seed, self.step.position + part * size, size) for part in range(count)]
        return [Scene(step, (side,), self.real, self.device) for step in steps]

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` returns, kept for the sides that move later in this step."""
        if name not in self.cache:
            self.cache[name] = make()
        return self.cache[name]


class Game(nn.Module):
    """The `sides` move in this order, each with its own optimizer.

    All other state is in buffers of the children, so the engine saves and resumes any game in the same way.
    """

    sides: tuple[str, ...]
    released: tuple[str, ...]
    """Children that have a moving average, and that are measured and released."""
    of_domains = False
    """Whether it learns from two domains without pairs."""
    learns_classes = False
    """In a game of two domains: whether it also learns from the classes of both."""
    compares = False
    """In a game of two domains: whether it also learns an embedding of images, which its terms may compare."""
    couples = False
    """In a game of two domains: whether one latent gives an image of each, and no image is translated."""
    of_words = False
    """Whether it learns from sequences of words."""
    encodes = False
    """Whether its generator comes with an encoder, which is released with it."""
    inverts = False
    """Whether it learns only an encoder, for a generator that is already trained."""
    autocast: AbstractContextManager[Any] = nullcontext()
    """The context in which networks run in the engine's precision; losses are computed outside it, in float32."""

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Game":
        """The recipe's game for images of this signature, on the CPU; `seed` decides the first weights."""
        raise NotImplementedError

    def stand_on(self, first: Generator) -> None:
        """Take the weights of the first stage from this generator. Raises RuntimeError where they do not fit."""
        raise NotImplementedError

    def mover(self, side: str) -> nn.Module:
        """The module of a side: the child of that name, unless the game keeps it elsewhere."""
        return self.get_submodule(side)

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        """The steps of the turn that begins after `images_seen` images: for each step its sides, in order."""
        raise NotImplementedError

    def losses(self, side: str, scene: Scene) -> Losses:
        """The losses that the side descends. Meanwhile the sides before it in `sides` are frozen."""
        raise NotImplementedError

    def waits(self, side: str) -> Tensor | None:
        """A scalar on the device: 1 if the side pauses in this turn, 0 if it moves; None if it always moves.

        Its losses are reported either way.
        """
        return None

    def probability(self, images: Tensor) -> Tensor | None:
        """How likely each image `[N,C,H,W]` is real, `[N]` in [0,1]; None if the game gives no such probability."""
        return None

    def after(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """Called when a side has moved, after all parts of a batch; returns more columns of train.tsv, or none."""
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


class OneDiscriminator(TwoPlayers):
    """Two players with a single discriminator, which judges all images."""

    discriminator: Discriminator

    def judge(self, *shown: Shown) -> list[Judgment]:
        """Each batch in its own pass if D has batch norm, through which batches would mix; else all in one pass."""
        head = self.discriminator.head
        apart = Layers(self.recipe.discriminator.normalization).batch or (head is not None and head.batch_norm)
        with self.autocast:
            if apart:
                return [self.discriminator(*one) for one in shown]
            images, conditions = zip(*shown, strict=True)
            condition = None if conditions[0] is None else torch.cat(conditions)
            judgment: Judgment = self.discriminator(torch.cat(images), condition)
            return judgment.split(len(shown))

    @torch.no_grad()
    def judge_alone(self, images: Tensor) -> Tensor:
        """sigmoid(logit) `[N]`, on the CPU, of images `[N,C,H,W]`, each by itself."""
        self.discriminator.eval()
        logits: Tensor = self.discriminator(images.to(next(self.discriminator.parameters()).device)).logit
        self.discriminator.train()
        return logits.sigmoid().float().cpu()


def gathered(parts: list[Scene], *names: str) -> Tensor:
    """What each part of a batch has in its cache under these names, as rows, of all processes."""
    return processes.gathered(torch.cat([part.cache[name] for part in parts for name in names]))
