"""The net of Chen et al. 2016 for 28x28 images, with which Lucic et al. 2018 compared losses; width 64 is theirs.

Two halvings for any size of image, and a wide fully connected layer before and after.
"""

from torch import Tensor, nn

from mintage.layers import Layers, Modulated
from mintage.networks import Network
from mintage.networks.parts import INIT_STD, SLOPE, Flatten, Shape, Stem, initialize, sizes

_UNITS = 16
"""Units of the fully connected layer, in widths: 1,024 at width 64."""


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation, plane) to an image `[N,C,H,W]` in [-1,1]."""

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        full, half, quarter = sizes(*image_size)[:3]
        units = _UNITS * width
        first = nn.Linear(vector_size, units, kit.bias)
        self.units = Modulated(first, *kit.then(units, nn.ReLU(), maps=False))
        self.stem = Stem(units, plane_size, (2 * width, *quarter), kit.bias)
        self.layers = Modulated(
            *kit.then(self.stem.channels, nn.ReLU()),
            kit.up(self.stem.channels, width, half),
            *kit.then(width, nn.ReLU()),
            kit.up(width, image_channels, full, bias=True),
            nn.Tanh(),
        )
        for layer in (first, self.stem.project):
            nn.init.normal_(layer.weight, 0.0, INIT_STD)
        self.apply(initialize)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        maps = self.stem(self.units(vector, modulation), plane)
        return self.layers(maps, modulation)


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`; no norm on the first layer."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        height, across = sizes(*image_size)[2]
        units = _UNITS * width
        self.layers = nn.Sequential(
            kit.down(image_channels, width, bias=True),
            kit.active(nn.LeakyReLU(SLOPE)),
            kit.down(width, 2 * width),
            *kit.then(2 * width, nn.LeakyReLU(SLOPE)),
            Flatten(),
            nn.Linear(2 * width * height * across, units, kit.bias),
            *kit.then(units, nn.LeakyReLU(SLOPE), maps=False),
        )
        self.feature_size = units
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


NETWORK = Network(Generator, Discriminator, ("batch", "batch"), norms_units=True, plain=True, strided=True)
