"""Image to image (Isola et al. 2017), sound to sound (Pascual et al. 2017): a U-Net, judged by patches.

For any sides and number of channels.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import ANY_RANK, Network
from mintage.networks.parts import INIT_STD, SLOPE, Plane, Shape, finish, initialize
from mintage.networks.patches import Discriminator

_PLAIN_LEVELS = 2
"""Levels of the decoder, next to the image, without dropout."""


class Generator(nn.Module):
    """(source `[N,S,*S]`, vector `[N, vector_size]`) to an image `[N,C,*S]` in [-1,1].

    The source is halved until it is 4 pixels or less, then doubled again (sound with long layers: quartered until it is
    16 or less). Each step up also reads the map of its size on the way down, so what source and image share need not go
    through the narrowest map. A vector joins the narrowest map as a channel.
    The decoder's inner levels have dropout, as in the paper.
    """

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, source_shape: Shape) -> None:
        super().__init__()
        steps, wide = kit.levels(image_shape[1:], width)
        self.encoder = nn.ModuleList([kit.down(source_shape[0], wide[0], bias=True)])
        for before, after in pairwise(wide):
            layers = [kit.chosen(nn.LeakyReLU(SLOPE)), kit.down(before, after), kit.norm(after)]
            self.encoder.append(nn.Sequential(*layers))
        self.plane = Plane(vector_size, steps[-1])
        self.decoder = nn.ModuleList()
        for level in reversed(range(1, len(wide))):
            inner = level == len(wide) - 1
            before = wide[level] + (bool(vector_size) if inner else wide[level])
            above = wide[level - 1]
            layers = [kit.chosen(nn.ReLU()), kit.up(before, above, steps[level]), kit.norm(above)]
            layers += [nn.Dropout(kit.dropout)] if level >= _PLAIN_LEVELS else []
            self.decoder.append(nn.Sequential(*layers))
        self.last = nn.Sequential(kit.chosen(nn.ReLU()), kit.up(2 * wide[0], image_shape[0], steps[0], bias=True))
        if self.plane.widen is not None:
            nn.init.normal_(self.plane.widen.weight, 0.0, INIT_STD)
        self.apply(initialize)

    def forward(self, source: Tensor, vector: Tensor, base: Tensor | None = None) -> Tensor:
        on_the_way: list[Tensor] = []
        maps = source
        for layer in self.encoder:
            maps = layer(maps)
            on_the_way.append(maps)
        maps = self.plane(on_the_way.pop(), vector)
        for layer in self.decoder:
            maps = torch.cat([layer(maps), on_the_way.pop()], dim=1)
        return finish(self.last(maps), base)


NETWORK = Network(
    Generator, Discriminator, ("batch", "batch"), plain=True, translates=True, patches=True, strided=True,
    adds=True, ranks=ANY_RANK,
)  # fmt: skip
