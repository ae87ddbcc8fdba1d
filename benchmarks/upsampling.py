"""A DCGAN that resamples by repeated pixels, as in many repositories, for `benchmarks.training`.

Layers and sizes are those of PyTorch-GAN's dcgan.py at 32x32; batch norm's eps is torch's default, not its 0.8.
"""

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from mintage.networks.parts import SLOPE, Flatten, SmoothUp
from mintage.networks.resampling import doubled

WIDE, SMALLEST, DROPOUT = 128, 8, 0.25
_DOWN = (1, 16, 32, 64, 128)


class TwoSteps(SmoothUp):
    """The same layer as usually written."""

    def forward(self, maps: Tensor) -> Tensor:
        return self.convolution(doubled(maps, self.size))


class Generator(nn.Module):
    """Latents `[N,L]` to images `[N,1,32,32]` in [-1,1]; the other arguments are those of every network."""

    def __init__(self, latent_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(latent_size, WIDE * SMALLEST**2)
        layers: list[nn.Module] = [nn.BatchNorm2d(WIDE)]
        for before, after, size in ((WIDE, WIDE, 16), (WIDE, WIDE // 2, 32)):
            layers += [SmoothUp(before, after, (size, size), bias=True), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(WIDE // 2, 1, 3, padding=1), nn.Tanh())

    def forward(self, vector: Tensor, *_: Any) -> Tensor:
        maps = self.project(vector).view(-1, SMALLEST, SMALLEST, WIDE).permute(0, 3, 1, 2)
        return self.layers(maps)


class ChannelsFirst(Generator):
    """The same generator with feature maps channels first, as usually written."""

    def forward(self, vector: Tensor, *_: Any) -> Tensor:
        return self.layers(self.project(vector).view(-1, WIDE, SMALLEST, SMALLEST))


PLAIN: dict[type, Any] = {SmoothUp: TwoSteps, Generator: ChannelsFirst}
"""The textbook's replacement of each module."""


class Discriminator(nn.Module):
    """Images `[N,1,32,32]` to features `[N,512]`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(_DOWN):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(SLOPE), nn.Dropout2d(DROPOUT)]
            layers += [nn.BatchNorm2d(after, track_running_stats=False)] if before > 1 else []
        self.layers = nn.Sequential(*layers, Flatten())
        self.feature_size = _DOWN[-1] * 2 * 2

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)
