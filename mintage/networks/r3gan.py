"""Residual players without normalization, after R3GAN (Huang et al. 2024, section 4), one block a resolution."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.parts import SLOPE, Plane, Shape, pyramid
from mintage.networks.resampling import Size

_EXPANSION = 2
_GROUP = 16
_GAIN = math.sqrt(2 / (1 + SLOPE**2))


def scaled(layer: nn.Conv2d, gain: float) -> nn.Conv2d:
    """The layer, with weights that multiply the variance by `gain` squared, and biases of 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Block(nn.Module):
    """maps + 1x1, leaky, grouped 3x3, leaky, 1x1; at the start it changes nothing (Fixup, Zhang et al. 2019)."""

    def __init__(self, wide: int, blocks: int) -> None:
        super().__init__()
        inner = wide * _EXPANSION
        groups = math.gcd(inner, max(1, inner // _GROUP))
        gain = _GAIN * blocks**-0.25  # Fixup: three layers in each of `blocks` branches
        self.layers = nn.Sequential(
            scaled(nn.Conv2d(wide, inner, 1), gain),
            nn.LeakyReLU(SLOPE),
            scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=groups), gain),
            nn.LeakyReLU(SLOPE),
            scaled(nn.Conv2d(inner, wide, 1, bias=False), 0.0),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class Resized(nn.Module):
    """Change the resolution, by the authors' filter [1, 3, 3, 1] both ways, then the number of channels.

    Up to `size`, the filter is bilinear interpolation; down, it is bilinear interpolation with antialiasing.
    """

    def __init__(self, before: int, after: int, size: Size | None = None) -> None:
        super().__init__()
        self.channels = scaled(nn.Conv2d(before, after, 1, bias=False), 1.0)
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        if self.size is None:
            half = (-(-maps.shape[2] // 2), -(-maps.shape[3] // 2))
            maps = interpolate(maps.float(), half, mode="bilinear", antialias=True)  # no CPU does it in bfloat16
        else:
            maps = interpolate(maps, self.size, mode="bilinear")
        return self.channels(maps)


class Generator(nn.Module):
    """(vector `[N, vector_size]`, plane) to an image `[N,C,H,W]` in [-1,1]; it has no norm to modulate.

    The first feature map is learned; the vector scales each of its channels.
    """

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps, wide = pyramid(image_size, width, up=True)
        self.scale = nn.Linear(vector_size, wide[0], bias=False)
        nn.init.normal_(self.scale.weight, 0.0, vector_size**-0.5)
        self.basis = nn.Parameter(torch.randn(wide[0], *steps[0]))
        self.plane = Plane(plane_size, steps[0])
        wide[0] += bool(plane_size)
        layers: list[nn.Module] = [Block(wide[0], len(steps))]
        for (before, after), size in zip(pairwise(wide), steps[1:], strict=True):
            layers += [Resized(before, after, size), Block(after, len(steps))]
        self.layers = nn.Sequential(*layers, scaled(nn.Conv2d(wide[-1], image_channels, 1), 1.0), nn.Tanh())

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        maps = self.basis * self.scale(vector)[:, :, None, None]
        return self.layers(self.plane(maps, plane))


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`: a learned weight for each place and channel, summed."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps, wide = pyramid(image_size, width)
        layers: list[nn.Module] = [scaled(nn.Conv2d(image_channels, wide[0], 1), 1.0), Block(wide[0], len(steps))]
        for before, after in pairwise(wide):
            layers += [Resized(before, after), Block(after, len(steps))]
        rows, columns = steps[-1]
        over_places = nn.Conv2d(wide[-1], wide[-1], (rows, columns), groups=wide[-1], bias=False)
        self.layers = nn.Sequential(*layers, scaled(over_places, 1.0), nn.Flatten())
        self.feature_size = wide[-1]

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


NETWORK = Network(Generator, Discriminator, ("none", "none"), has_norms=False)
