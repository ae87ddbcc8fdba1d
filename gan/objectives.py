"""What the two players minimise, on logits: D(x) = sigmoid(logit). Goodfellow et al. 2014, section 3.

`real` and `fake` are the discriminator's logits `[N]` on real and on generated images.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

VALUE_OPTIMUM = -math.log(4)
"""V(G, D*) when the generator's density is the data's (theorem 1)."""


@dataclass(frozen=True)
class Objective:
    discriminator_loss: Callable[[Tensor, Tensor, float], Tensor]
    """(real, fake, label_smoothing) -> scalar."""
    generator_loss: Callable[[Tensor], Tensor]
    """(fake) -> scalar."""


def value(real: Tensor, fake: Tensor) -> Tensor:
    """V(G, D) = E log D(x) + E log(1 - D(G(z))) (equation 1): what D maximises and G minimises."""
    return -softplus(-real).mean() - softplus(fake).mean()


def cross_entropy(real: Tensor, fake: Tensor, label_smoothing: float) -> Tensor:
    """-V(G, D); one-sided smoothing s makes the target of real images 1 - s (Salimans et al. 2016, 3.4)."""
    smoothed = (1 - label_smoothing) * softplus(-real) + label_smoothing * softplus(real)
    return smoothed.mean() + softplus(fake).mean()


def saturating(fake: Tensor) -> Tensor:
    """E log(1 - D(G(z))): the minimax game itself; its gradient fades where D is sure."""
    return -softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """-E log D(G(z)): the same fixed point, strong gradients early (the paper's advice in section 3)."""
    return softplus(-fake).mean()


OBJECTIVES = {
    "minimax": Objective(cross_entropy, saturating),
    "non_saturating": Objective(cross_entropy, non_saturating),
}
