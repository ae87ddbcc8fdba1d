"""Fully connected players, as in Goodfellow et al. 2014, with leaky units in place of maxout."""

import math
from itertools import pairwise

from torch import Tensor, nn

SLOPE = 0.2


class Generator(nn.Module):
    """A vector `[N, input_size]` to an image `[N,C,H,W]` in [-1,1]."""

    def __init__(self, input_size: int, image_shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        sizes = [input_size, width, 2 * width, 4 * width]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(sizes)):
            layers += [nn.Linear(before, after)]
            layers += [nn.BatchNorm1d(after)] if i else []  # none on the first layer, which sees the latent itself
            layers += [nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], math.prod(image_shape)), nn.Tanh())
        self.image_shape = image_shape

    def forward(self, vector: Tensor) -> Tensor:
        pixels: Tensor = self.layers(vector)
        return pixels.view(-1, *self.image_shape)


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`."""

    def __init__(self, image_shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.feature_size = width
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(image_shape), 2 * width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(2 * width, width),
            nn.LeakyReLU(SLOPE),
        )

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.layers(image)
        return features
