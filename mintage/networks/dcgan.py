"""Strided convolutions with batch norm (Radford et al. 2016; volumes: Wu et al. 2016; sound: Donahue et al. 2019).

The same code for sound `[C,T]`, pictures `[C,H,W]` and volumes `[C,D,H,W]` of any sides and channels.
"""

import math
from itertools import pairwise

from torch import Tensor, nn

from mintage.layers import Layers, Modulated
from mintage.networks import ANY_RANK, Network
from mintage.networks.parts import INIT_STD, SLOPE, Flatten, Shape, Stem, initialize


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation, plane) to an image `[N,C,*S]`, in [-1,1] if `tanh`."""

    def __init__(
        self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0, *, tanh: bool = True
    ) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps, wide = kit.levels(image_size, width, up=True)
        self.stem = Stem(vector_size, plane_size, (wide[0], *steps[0]), kit.bias)
        wide[0] = self.stem.channels
        layers = kit.then(wide[0], nn.ReLU())
        for (before, after), size in zip(pairwise(wide), steps[1:], strict=False):
            layers += [kit.up(before, after, size), *kit.then(after, nn.ReLU())]
        self.layers = Modulated(*layers, kit.up(wide[-1], image_channels, steps[-1], bias=True))
        if tanh:
            self.layers.append(nn.Tanh())
        nn.init.normal_(self.stem.project.weight, 0.0, INIT_STD)
        self.apply(initialize)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        return self.layers(self.stem(vector, plane), modulation)


class Discriminator(nn.Module):
    """An image `[N,C,*S]` to features `[N, feature_size]`; no norm on the first layer."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps, wide = kit.levels(image_size, width)
        layers: list[nn.Module] = [kit.down(image_channels, wide[0], bias=True), kit.active(nn.LeakyReLU(SLOPE))]
        for before, after in pairwise(wide):
            layers += [kit.shuffled(kit.down(before, after)), *kit.then(after, nn.LeakyReLU(SLOPE))]
        self.layers = nn.Sequential(*layers, Flatten())
        self.feature_size = wide[-1] * math.prod(steps[-1])
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


NETWORK = Network(Generator, Discriminator, ("batch", "batch"), plain=True, strided=True, ranks=ANY_RANK)
