"""A discriminator that judges patches, of sound too, each by itself (Isola et al. 2017, section 3.2.2)."""

from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks.convolution import convolution
from mintage.networks.parts import MAX_WIDENING, SLOPE, Shape, initialize

_SHIFTS = 2
"""Convolutions after the halvings, which widen the patch and halve no more."""


def halvings(*sides: int) -> int:
    """How many: a patch is then a quarter to a half of an image, 16 pixels at 32, 34 at 64, 70 from 128 on."""
    return 1 + sum(min(sides) >= side for side in (64, 128))


def quarterings(length: int) -> int:
    """How many for sound of `length` samples: from 256 on a patch is 889 samples, a ninth of a second at 8 kHz."""
    return sum(length >= side for side in (16, 64, 256))


class Discriminator(nn.Module):
    """An image `[N,C,*S]` to features of its P patches `[N P, feature_size]`; no norm on the first layer."""

    def __init__(self, image_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        before, *size = image_shape
        down = quarterings(*size) if kit.resampling == "long" else halvings(*size)
        plain_step = convolution(kit.rank)
        layers: list[nn.Module] = []
        for level in range(down + _SHIFTS):
            after = width * min(2**level, MAX_WIDENING)
            plain = level == 0
            bias = plain or kit.bias
            halve = level < down
            step = kit.down(before, after, bias) if halve else plain_step(before, after, 4, padding=1, bias=bias)
            layers += [step, *([] if plain else [kit.norm(after)]), kit.active(nn.LeakyReLU(SLOPE))]
            before = after
        self.layers = nn.Sequential(*layers)
        self.feature_size = before
        self.apply(initialize)

    def forward(self, image: Tensor) -> Tensor:
        maps: Tensor = self.layers(image)
        return maps.movedim(1, -1).flatten(0, -2)
