"""Bars of music: convolutions along time alone, each step with all its pitches at once (Yang et al. 2017, section 3).

The convolutions treat a bar `[N,C,T,P]` of T steps by P pitches as a sound of C P channels and T samples.
"""

from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import Network, dcgan
from mintage.networks.convolution import convolution
from mintage.networks.parts import INIT_STD, SLOPE, Shape, Stem, initialize

_REMEMBERED = 16
"""Channels that each level has for the bar before (section 3.3)."""


class Cells(nn.Module):
    """Each step's logits `[N, C P, T]` to a bar `[N,C,T,P]` in [-1,1], each cell by itself."""

    def __init__(self, pitches: int) -> None:
        super().__init__()
        self.channels = self.pitches = pitches

    def forward(self, said: Tensor) -> Tensor:
        return by_step(said.tanh(), self.channels)


def by_step(said: Tensor, channels: int) -> Tensor:
    """`[N, C K, T]` to `[N,C,T,K]`; `channels` is K."""
    return said.reshape(said.shape[0], -1, channels, said.shape[2]).transpose(2, 3)


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation, plane) to a bar `[N,C,T,P]` in [-1,1]."""

    reads: ClassVar[type[Cells]] = Cells

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0) -> None:
        super().__init__()
        channels, steps, pitches = image_shape
        self.read = self.reads(pitches)
        shape = (channels * self.read.channels, steps)
        self.along_time = dcgan.Generator(vector_size, shape, width, replace(kit, rank=1), plane_size, tanh=False)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        return self.read(self.along_time(vector, modulation, plane))


class Following(nn.Module):
    """(the bar before `[N,S,T,P]`, vector `[N, vector_size]`) to the bar that follows, `[N,C,T,P]` in [-1,1].

    The bar before is halved through the same levels of time, with 16 channels each, which join the new bar's levels on
    its way up (section 3.3). It goes in backwards, so that its end meets the beginning of the new bar. The source's
    other channels, each a single number, as of a chord, join every level unchanged.
    """

    reads: ClassVar[type[Cells]] = Cells

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, source_shape: Shape) -> None:
        super().__init__()
        channels, steps, pitches = image_shape
        self.read = self.reads(pitches)
        kit = replace(kit, rank=1)
        sizes, wide = kit.levels([steps], width)
        one_step = convolution(1)
        self.own = min(channels, source_shape[0])
        beside = source_shape[0] - self.own
        before, joined = self.own * source_shape[2], _REMEMBERED + beside
        self.remember = nn.ModuleList([nn.Sequential(one_step(before, _REMEMBERED, 1), nn.LeakyReLU(SLOPE))])
        for _ in wide:
            down = kit.down(_REMEMBERED, _REMEMBERED)
            self.remember.append(nn.Sequential(down, *kit.then(_REMEMBERED, nn.LeakyReLU(SLOPE))))
        self.stem = Stem(vector_size, 0, (wide[-1], *sizes[-1]), kit.bias)
        self.first = nn.Sequential(*kit.then(wide[-1], nn.ReLU()))
        self.levels = nn.ModuleList()
        for (above, below), size in zip(pairwise([wide[0], *wide]), sizes, strict=False):
            self.levels.insert(0, nn.Sequential(kit.up(below + joined, above, size), *kit.then(above, nn.ReLU())))
        self.last = nn.Sequential(one_step(wide[0] + joined, channels * self.read.channels, 1))
        nn.init.normal_(self.stem.project.weight, 0.0, INIT_STD)
        self.apply(initialize)

    def forward(self, source: Tensor, vector: Tensor) -> Tensor:
        before, beside = source[:, : self.own], source[:, self.own :].mean((2, 3))[..., None]
        heard = [before.flip(2).transpose(2, 3).flatten(1, 2)]
        for level in self.remember:
            heard.append(level(heard[-1]))
        maps = self.first(self.stem(vector, None))
        for level in self.levels:
            maps = level(self._joined(maps, heard.pop(), beside))
        return self.read(self.last(self._joined(maps, heard.pop(), beside)))

    def _joined(self, maps: Tensor, heard: Tensor, beside: Tensor) -> Tensor:
        return torch.cat([maps, heard, beside.expand(-1, -1, maps.shape[2])], dim=1)


class Discriminator(nn.Module):
    """A bar `[N,C,T,P]` to features `[N, feature_size]`; no norm on the first layer."""

    extra: ClassVar[int] = 0
    """How many numbers `describe` adds to the pitches of each step, in each channel."""
    bars: ClassVar[int | None] = None
    """How many channels are bars; each other channel is a single number, as of a chord. None: all are bars."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        channels, steps, pitches = image_shape
        bars = channels if self.bars is None else min(channels, self.bars)
        shape = (bars * (pitches + self.extra) + channels - bars, steps)
        self.along_time = dcgan.Discriminator(shape, width, replace(kit, rank=1))
        self.feature_size = self.along_time.feature_size

    def describe(self, image: Tensor) -> Tensor:
        """A bar `[N,C,T,P]` with `extra` more numbers for each step: `[N,C,T,P + extra]`."""
        return image

    def forward(self, image: Tensor) -> Tensor:
        bars, others = (image, image[:, :0]) if self.bars is None else (image[:, : self.bars], image[:, self.bars :])
        described = self.describe(bars).transpose(2, 3).flatten(1, 2)
        return self.along_time(torch.cat([described, others.mean(3)], dim=1))


class JudgeOfBoth(Discriminator):
    """The same for a bar, channel 0, and the bar before, channel 1, which it sees backwards."""

    bars = 2

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(torch.cat([image[:, :1], image[:, 1:].flip(2)], dim=1))


NETWORK = Network(Generator, Discriminator, ("batch", "batch"), plain=True, strided=True)
FOLLOWING = replace(NETWORK, generator=Following, discriminator=JudgeOfBoth, translates=True)
