"""What several networks share: sizes, first feature maps, resampling. Sizes are halved by ceiling division."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from mintage.networks.convolution import convolution, doubling, halving
from mintage.networks.resampling import Size, convolve_doubled, convolve_halved, cut

Shape = tuple[int, ...]
"""Channels, then one, two or three sides: `(C, T)`, `(C, H, W)` or `(C, D, H, W)`."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SLOPE = 0.2
SMALLEST_IMAGE = 8
"""Shortest side for which feature maps are of use."""
MAX_WIDENING = 8
LONG_KERNEL, LONG_STRIDE = 25, 4
"""For sound (Donahue et al. 2019, table 3)."""
INIT_STD = 0.02
_QUIET_STD = 1e-3
INSIDE = 0.997
"""A base is cut to +-0.997, so that tanh can be undone; in 8 bits this is still black and white."""


def sizes(*sides: int, stride: int = 2) -> list[Size]:
    """The feature maps' sides from the image down: at least two steps, until all are at most `stride`**2.

    28 goes 28, 14, 7, 4 at stride 2, and back to exactly 28.
    """
    steps: list[Size] = [sides]
    while len(steps) < 3 or max(steps[-1]) > stride**2:
        steps.append(tuple(-(-side // stride) for side in steps[-1]))
    return steps


def channels(levels: int, width: int, widest: int = MAX_WIDENING) -> list[int]:
    """Channels of the feature maps from the image down: `width` times 1, 2, 4, ..., at most `widest`."""
    return [width * min(2**level, widest) for level in range(levels)]


def pyramid(sides: Sequence[int], width: int, *, up: bool = False) -> tuple[list[Size], list[int]]:
    """Sides and channels of the feature maps of all levels, from one as large as the image down, or `up` to it."""
    steps, order = sizes(*sides), -1 if up else 1
    return steps[::order], channels(len(steps), width)[::order]


def finish(made: Tensor, base: Tensor | None = None, inside: float = INSIDE) -> Tensor:
    """Images in [-1,1] from a last layer's output `made`; with a base `[N,C,*S]` in [-1,1], the base changed by it.

    `made` is added before the tanh, to atanh(base). The base is cut to +-`inside`, so the gradient vanishes nowhere.
    """
    if base is None:
        return made.tanh()
    return (made.float() + base.float().clamp(-inside, inside).atanh()).tanh()


def begin_as_base(network: nn.Module) -> None:
    """Make the last layer's weights so small that at first the network adds almost nothing to its base."""
    last = [layer for layer in network.modules() if isinstance(layer, CONVOLUTIONS)][-1]
    nn.init.normal_(last.weight, 0.0, _QUIET_STD)
    if last.bias is not None:
        nn.init.zeros_(last.bias)


def initialize(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, N(1, 0.02) for scales of batch norm of maps (Radford et al. 2016, section 4)."""
    if isinstance(module, CONVOLUTIONS):
        nn.init.normal_(module.weight, 0.0, INIT_STD)
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) and module.affine:
        nn.init.normal_(module.weight, 1.0, INIT_STD)


class Plane(nn.Module):
    """A vector `[N, plane_size]` widened to one more channel of feature maps `[N,C,*size]`; of size 0 it adds none."""

    def __init__(self, plane_size: int, size: Sequence[int]) -> None:
        super().__init__()
        self.widen = nn.Linear(plane_size, math.prod(size)) if plane_size else None

    def forward(self, maps: Tensor, plane: Tensor | None) -> Tensor:
        if self.widen is None:
            return maps
        widened = self.widen(plane).view(-1, 1, *maps.shape[2:])
        return torch.cat([maps, widened.to(maps.dtype)], dim=1)


class Stem(nn.Module):
    """A vector `[N, size]` to the first feature map `[N, *base]`, with one more channel if there is a plane."""

    def __init__(self, vector_size: int, plane_size: int, base: Shape, bias: bool = False) -> None:
        super().__init__()
        wide, *size = base
        self.base = base
        self.project = nn.Linear(vector_size, math.prod(base), bias=bias)
        self.plane = Plane(plane_size, size)
        self.channels = wide + bool(plane_size)

    def forward(self, vector: Tensor, plane: Tensor | None) -> Tensor:
        channels, *size = self.base
        # Channels last from the start: no later layer has to change the map's layout.
        maps: Tensor = self.project(vector).view(-1, *size, channels).movedim(-1, 1)
        return self.plane(maps, plane)


class Up(nn.Module):
    """Double a feature map by a transposed convolution, cut to exactly `size`.

    Kernels are 4 wide, a multiple of the stride, which avoids checkerboards.
    """

    def __init__(self, before: int, after: int, size: Size, bias: bool) -> None:
        super().__init__()
        self.convolution = doubling(before, after, bias, len(size))
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        return cut(self.convolution(maps), self.size)


class Down(nn.Module):
    """Halve a feature map by a convolution, rounding up: an odd side gets one more row of zeros."""

    def __init__(self, before: int, after: int, bias: bool, rank: int = 2) -> None:
        super().__init__()
        self.convolution = halving(before, after, bias, rank)

    def forward(self, maps: Tensor) -> Tensor:
        odd = [rows for side in reversed(maps.shape[2:]) for rows in (0, side % 2)]
        return self.convolution(pad(maps, odd) if any(odd) else maps)  # a pad of nothing would copy


class SmoothUp(nn.Module):
    """Double a feature map by repeating its pixels, cut to exactly `size`, then convolve it (Odena et al. 2016)."""

    def __init__(self, before: int, after: int, size: Size, bias: bool) -> None:
        super().__init__()
        self.convolution = convolution(len(size))(before, after, 3, padding=1, bias=bias)
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        return convolve_doubled(self.convolution, maps, self.size)


class SmoothDown(nn.Module):
    """Convolve a feature map, then halve it by means, rounding up."""

    def __init__(self, before: int, after: int, bias: bool, rank: int = 2) -> None:
        super().__init__()
        self.convolution = convolution(rank)(before, after, 3, padding=1, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        return convolve_halved(self.convolution, maps)


class LongUp(nn.Module):
    """Make sound `[N,C,T]` four times as long by a transposed convolution of 25 places, cut to exactly `size`."""

    def __init__(self, before: int, after: int, size: Size, bias: bool) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose1d(
            before, after, LONG_KERNEL, LONG_STRIDE, padding=LONG_KERNEL // 2 - 1, output_padding=1, bias=bias
        )
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        return cut(self.convolution(maps), self.size)


class LongDown(nn.Module):
    """Make sound `[N,C,T]` a quarter as long, rounded up, by a convolution of 25 places."""

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(before, after, LONG_KERNEL, LONG_STRIDE, LONG_KERNEL // 2 - 1, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        missing = -maps.shape[2] % LONG_STRIDE
        return self.convolution(pad(maps, (0, missing)) if missing else maps)


class PhaseShuffle(nn.Module):
    """Shift feature maps `[N,C,T]` by up to `most` places, a whole batch alike, ends mirrored (Donahue et al. 2019).

    It shifts while either player learns, and does nothing without gradients.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, maps: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return maps
        length = maps.shape[2]
        most = min(self.most, length - 1)
        mirrored = [maps[:, :, 1 : most + 1].flip(2), maps, maps[:, :, length - most - 1 : length - 1].flip(2)]
        first = int(torch.randint(2 * most + 1, ()))
        return torch.cat(mirrored, 2)[:, :, first : first + length]


class Flatten(nn.Module):
    """Feature maps `[N,C,h,w]` to `[N, h w C]`, in the order in which channels-last maps lie in memory."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.movedim(1, -1).flatten(1)
