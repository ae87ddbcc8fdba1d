"""The latent space of a finished generator: walks, arithmetic, truncation, one number of a code at a time."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.special import ndtr, ndtri

from mintage.latents import draw, with_category
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.randomness import stream

_STATISTICS_BATCHES, _STATISTICS_BATCH = 16, 128
"""Batches of truncated noise over which batch norm's statistics are measured again, and latents in each."""


def path(config: ModelConfig, start: Tensor, end: Tensor, steps: int, spherical: bool) -> Tensor:
    """`steps` latents from `start` to `end`: noise on an arc or a line, numbers of a code on a line.

    The category of a code does not change.
    """
    size, categories = config.latent_size, config.code_categories
    line = torch.lerp(start, end, torch.linspace(0, 1, steps).unsqueeze(1))
    if spherical:
        line[:, :size] = slerp(start[:size], end[:size], steps)
    line[:, size : size + categories] = start[size : size + categories]
    return line


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """`steps` latents `[steps, latent_size]` on the arc from `start` to `end`, both `[latent_size]` (Shoemake 1985).

    A straight line between two normal latents passes through lengths that the generator never saw in training
    (White 2016). Only from zeros, and between parallel latents, the path is a straight line.
    """
    amount = torch.linspace(0, 1, steps, dtype=torch.float64).unsqueeze(1)
    a, b = start.double(), end.double()
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if angle.isnan() or angle.sin() < 1e-6:  # a latent of zeros has no direction
        return (a + amount * (b - a)).float()
    return ((((1 - amount) * angle).sin() * a + (amount * angle).sin() * b) / angle.sin()).float()


def truncated(noise: Tensor, limit: float) -> Tensor:
    """Normal noise within `limit` of 0: the truncation trick (Brock et al. 2019), without its resampling.

    Each number becomes the number of equal rank in the normal distribution cut at `limit`. The distribution is the same
    as with resampling of larger numbers, but each latent keeps its identity, so its image can be compared.
    """
    low, high = ndtr(torch.tensor([-limit, limit], dtype=torch.float64))
    cut: Tensor = ndtri(low + ndtr(noise.double()) * (high - low))
    return cut.clamp(-limit, limit).float()


def arithmetic(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """mean(a) - mean(b) + mean(c) of latents (Radford et al. 2016, figure 7); each `[N, L]`.

    With three latents or more in each mean, the result is about as long as a latent of training; with one it is longer.
    """
    return a.mean(0) - b.mean(0) + c.mean(0)


def by_category(config: ModelConfig, latents: Tensor) -> Tensor:
    """The same latents `[N, L]` in each category in turn: `[categories, N, L]`."""
    categories = torch.arange(config.code_categories)
    return torch.stack([with_category(config, latents, category.expand(len(latents))) for category in categories])


def along_code(config: ModelConfig, latents: Tensor, number: int, reach: float, steps: int) -> Tensor:
    """Each of the latents `[N, L]`, with one number of its code going from -reach to reach: `[N, steps, L]`.

    InfoGAN's paper shows numbers trained on [-1,1] from -2 to 2 (Chen et al. 2016, figure 2).
    """
    moved = latents.unsqueeze(1).repeat(1, steps, 1)
    moved[:, :, config.latent_size + config.code_categories + number] = torch.linspace(-reach, reach, steps)
    return moved


class Blend(nn.Module):
    """A conditional generator that gets several classes at once, each with a weight that may be negative.

    The classes' inputs to the network, such as embeddings, are summed by the weights, in both stages if there are two.
    The latent is unchanged if the weights sum to 1. (latents `[N, L]`, labels `[N, K]`) -> images `[N,C,H,W]`.
    """

    def __init__(self, generator: Generator, weights: Sequence[float]) -> None:
        super().__init__()
        self.generator, self.weights = generator, list(weights)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        inputs = [self.generator.conditioning(latent, label) for label in labels.unbind(1)]
        first = [] if self.generator.first is None else [Blend(self.generator.first, self.weights)(latent, labels)]
        return self.generator.network(*first, *(self._sum(parts) for parts in zip(*inputs, strict=True)))

    def _sum(self, parts: Sequence[Tensor | None]) -> Tensor | None:
        weighted = [weight * part for weight, part in zip(self.weights, parts, strict=True) if part is not None]
        return torch.stack(weighted).sum(0) if weighted else None


class Truncated(Generator):
    """A copy of a generator that applies `truncated` to its noise; a code is unchanged.

    Batch norm's running statistics are measured again on truncated noise, every class equally often: statistics of the
    full noise would spoil the images far more than truncation does. The generators that Brock et al. published have
    statistics for each threshold, too.
    """

    def __init__(self, generator: Generator, limit: float) -> None:
        nn.Module.__init__(self)
        self.config, self.generator, self.limit = generator.config, deepcopy(generator), limit
        self.examples = self.generator.examples
        self._measure_statistics()

    @torch.no_grad()
    def _measure_statistics(self) -> None:
        """Set batch norm's statistics to means over some batches, each from its own stream; nothing else changes."""
        norms = [m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
        momenta = [norm.momentum for norm in norms]
        self.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches that follow
            norm.train()
        device, classes = next(self.parameters()).device, self.config.class_count
        for number in range(_STATISTICS_BATCHES if norms else 0):
            random = stream(0, "truncation/statistics", number)
            latents = draw(self.config, _STATISTICS_BATCH, random)
            conditions = None
            if self.config.conditional:
                conditions = torch.randint(classes, (len(latents),), generator=random)
            elif self.examples is not None:
                conditions = self.examples[torch.randint(len(self.examples), (len(latents),), generator=random)]
            self(latents.to(device), None if conditions is None else conditions.to(device))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.eval()

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        size = self.config.latent_size
        cut = torch.cat([truncated(latent[:, :size], self.limit), latent[:, size:]], dim=1)
        return self.generator(cut, condition)
