"""What the two players minimize. `real` and `fake` are the discriminator's logits `[N]`, one for each judgment.

An objective is a module, so that its state between turns (BEGAN's k) is saved with the game.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

VALUE_OPTIMUM = -math.log(4)
"""V(G, D*) when the generator's density is the data's (theorem 1 of Goodfellow et al. 2014)."""


@dataclass(frozen=True)
class Knobs:
    """All settings of objectives; each objective reads its own."""

    label_smoothing: float = 0.0
    """s: the target of real images is 1 - s, one-sided (Salimans et al. 2016, 3.4)."""
    targets: tuple[float, float, float] = (0.0, 1.0, 1.0)
    """Least squares: the targets a for fake and b for real images, and c, the generator's target for fakes."""
    gamma: float = 0.75
    """BEGAN: the ratio of reconstruction errors, fake over real, that k holds; low is sharp, high is diverse."""
    k_rate: float = 0.001
    """BEGAN: how fast k follows, the paper's lambda_k."""


class Objective(nn.Module):
    """The losses of both players, and what they need from the game."""

    probability = False
    """Whether sigmoid(logit) is the probability that an image is real."""
    pairs = False
    """Whether the generator's loss compares with real images."""
    reconstructs = False
    """Whether the logit must be minus a reconstruction error, in place of a score."""
    needs_lipschitz = False
    """Whether the loss is unbounded unless the discriminator's slope is bounded."""
    decides = False
    """Whether a threshold on the logits decides which images are taken for real."""

    def __init__(self, knobs: Knobs | None = None) -> None:
        super().__init__()
        self.knobs = knobs or Knobs()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        raise NotImplementedError

    def softened_loss(self, real: Tensor, fake: Tensor, softness: Tensor) -> Tensor:
        """`discriminator_loss` with a separate target for each image, 1 - s if real and s if fake: s `[N]` in [0,1]."""
        raise NotImplementedError

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The generator's loss on fakes; `real` is given if `pairs`."""
        raise NotImplementedError

    def after_discriminator(self, real: Tensor, fake: Tensor) -> None:
        """Called with the logits of each step of the discriminator."""

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor | None:
        """The share of images that the discriminator classifies correctly; 0.5 is guessing."""
        return ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2 if self.decides else None

    def statistics(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Columns of train.tsv from a batch of logits: probabilities and V if `probability`, else mean logits."""
        accuracy = self.accuracy(real, fake)
        right = {} if accuracy is None else {"d_accuracy": accuracy}
        if not self.probability:
            return {"d_real": real.mean(), "d_fake": fake.mean(), **right}
        return {"d_real": real.sigmoid().mean(), "d_fake": fake.sigmoid().mean(), "value": value(real, fake), **right}


def value(real: Tensor, fake: Tensor) -> Tensor:
    """V(G, D) = E log D(x) + E log(1 - D(G(z))) (equation 1), which D maximizes and G minimizes."""
    return -softplus(-real).mean() - softplus(fake).mean()


class NonSaturating(Objective):
    """Cross-entropy; the generator maximizes log D(G(z)) (Goodfellow et al. 2014, section 3)."""

    probability = True
    decides = True

    def softened_loss(self, real: Tensor, fake: Tensor, softness: Tensor) -> Tensor:
        on_real = torch.lerp(softplus(-real), softplus(real), softness)
        return (on_real + torch.lerp(softplus(fake), softplus(-fake), softness)).mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        smoothing = self.knobs.label_smoothing
        smoothed = (1 - smoothing) * softplus(-real) + smoothing * softplus(real)
        return smoothed.mean() + softplus(fake).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(-fake).mean()


class Minimax(NonSaturating):
    """The game as it is defined: the generator minimizes V; its gradient vanishes where D is certain."""

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -softplus(fake).mean()


class LeastSquares(Objective):
    """Mao et al. 2017, equation 9."""

    decides = True

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor | None:
        for_fake, for_real, _ = self.knobs.targets
        between, sign = (for_fake + for_real) / 2, 1.0 if for_real >= for_fake else -1.0
        return ((sign * (real - between) > 0).float().mean() + (sign * (fake - between) <= 0).float().mean()) / 2

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        for_fake, for_real, _ = self.knobs.targets
        return ((real - for_real).square().mean() + (fake - for_fake).square().mean()) / 2

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return (fake - self.knobs.targets[2]).square().mean() / 2


class Wasserstein(Objective):
    """The difference of a 1-Lipschitz critic's means on real and fake images (Arjovsky et al. 2017)."""

    needs_lipschitz = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()


class Hinge(Objective):
    """Only judgments within the margin teach the discriminator (Lim and Ye 2017; Miyato et al. 2018)."""

    decides = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (1 - real).relu().mean() + (1 + fake).relu().mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()


class Relativistic(Objective):
    """RpGAN: is the real image of a pair more real than the fake one (Jolicoeur-Martineau 2018; R3GAN 2024)."""

    pairs = True
    decides = True

    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor | None:
        """The share of pairs in which the real image is judged more real."""
        return (real > fake).float().mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        return softplus(real - fake).mean()


class Began(Objective):
    """Boundary equilibrium (Berthelot et al. 2017, 3.3): the logit is minus the error L of an autoencoder.

    k in [0,1] holds E L(G(z)) at gamma times E L(x), so that neither player wins.
    """

    reconstructs = True

    def __init__(self, knobs: Knobs | None = None) -> None:
        super().__init__(knobs)
        self.k: Tensor
        self.register_buffer("k", torch.zeros(()))

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.k * fake.mean() - real.mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()

    def _imbalance(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - self.knobs.gamma * real.mean()

    def after_discriminator(self, real: Tensor, fake: Tensor) -> None:
        self.k.add_(self.knobs.k_rate * self._imbalance(real, fake)).clamp_(0, 1)

    def statistics(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Also k, and the paper's measure of convergence M = L(x) + |gamma L(x) - L(G(z))|."""
        convergence = self._imbalance(real, fake).abs() - real.mean()
        return {**super().statistics(real, fake), "k": self.k.clone(), "convergence": convergence}


def against_each(objective: Objective, real: Tensor, fakes: Iterable[Tensor], softness: Tensor | None = None) -> Tensor:
    """The discriminator's loss against several kinds of fake, each kind with the same share."""
    if softness is not None:
        return torch.stack([objective.softened_loss(real, fake, softness) for fake in fakes]).mean()
    return torch.stack([objective.discriminator_loss(real, fake) for fake in fakes]).mean()
