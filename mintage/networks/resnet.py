"""Residual players of SNGAN (Miyato et al. 2018, appendix B.4); the number of blocks depends on the image's size."""

from itertools import pairwise

from torch import Tensor, nn

from mintage.layers import Layers, Modulation, Norm
from mintage.networks import Network
from mintage.networks.parts import Shape, Stem, pyramid
from mintage.networks.resampling import Size, convolve_doubled, convolve_halved, doubled, halved


def initialize(module: nn.Module) -> None:
    """Glorot's weights: gain 2 in 3x3 convolutions, whose input is rectified, else 1; a modulation keeps its own."""
    if isinstance(module, nn.Conv2d | nn.Linear) and not isinstance(module, Modulation):
        nn.init.xavier_uniform_(module.weight, 2**0.5 if module.weight.shape[2:] == (3, 3) else 1.0)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def convolution(before: int, after: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2)


class UpBlock(nn.Module):
    """Norm, ReLU, doubling, convolution, norm, ReLU, convolution; beside it the doubled input."""

    def __init__(self, before: int, after: int, size: Size, kit: Layers) -> None:
        super().__init__()
        self.first, self.second = kit.norm(before), kit.norm(after)
        self.widen, self.refine = convolution(before, after), convolution(after, after)
        self.shortcut = convolution(before, after, 1)
        self.size = size

    def forward(self, maps: Tensor, modulation: Tensor | None = None) -> Tensor:
        inner = convolve_doubled(self.widen, self.first(maps, modulation).relu(), self.size)
        inner = self.refine(self.second(inner, modulation).relu())
        return doubled(self.shortcut(maps), self.size) + inner  # a 1x1 convolution may come before doubling


class DownBlock(nn.Module):
    """ReLU, convolution, ReLU, convolution, halving; beside it the halved input. The first block has no first ReLU."""

    def __init__(self, before: int, after: int, kit: Layers, *, first: bool = False, halve: bool = True) -> None:
        super().__init__()
        self.norm = nn.Identity() if first else kit.norm(before)
        self.second = kit.norm(after)
        self.widen, self.refine = convolution(before, after), convolution(after, after)
        self.shortcut = convolution(before, after, 1)
        self.rectify = not first
        self.halve = halve

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.norm(maps)
        inner = self.widen(inner.relu() if self.rectify else inner)
        inner = self.second(inner).relu()
        if self.halve:
            inner, maps = convolve_halved(self.refine, inner), halved(maps)
        else:
            inner = self.refine(inner)
        return inner + self.shortcut(maps)


def down_blocks(image_shape: Shape, width: int, kit: Layers) -> tuple[list[nn.Module], int]:
    """One block for each halving of an image `[N,C,H,W]` and one more; and the number of their channels."""
    image_channels, *image_size = image_shape
    wide = pyramid(image_size, width)[1][:-1]
    blocks: list[nn.Module] = [DownBlock(image_channels, wide[0], kit, first=True)]
    blocks += [DownBlock(before, after, kit) for before, after in pairwise(wide)]
    return [*blocks, DownBlock(wide[-1], wide[-1], kit, halve=False)], wide[-1]


class ToImage(nn.Module):
    """Norm, ReLU, convolution and tanh: the last feature maps to an image in [-1,1]."""

    def __init__(self, before: int, image_channels: int, kit: Layers) -> None:
        super().__init__()
        self.norm: Norm = kit.norm(before)
        self.convolution = convolution(before, image_channels)

    def forward(self, maps: Tensor, modulation: Tensor | None = None) -> Tensor:
        return self.convolution(self.norm(maps, modulation).relu()).tanh()


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation, plane) to an image `[N,C,H,W]` in [-1,1]."""

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps, wide = pyramid(image_size, width, up=True)
        self.stem = Stem(vector_size, plane_size, (wide[0], *steps[0]), bias=True)
        wide[0] = self.stem.channels
        self.blocks = nn.ModuleList(
            UpBlock(before, after, size, kit) for (before, after), size in zip(pairwise(wide), steps[1:], strict=True)
        )
        self.to_image = ToImage(wide[-1], image_channels, kit)
        self.apply(initialize)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        maps = self.stem(vector, plane)
        for block in self.blocks:
            maps = block(maps, modulation)
        return self.to_image(maps, modulation)


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`: the sum over places, as in the paper."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        blocks, self.feature_size = down_blocks(image_shape, width, kit)
        self.blocks = nn.Sequential(*blocks)
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor:
        return self.blocks(image).relu().sum((2, 3))


NETWORK = Network(Generator, Discriminator, ("batch", "spectral"))
