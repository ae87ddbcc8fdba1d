"""From an image back to a latent: the encoder that a generator may come with (Kingma and Welling 2014)."""

from typing import NamedTuple

from torch import Tensor, nn

from mintage import catalog
from mintage.layers import Layers


class Codes(NamedTuple):
    """An encoder's output for N images: for each a normal distribution of latents with independent dimensions."""

    mean: Tensor
    """`[N,L]`, float32."""
    log_variance: Tensor
    """`[N,L]`, float32."""

    def draw(self, noise: Tensor) -> Tensor:
        """Latents `[N,L]` from standard normal noise `[N,L]`, with gradients to mean and variance (section 2.4)."""
        return self.mean + (self.log_variance / 2).exp() * noise

    def divergence(self) -> Tensor:
        """KL(N(mean, variance) || N(0, 1)) in nats, summed over dimensions, as a mean over images (appendix B)."""
        terms = self.mean.square() + self.log_variance.exp() - self.log_variance - 1
        return terms.sum(1).mean() / 2


class Encoder(nn.Module):
    """Images `[N,C,H,W]` in [-1,1] to `Codes`: the layers of a network's discriminator, and a mean and a variance."""

    def __init__(self, network: str, image_shape: tuple[int, ...], width: int, kit: Layers, size: int) -> None:
        super().__init__()
        self.network = catalog.load("network", network).discriminator(image_shape, width, kit)
        self.output = nn.Linear(self.network.feature_size, 2 * size)
        kit.initialize(self)
        kit.constrain(self)

    def forward(self, images: Tensor) -> Codes:
        return Codes(*self.output(self.network(images)).float().chunk(2, dim=1))


def squared_distance(one: Tensor, other: Tensor) -> Tensor:
    """Half the squared differences, summed over all dimensions but the first, as a mean over the first; in float32.

    This is minus the log-likelihood of one under a normal distribution of variance 1 around the other, plus a constant.
    """
    return (one.float() - other.float()).square().flatten(1).sum(1).mean() / 2


def with_gradient(value: Tensor, of: Tensor, gradient: Tensor) -> Tensor:
    """A scalar with this value and this gradient at `of`, so that backward computes nothing before `of` again."""
    path = (of * gradient).sum()
    return value.detach() + (path - path.detach())
