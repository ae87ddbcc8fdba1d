"""BigGAN's players (Brock et al. 2019), small: SNGAN's blocks with skip z, self-attention, orthogonal weights."""

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from mintage.layers import Layers, Modulation
from mintage.networks import Network
from mintage.networks.parts import Shape, Stem, pyramid
from mintage.networks.resampling import Size
from mintage.networks.resnet import ToImage, UpBlock, down_blocks

_MOST_PLACES = 32 * 32


class Attention(nn.Module):
    """Self-attention over the places of a feature map (Zhang et al. 2019); at the start it changes nothing."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        narrow, half = max(1, wide // 8), max(1, wide // 2)
        self.query, self.key = nn.Conv2d(wide, narrow, 1, bias=False), nn.Conv2d(wide, narrow, 1, bias=False)
        self.value, self.output = nn.Conv2d(wide, half, 1, bias=False), nn.Conv2d(half, wide, 1, bias=False)
        self.amount = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        query = self.query(maps).flatten(2)
        key, value = (max_pool2d(part(maps), 2, ceil_mode=True).flatten(2) for part in (self.key, self.value))
        attention = (query.transpose(1, 2) @ key).softmax(2)
        context = (value @ attention.transpose(1, 2)).unflatten(2, maps.shape[2:])
        return maps + self.amount * self.output(context)


def attended(steps: list[Size]) -> int:
    """The index of the level with attention: the largest map, smaller than the image, that is not too large for it."""
    return next((i for i, (height, width) in enumerate(steps) if i and height * width <= _MOST_PLACES), len(steps) - 1)


def initialize(module: nn.Module) -> None:
    """Orthogonal weights; a modulation keeps its small weights."""
    if isinstance(module, nn.Conv2d | nn.Linear) and not isinstance(module, Modulation):
        nn.init.orthogonal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation, plane) to an image `[N,C,H,W]` in [-1,1].

    The vector is cut in equal parts: the first makes the first feature map; each other one, joined with the
    modulation, modulates the norms of a block.
    """

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps, wide = pyramid(image_size, width, up=True)
        self.part = vector_size // len(steps)
        self.stem = Stem(vector_size - self.part * (len(steps) - 1), plane_size, (wide[0], *steps[0]), bias=True)
        wide[0] = self.stem.channels
        skipping = replace(kit, modulation_size=kit.modulation_size + self.part)
        self.blocks = nn.ModuleList(
            UpBlock(before, after, size, skipping)
            for (before, after), size in zip(pairwise(wide), steps[1:], strict=True)
        )
        self.attended = len(steps) - 1 - attended(steps[::-1])  # counted from the first feature map
        self.attention = Attention(wide[self.attended])
        self.to_image = ToImage(wide[-1], image_channels, replace(kit, modulation_size=0))
        self.apply(initialize)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        first = vector.shape[1] - self.part * len(self.blocks)
        own, *parts = torch.split(vector, [first, *[self.part] * len(self.blocks)], dim=1)
        maps = self.stem(own, plane)
        for level, (block, part) in enumerate(zip(self.blocks, parts, strict=True), 1):
            maps = block(maps, part if modulation is None else torch.cat([part, modulation.to(part.dtype)], dim=1))
            maps = self.attention(maps) if level == self.attended else maps
        return self.to_image(maps)


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`, summed over places."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        steps, wide = pyramid(image_shape[1:], width)
        blocks, self.feature_size = down_blocks(image_shape, width, kit)
        blocks.insert(attended(steps), Attention(wide[attended(steps) - 1]))
        self.blocks = nn.Sequential(*blocks)
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor:
        return self.blocks(image).relu().sum((2, 3))


NETWORK = Network(Generator, Discriminator, ("spectral_batch", "spectral"))
