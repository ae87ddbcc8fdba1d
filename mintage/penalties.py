"""What bounds the discriminator's slope: terms of its loss, and weight clipping.

A critic is images `[N,C,H,W]` -> logits `[M]` in float32. M is N; N / m if m images are judged together; N P if P
patches are judged each by itself, and then an image's logit is their mean. Gradients are taken by image and their norms
by judgment, never over the batch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mintage import processes
from mintage.optimizers import faded
from mintage.randomness import uniform, uniform_by_image
from mintage.recipes import PenaltyRecipe

Critic = Callable[[Tensor], Tensor]
Loss = Callable[[Critic, Tensor, Tensor, torch.Generator], Tensor]
"""(critic, real, fake, random) -> scalar."""


def squared_slopes(critic: Critic, images: Tensor) -> Tensor:
    """The squared norm `[M]` of each judgment's gradient with respect to its images; it is differentiable."""
    return _judged(critic, images)[1]


def _judged(critic: Critic, images: Tensor) -> tuple[Tensor, Tensor]:
    """Each judgment `[M]`, or the mean of an image's patches `[N]`, and its squared slope."""
    images = images.detach().requires_grad_(True)
    logits = critic(images)
    if len(logits) > len(images):
        logits = logits.reshape(len(images), -1).mean(1)
    # The sum's gradient is that of each judgment, since no judgment depends on another's images.
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return logits, gradient.reshape(len(logits), -1).square().sum(1)


def _distance_to_one(squared: Tensor) -> Tensor:
    # A root's gradient at 0 is infinite: a dead critic would get NaN.
    return ((squared + 1e-12).sqrt() - 1).square().mean()


def wgan_gp(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """E (|grad D| - 1)^2 at random points between real and fake images (Gulrajani et al. 2017)."""
    return _distance_to_one(squared_slopes(critic, torch.lerp(fake, real, uniform_by_image(real, random))))


def dragan(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """E (|grad D| - 1)^2 around real images alone (Kodali et al. 2017): noise of half their standard deviation."""
    noise = uniform(real.shape, random, real.device)
    return _distance_to_one(squared_slopes(critic, real + 0.5 * _spread(real) * noise * uniform_by_image(real, random)))


def _spread(images: Tensor) -> Tensor:
    """The standard deviation of all values of the whole batch, which may be spread over processes."""
    mean = processes.total(images.mean()) / processes.count()
    squares = processes.total((images - mean).square().sum())
    return (squares / (images.numel() * processes.count() - 1)).sqrt()


def r1(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """E |grad D|^2 / 2 at real images (Mescheder et al. 2018, equation 9)."""
    return squared_slopes(critic, real).mean() / 2


def r2(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """E |grad D|^2 / 2 at fake images (equation 10)."""
    return squared_slopes(critic, fake).mean() / 2


def roth(critic: Critic, real: Tensor, fake: Tensor, random: torch.Generator) -> Tensor:
    """E [(1 - D)^2 |grad|^2] / 2 on real images and E [D^2 |grad|^2] / 2 on fake ones, D = sigmoid(logit).

    The Jensen-Shannon regularizer of Roth et al. 2017, equation 21: R1 and R2, weighted by how uncertain D is. As in
    the authors' code, gradients also go through these weights.
    """
    (on_real, of_real), (on_fake, of_fake) = _judged(critic, real), _judged(critic, fake)
    doubt, belief = (1 - on_real.sigmoid()).square(), on_fake.sigmoid().square()
    return ((doubt * of_real).mean() + (belief * of_fake).mean()) / 2


@torch.no_grad()
def clip(discriminator: nn.Module, bound: float) -> None:
    """Clip every weight to [-bound, bound] (Arjovsky et al. 2017, algorithm 1)."""
    for weight in discriminator.parameters():
        weight.clamp_(-bound, bound)


@dataclass(frozen=True)
class Penalty:
    """A term added to the loss, or a projection applied to the weights after a step."""

    weight: float
    """The paper's weight; if weights are clipped, the bound."""
    loss: Loss | None = None
    project: Callable[[nn.Module, float], None] | None = None
    of_probability: bool = False
    """Whether it reads a logit as a probability."""

    @property
    def per_sample(self) -> bool:
        """Whether it needs judgments that do not depend on the rest of the batch."""
        return self.loss is not None


def weighted(
    penalties: Iterable[tuple[PenaltyRecipe, Penalty]],
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    *,
    random: Callable[[str], torch.Generator],
    decayed: float,
) -> Tensor:
    """The sum of a step's penalties, in float32, each multiplied by its interval in steps; 0 without penalties.

    `random` gives a stream for a purpose; `decayed` in [0,1] is the share of the weights' decay that is done.
    """
    total = torch.zeros((), device=real.device)
    for recipe, penalty in penalties:
        if penalty.loss is not None:
            value = penalty.loss(critic, real, fake, random(f"penalty/{recipe.name}"))
            total = total + faded(recipe.weight or penalty.weight, recipe.last, decayed) * recipe.interval * value
    return total


CLIPPING = Penalty(0.01, project=clip)
WGAN_GP = Penalty(10.0, wgan_gp)
DRAGAN = Penalty(10.0, dragan)
R1 = Penalty(1.0, r1)
R2 = Penalty(1.0, r2)
ROTH = Penalty(2.0, roth, of_probability=True)
