"""Fully connected players, as in Goodfellow et al. 2014, with leaky units in place of maxout."""

import math
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from mintage.layers import Layers, Modulated
from mintage.networks import ANY_RANK, Network
from mintage.networks.labeled import Labeled
from mintage.networks.parts import SLOPE, Shape


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation) to an image `[N,C,*S]` in [-1,1]; it has no feature map for a plane."""

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        sizes = [vector_size, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(sizes)):
            layers += [nn.Linear(before, after)]
            # No norm on the first layer, which sees the latent itself.
            layers += [kit.norm(after, maps=False)] if i else []
            layers += [kit.active(nn.LeakyReLU(SLOPE))]
        self.layers = Modulated(*layers, nn.Linear(sizes[-1], math.prod(image_shape)), nn.Tanh())
        self.image_shape = image_shape

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        pixels: Tensor = self.layers(vector, modulation)
        return pixels.view(-1, *self.image_shape)


class Discriminator(nn.Module):
    """An image `[N,C,*S]` to features `[N, feature_size]`; no norm on the first layer."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        self.feature_size = width
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(image_shape), 2 * width),
            kit.active(nn.LeakyReLU(SLOPE)),
            nn.Linear(2 * width, width),
            *kit.then(width, nn.LeakyReLU(SLOPE), maps=False),
        )

    def forward(self, image: Tensor | Labeled) -> Tensor:
        first: Any
        flatten, first, *others = self.layers
        features: Tensor = image.through(first) if isinstance(image, Labeled) else first(flatten(image))
        for layer in others:
            features = layer(features)
        return features


NETWORK = Network(
    Generator, Discriminator, ("batch", "none"), has_maps=False, norms_units=True, plain=True, reads_labeled=True,
    ranks=ANY_RANK,
)  # fmt: skip
