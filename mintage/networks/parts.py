"""What several networks share: sizes, first feature maps, resampling. Sizes follow by ceiling division."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mintage.networks.convolution import Double, Halve
from mintage.networks.resampling import Size, convolve_doubled, convolve_halved

ImageShape = tuple[int, int, int]
SLOPE = 0.2
SMALLEST = 4
SMALLEST_IMAGE = 8
"""Height and width from which feature maps are of use."""
MAX_WIDENING = 8
INIT_STD = 0.02


def sizes(height: int, width: int) -> list[Size]:
    """The feature maps' heights and widths from the image down: at least two halvings, until both are 4 or less.

    28 goes 28, 14, 7, 4 and back without a cut or a gap.
    """
    steps = [(height, width)]
    while len(steps) < 3 or max(steps[-1]) > SMALLEST:
        steps.append((-(-steps[-1][0] // 2), -(-steps[-1][1] // 2)))
    return steps


def channels(levels: int, width: int) -> list[int]:
    """Channels of the feature maps from the image's side down: width, 2 width, 4 width, at most 8 width."""
    return [width * min(2**level, MAX_WIDENING) for level in range(levels)]


def initialize(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for batch norm's scale (Radford et al. 2016, section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, INIT_STD)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, INIT_STD)


class Plane(nn.Module):
    """A vector `[N, size]` widened to one more channel of feature maps `[N,C,h,w]`."""

    def __init__(self, plane_size: int, size: Size) -> None:
        super().__init__()
        self.widen = nn.Linear(plane_size, size[0] * size[1])

    def forward(self, maps: Tensor, plane: Tensor) -> Tensor:
        widened = self.widen(plane).view(-1, 1, *maps.shape[2:])
        return torch.cat([maps, widened.to(maps.dtype)], dim=1)


class Stem(nn.Module):
    """A vector `[N, size]` to the first feature map `[N,C,h,w]`, `channels` wide with the plane, if there is one."""

    def __init__(self, vector_size: int, plane_size: int, base: tuple[int, int, int], bias: bool = False) -> None:
        super().__init__()
        wide, height, width = base
        self.base = base
        self.project = nn.Linear(vector_size, wide * height * width, bias=bias)
        self.plane = Plane(plane_size, (height, width)) if plane_size else None
        self.channels = wide + (1 if plane_size else 0)

    def forward(self, vector: Tensor, plane: Tensor | None) -> Tensor:
        channels, height, width = self.base
        # Channels last from the start: no layer behind it has to turn the map round.
        maps: Tensor = self.project(vector).view(-1, height, width, channels).permute(0, 3, 1, 2)
        return maps if self.plane is None else self.plane(maps, plane)


class Up(nn.Module):
    """Double a feature map by a transposed convolution, cut to exactly `size`.

    Kernels are 4 wide, a multiple of the stride, against checkerboards.
    """

    def __init__(self, before: int, after: int, size: Size, bias: bool) -> None:
        super().__init__()
        self.convolution = Double(before, after, bias)
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        height, width = self.size
        doubled: Tensor = self.convolution(maps)
        return doubled[:, :, :height, :width]


class Down(nn.Module):
    """Halve a feature map by a convolution, rounding up: an odd side gets one more row or column of zeros."""

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__()
        self.convolution = Halve(before, after, bias)

    def forward(self, maps: Tensor) -> Tensor:
        odd = (0, maps.shape[3] % 2, 0, maps.shape[2] % 2)
        halved: Tensor = self.convolution(pad(maps, odd) if any(odd) else maps)  # a pad of nothing would copy
        return halved


class SmoothUp(nn.Module):
    """Double a feature map by repeating its pixels, cut to exactly `size`, then convolve it (Odena et al. 2016)."""

    def __init__(self, before: int, after: int, size: Size, bias: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, padding=1, bias=bias)
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        return convolve_doubled(self.convolution, maps, self.size)


class SmoothDown(nn.Module):
    """Convolve a feature map, then halve it by means, rounding up."""

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, 3, padding=1, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        return convolve_halved(self.convolution, maps)


class Flatten(nn.Module):
    """Feature maps `[N,C,h,w]` to `[N, h w C]`, in the order in which channels-last maps lie in memory."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)
