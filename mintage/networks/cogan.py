"""The net by which Liu and Tuzel 2016 coupled digits and their edges (appendix A); widths 128 and 20 are theirs.

The domains share the generator's first layers, which decide what there is to see; the last layer, which draws it, is
separate for each domain. In the discriminator it is the other way round: the first layer, which reads pixels, is
separate, and the last ones are shared. Without domains there is a single layer in place of the separate ones.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from mintage.layers import Layers, Modulated
from mintage.networks import Network
from mintage.networks.parts import INIT_STD, Flatten, Shape, Stem, initialize

_KERNEL = 5
_ROOM = 7
"""Longest side of a feature map that the fully connected layer reads, as in the paper for 28 pixels."""
_WIDENING, _UNITS = 2.5, 25
"""Channels of the second layer and units of the fully connected one, in widths: 50 and 500 at width 20."""


class Own(nn.Module):
    """A separate layer for each domain: (maps `[N,C,h,w]`, domain) to maps `[N,C',h,w]`.

    `domain` is `[N,K]`, a 1 at each map's domain, or None if there is only one domain.
    """

    def __init__(self, before: int, after: int, domains: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_convolution(before, after) for _ in range(max(1, domains)))

    def forward(self, maps: Tensor, domain: Tensor | None) -> Tensor:
        if domain is None:
            return self.layers[0](maps)
        share = domain.to(maps.dtype)[:, :, None, None, None]
        return torch.stack([layer(maps) * share[:, number] for number, layer in enumerate(self.layers)]).sum(0)


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation, plane, domain `[N, domains]`) to an image `[N,C,H,W]` in [-1,1]."""

    def __init__(
        self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0, *, domains: int = 0
    ) -> None:
        super().__init__()
        image_channels, *image_size = image_shape
        steps, wide = kit.levels(image_size, 2 * width, up=True)
        wide.append(width)
        self.stem = Stem(vector_size, plane_size, (wide[0], *steps[0]), kit.bias)
        wide[0] = self.stem.channels
        layers = kit.then(wide[0], nn.PReLU())
        for (before, after), size in zip(pairwise(wide), steps[1:], strict=True):
            layers += [kit.up(before, after, size), *kit.then(after, nn.PReLU())]
        self.shared = Modulated(*layers)
        self.own = Own(width, image_channels, domains)
        nn.init.normal_(self.stem.project.weight, 0.0, INIT_STD)
        self.apply(initialize)

    def forward(
        self,
        vector: Tensor,
        modulation: Tensor | None = None,
        plane: Tensor | None = None,
        domain: Tensor | None = None,
    ) -> Tensor:
        maps = self.shared(self.stem(vector, plane), modulation)
        return self.own(maps, domain).tanh()


class Discriminator(nn.Module):
    """An image `[N,C,H,W]` to features `[N, feature_size]`; its last `domains` channels are planes with its domain.

    As in the authors' code, the maximum over 2 x 2 places is the only nonlinearity between the convolutions.
    """

    def __init__(self, image_shape: Shape, width: int, kit: Layers, *, domains: int = 0) -> None:
        super().__init__()
        channels, height, across = image_shape
        self.domains, wide = domains, int(_WIDENING * width)
        self.own = Own(channels - domains, width, domains)
        layers: list[nn.Module] = [_halved()]
        before, height, across = width, -(-height // 2), -(-across // 2)
        while before == width or max(height, across) > _ROOM:
            layers += [_convolution(before, wide, kit.bias), kit.norm(wide), _halved()]
            before, height, across = wide, -(-height // 2), -(-across // 2)
        self.feature_size = _UNITS * width
        read = nn.Linear(wide * height * across, self.feature_size)
        self.shared = nn.Sequential(*layers, Flatten(), read, kit.active(nn.PReLU()))
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor:
        pixels = image[:, : image.shape[1] - self.domains]
        domain = image[:, image.shape[1] - self.domains :, 0, 0] if self.domains else None
        return self.shared(self.own(pixels, domain))


def _convolution(before: int, after: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(before, after, _KERNEL, padding=_KERNEL // 2, bias=bias)


def _halved() -> nn.Module:
    """The maximum of each 2 x 2 places; an odd side is rounded up."""
    return nn.MaxPool2d(2, ceil_mode=True)


NETWORK = Network(Generator, Discriminator, ("batch", "none"), couples=True)
