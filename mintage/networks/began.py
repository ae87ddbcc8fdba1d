"""BEGAN's network (Berthelot et al. 2017, figure 1): the generator and the discriminator's decoder have one structure.

3x3 convolutions and exponential linear units, no normalization; nearest-neighbor upsampling and striding convolutions.
"""

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.parts import Flatten, Shape, Stem, sizes
from mintage.networks.resampling import Size, convolve_doubled

_SMALLEST = 6
"""Feature maps go down to about the 8 x 8 of the paper: 28, 14, 7 and 32, 16, 8."""


def levels(height: int, width: int) -> list[Size]:
    """The feature maps' sizes from the image down."""
    return [size for size in sizes(height, width) if max(size) >= _SMALLEST]


class Level(nn.Sequential):
    """Two convolutions at one resolution; maps of another resolution are first doubled to it."""

    def __init__(self, before: int, after: int) -> None:
        first = nn.Conv2d(before, after, 3, padding=1)
        super().__init__(first, nn.ELU(), nn.Conv2d(after, after, 3, padding=1), nn.ELU())

    def forward(self, maps: Tensor, size: Size | None = None) -> Tensor:
        first: Any
        first, *others = self
        maps = first(maps) if size in (None, maps.shape[2:]) else convolve_doubled(first, maps, size)
        for layer in others:
            maps = layer(maps)
        return maps


class Generator(nn.Module):
    """(vector `[N, vector_size]`, plane) to an image `[N,C,H,W]`; it has no norm to modulate.

    As in the paper, pixels are not bounded in training; afterwards they are cut to [-1,1].
    """

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        self.sizes = levels(*image_size)[::-1]
        self.stem = Stem(vector_size, plane_size, (width, *self.sizes[0]), bias=True)
        wide = [self.stem.channels, *[width] * (len(self.sizes) - 1)]
        self.levels = nn.ModuleList(Level(before, width) for before in wide)
        self.to_image = nn.Conv2d(width, image_channels, 3, padding=1)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        maps = self.stem(vector, plane)
        for level, size in zip(self.levels, self.sizes, strict=True):
            maps = level(maps, size)
        image: Tensor = self.to_image(maps)
        return image if self.training else image.clamp(-1, 1)


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`, from which the decoder reconstructs it."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps = levels(*image_size)
        wide = [width * level for level in range(1, len(steps) + 1)]
        layers: list[nn.Module] = [nn.Conv2d(image_channels, width, 3, padding=1), nn.ELU(), Level(width, width)]
        for before, after in pairwise(wide):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ELU(), Level(after, after)]
        self.layers = nn.Sequential(*layers, Flatten())
        self.feature_size = wide[-1] * steps[-1][0] * steps[-1][1]

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


NETWORK = Network(Generator, Discriminator, ("none", "none"), has_norms=False)
