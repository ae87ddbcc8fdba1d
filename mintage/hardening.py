"""What makes the discriminator's task harder, so that it does not win early: noise, flipped labels, mixed batches."""

from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mintage import processes
from mintage.conditioning.heads import Judgment
from mintage.randomness import normal, uniform


class Pair(NamedTuple):
    """Real and generated images `[N,C,H,W]`, or the judgments of both."""

    real: Tensor
    fake: Tensor


def exchange(pair: Pair, chosen: Tensor) -> Pair:
    """The pair, with real and fake exchanged in the chosen rows `[N]` (bool)."""
    rows = chosen.view(-1, *[1] * (pair.real.ndim - 1))
    return Pair(torch.where(rows, pair.fake, pair.real), torch.where(rows, pair.real, pair.fake))


def exchange_judgments(real: Judgment, fake: Judgment, chosen: Tensor) -> tuple[Judgment, Judgment]:
    """The same for judgments: undoes an exchange of the images that were judged."""

    def of_both(part: str) -> Any:
        one, other = getattr(real, part), getattr(fake, part)
        return (None, None) if one is None else exchange(Pair(one, other), chosen)

    one, other = zip(*(of_both(field.name) for field in fields(Judgment)), strict=True)
    return Judgment(*one), Judgment(*other)


def coins(rows: int, share: float, random: torch.Generator, device: torch.device) -> Tensor:
    """`[N]`, bool: True in each row with probability `share`."""
    return uniform((rows,), random, device) < share


def add_noise(images: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    """Gaussian noise on every pixel, in float32 (Sonderby et al. 2017; Arjovsky and Bottou 2017); unchanged for 0."""
    if deviation == 0:
        return images
    return images.float() + deviation * normal(images.shape, random, images.device)


def noise_at(deviation: float, images_seen: int, fades_over: float) -> float:
    """The noise's deviation after `images_seen`: it falls linearly to 0 over `fades_over` images; 0 means never."""
    return deviation * max(0.0, 1 - images_seen / fades_over) if fades_over else deviation


class Balance(nn.Module):
    """The discriminator waits if it was right on more than this share of the last step (as 3D-GAN's authors do)."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit
        self.accuracy: Tensor
        self.register_buffer("accuracy", torch.zeros(()))

    def waits(self) -> Tensor:
        """A scalar: 1 if the discriminator waits, else 0."""
        return (self.accuracy > self.limit).float()


EQUILIBRIUM = 0.68
"""Cross-entropy in nats, about log 2, at which the discriminator only guesses."""


class Equilibrium(nn.Module):
    """The player that is too far ahead waits, unless both are (Larsen et al. 2016's code)."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin
        self.costs: Tensor
        self.register_buffer("costs", torch.full((2,), EQUILIBRIUM), persistent=False)  # set anew in each step

    def see(self, real: Tensor, fake: Tensor) -> None:
        """Take this step's logits of real and of fake images; costs are averaged over processes."""
        costs = torch.stack([softplus(-real).mean(), softplus(fake).mean()]).detach()
        self.costs.copy_(processes.total(costs) / processes.count())

    def waits(self, discriminator: bool) -> Tensor:
        """A scalar: 1 if the player waits, the discriminator or else the generator; else 0."""
        ahead, behind = self.costs.min() < EQUILIBRIUM - self.margin, self.costs.max() > EQUILIBRIUM + self.margin
        return ((ahead & ~behind) if discriminator else (behind & ~ahead)).float()


class Pool(nn.Module):
    """Earlier fakes, so that the discriminator does not forget what the generator made (Shrivastava et al. 2017)."""

    def __init__(self, size: int, image_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.images: Tensor
        self.taken: Tensor
        self.register_buffer("images", torch.zeros(size, *image_shape))
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, fakes: Tensor, random: torch.Generator) -> Tensor:
        """Fakes `[N,C,H,W]`, about half of them exchanged for earlier ones; N is at most the size of the pool.

        The pool keeps all fakes until it is full. Then each fake is either shown or, by a coin, replaces an earlier one
        in the pool, which is shown instead. Nothing is read back from the device.
        """
        size, count, device = len(self.images), len(fakes), fakes.device
        full = self.taken >= size
        drawn = torch.randperm(size, generator=random)[:count].to(device, non_blocking=True)
        places = torch.where(full, drawn, (self.taken + torch.arange(count, device=device)) % size)
        chosen = (coins(count, 0.5, random, device) & full).view(-1, *[1] * (fakes.ndim - 1))
        earlier = self.images[places].to(fakes.dtype)
        self.images[places] = torch.where(chosen | ~full, fakes, earlier).to(self.images.dtype)
        self.taken += count
        return torch.where(chosen, earlier, fakes)
