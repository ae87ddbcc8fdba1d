"""Strided convolutions with batch norm (Radford et al. 2016), for any height, width and number of channels.

Sizes follow by ceiling division, so 28 goes 28, 14, 7, 4 and back without a cut or a gap; the
paper's 64 goes 64, 32, 16, 8, 4. Kernels are 4 wide, a multiple of the stride, against checkerboards.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import pad

SLOPE = 0.2
SMALLEST = 4
MAX_WIDENING = 8
INIT_STD = 0.02


def sizes(height: int, width: int) -> list[tuple[int, int]]:
    """The feature maps' heights and widths from the image down: at least two halvings, until both are 4 or less."""
    steps = [(height, width)]
    while len(steps) < 3 or max(steps[-1]) > SMALLEST:
        steps.append((-(-steps[-1][0] // 2), -(-steps[-1][1] // 2)))
    return steps


def channels(levels: int, width: int) -> list[int]:
    """Channels of the feature maps from the image's side down: width, 2 width, 4 width, at most 8 width."""
    return [width * min(2**level, MAX_WIDENING) for level in range(levels)]


def initialize(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for batch norm's scale (the paper's section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, INIT_STD)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, INIT_STD)


class Up(nn.Module):
    """Double a feature map, cut to exactly `size`."""

    def __init__(self, before: int, after: int, size: tuple[int, int], bias: bool) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias)
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        height, width = self.size
        doubled: Tensor = self.convolution(maps)
        return doubled[:, :, :height, :width]


class Down(nn.Module):
    """Halve a feature map, rounding up: an odd side gets one more row or column of zeros."""

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        halved: Tensor = self.convolution(pad(maps, (0, maps.shape[3] % 2, 0, maps.shape[2] % 2)))
        return halved


class Generator(nn.Module):
    """A vector `[N, input_size]` to an image `[N,C,H,W]` in [-1,1]."""

    def __init__(self, input_size: int, image_shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps = sizes(*image_size)[::-1]
        wide = channels(len(steps) - 1, width)[::-1]
        self.base = (wide[0], *steps[0])
        self.project = nn.Linear(input_size, wide[0] * steps[0][0] * steps[0][1], bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(wide[0]), nn.ReLU()]
        for (before, after), size in zip(pairwise(wide), steps[1:], strict=False):
            layers += [Up(before, after, size, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, Up(wide[-1], image_channels, steps[-1], bias=True), nn.Tanh())
        nn.init.normal_(self.project.weight, 0.0, INIT_STD)
        self.apply(initialize)

    def forward(self, vector: Tensor) -> Tensor:
        image: Tensor = self.layers(self.project(vector).view(-1, *self.base))
        return image


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`; no batch norm on the first layer."""

    def __init__(self, image_shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps = sizes(*image_size)
        wide = channels(len(steps) - 1, width)
        layers: list[nn.Module] = [Down(image_channels, wide[0], bias=True), nn.LeakyReLU(SLOPE)]
        for before, after in pairwise(wide):
            layers += [Down(before, after, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.feature_size = wide[-1] * steps[-1][0] * steps[-1][1]
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.layers(image)
        return features
