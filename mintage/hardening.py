"""What makes the discriminator's task harder, so that it does not win early: noise, flipped labels, mixed batches."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mintage import processes
from mintage.conditioning.heads import Judgement
from mintage.randomness import normal, uniform


class Pair(NamedTuple):
    """Real and generated images `[N,C,H,W]`, or the judgements of both."""

    real: Tensor
    fake: Tensor


def exchange(pair: Pair, chosen: Tensor) -> Pair:
    """Real and fake in each other's place in the rows `[N]` (bool) that are chosen."""
    rows = chosen.view(-1, *[1] * (pair.real.ndim - 1))
    return Pair(torch.where(rows, pair.fake, pair.real), torch.where(rows, pair.real, pair.fake))


def exchange_judgements(real: Judgement, fake: Judgement, chosen: Tensor) -> tuple[Judgement, Judgement]:
    """The same of all that was said of them: undoes an exchange of the images that were judged."""

    def of_both(one: Tensor | None, other: Tensor | None) -> Pair | tuple[None, None]:
        return (None, None) if one is None or other is None else exchange(Pair(one, other), chosen)

    logits, features = (
        exchange(Pair(real.logit, fake.logit), chosen),
        exchange(Pair(real.features, fake.features), chosen),
    )
    classes, codes = of_both(real.class_logits, fake.class_logits), of_both(real.code, fake.code)
    one, other = (Judgement(logits[i], features[i], classes[i], codes[i]) for i in (0, 1))
    return one, other


def coins(rows: int, share: float, random: torch.Generator, device: torch.device) -> Tensor:
    """A choice of each row with this probability: `[N]`, bool."""
    return (uniform((rows,), random) < share).to(device, non_blocking=True)


def add_noise(images: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    """Gaussian noise on every pixel, in float32 (Sonderby et al. 2017; Arjovsky and Bottou 2017); none for 0."""
    if deviation == 0:
        return images
    return images.float() + deviation * normal(images.shape, random).to(images.device, non_blocking=True)


def noise_at(deviation: float, images_seen: int, fades_over: float) -> float:
    """The deviation of the noise after so many images: it falls to 0 in a straight line, or stays where that is 0."""
    return deviation * max(0.0, 1 - images_seen / fades_over) if fades_over else deviation


class Balance(nn.Module):
    """The discriminator waits if it was right on more than this share of the last step (as 3D-GAN's authors do)."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit
        self.accuracy: Tensor
        self.register_buffer("accuracy", torch.zeros(()))

    def waits(self) -> Tensor:
        """1 where it does, else 0."""
        return (self.accuracy > self.limit).float()


EQUILIBRIUM = 0.68
"""Of the cross-entropy, in nats: about log 2, at which the discriminator only guesses."""


class Equilibrium(nn.Module):
    """The player that is too far ahead waits, unless both are (Larsen et al. 2016's code)."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin
        self.costs: Tensor
        self.register_buffer("costs", torch.full((2,), EQUILIBRIUM), persistent=False)  # each step sees its own

    def see(self, real: Tensor, fake: Tensor) -> None:
        """Logits of real and of other images, of this step; every process's."""
        costs = torch.stack([softplus(-real).mean(), softplus(fake).mean()]).detach()
        self.costs.copy_(processes.total(costs) / processes.count())

    def waits(self, discriminator: bool) -> Tensor:
        """1 where the discriminator, or else the generator, does; else 0."""
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
        """Fakes `[N,C,H,W]`, about half of them exchanged for earlier ones that were kept, N at most as many as those.

        It takes what comes until it is full. Then each fake is shown, or, by a coin, kept in the place of an earlier
        one, which is shown instead. Nothing is read back from the device.
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
