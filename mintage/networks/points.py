"""Fully connected players for points of a few coordinates: deep and narrow, with a discriminator that sees detail.

A plain MLP learns slow variation long before fast variation, and modes may be only a hundredth of the range wide. So
the discriminator also gets sines and cosines of each coordinate (Tancik et al. 2020).
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from mintage.layers import Layers, Modulated
from mintage.networks import Network
from mintage.networks.parts import SLOPE, Shape

_GENERATOR_LAYERS, _DISCRIMINATOR_LAYERS = 10, 6
"""With each layer the generator's step from one mode to the next is steeper, and fewer points fall in between."""
_OCTAVES = 5
"""Waves of length 2, 1, 1/2, 1/4, 1/8: coordinates are in [-1,1]."""


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation) to a point `[N,C,H,W]` in [-1,1]; it has no feature map for a plane."""

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        hidden = _hidden([vector_size] + [width] * _GENERATOR_LAYERS, kit)
        self.layers = Modulated(*hidden, nn.Linear(width, math.prod(image_shape)), nn.Tanh())
        self.image_shape = image_shape
        self.apply(_initialize)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        values: Tensor = self.layers(vector, modulation)
        return values.view(-1, *self.image_shape)


class Discriminator(nn.Module):
    """A point `[N,C,H,W]` to features `[N, feature_size]`."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        self.feature_size = width
        inputs = (1 + 2 * _OCTAVES) * math.prod(image_shape)
        self.layers = nn.Sequential(*_hidden([inputs] + [width] * _DISCRIMINATOR_LAYERS, kit))
        self.waves: Tensor
        self.register_buffer("waves", math.pi * 2.0 ** torch.arange(_OCTAVES), persistent=False)
        self.apply(_initialize)

    def forward(self, image: Tensor) -> Tensor:
        values = image.flatten(1)
        phases = (values[:, :, None] * self.waves).flatten(1)
        return self.layers(torch.cat([values, phases.sin(), phases.cos()], dim=1))


def _hidden(sizes: list[int], kit: Layers) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(sizes)):
        # No norm on the first layer, which sees the latent or the point itself.
        layers += [nn.Linear(before, after), *([kit.norm(after, maps=False)] if i else []), nn.LeakyReLU(SLOPE)]
    return layers


def _initialize(module: nn.Module) -> None:
    """Weights that keep a signal's size through the layers (He et al. 2015): with torch's default it fades."""
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, SLOPE, nonlinearity="leaky_relu")


NETWORK = Network(Generator, Discriminator, ("none", "none"), has_maps=False, norms_units=True, deep=True)
