"""Image to image by residual blocks (Johnson et al. 2016, as in Zhu et al. 2017, appendix 7.2), judged by patches."""

from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.parts import Plane, Shape, channels, finish, initialize
from mintage.networks.patches import Discriminator
from mintage.networks.resampling import Size

_WIDE, _NARROW = 7, 3
"""Kernels of the first and last layer, and of the blocks."""
_HALF_FROM, _QUARTER_FROM = 16, 64
"""Shorter sides from which an image is halved, and halved again."""


def blocks(height: int, width: int) -> int:
    """Nine from 256 pixels and six from 128, as in the paper; three below."""
    return 3 * (1 + sum(min(height, width) >= side for side in (128, 256)))


class Block(nn.Module):
    """Convolution, norm, ReLU, convolution, norm; the input is added. Borders are reflected."""

    def __init__(self, channels: int, kit: Layers) -> None:
        super().__init__()
        self.first, self.second = (_convolution(channels, channels, _NARROW, kit) for _ in range(2))
        self.norms = nn.ModuleList([kit.norm(channels), kit.norm(channels)])
        self.active = kit.active(nn.ReLU())

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.active(self.norms[0](self.first(maps)))
        return maps + self.norms[1](self.second(inner))


class Generator(nn.Module):
    """(source `[N,S,H,W]`, vector `[N, vector_size]`) to an image `[N,C,H,W]` in [-1,1].

    Small images are halved less than in the paper: not at all below 16 pixels, once below 64. A vector joins the maps
    in the middle as a channel.
    """

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, source_shape: Shape) -> None:
        super().__init__()
        steps = _steps(*image_shape[1:])
        wide = channels(len(steps), width)
        down: list[nn.Module] = [_convolution(source_shape[0], wide[0], _WIDE, kit)]
        down += kit.then(wide[0], nn.ReLU())
        up: list[nn.Module] = []
        for level in range(1, len(steps)):
            above, below = wide[level - 1], wide[level]
            down += [kit.down(above, below), *kit.then(below, nn.ReLU())]
            up = [kit.up(below, above, steps[level - 1]), *kit.then(above, nn.ReLU()), *up]
        self.down = nn.Sequential(*down)
        self.plane = Plane(vector_size, steps[-1])
        self.join = nn.Conv2d(wide[-1] + 1, wide[-1], 1) if vector_size else nn.Identity()
        self.blocks = nn.Sequential(*(Block(wide[-1], kit) for _ in range(blocks(*image_shape[1:]))))
        self.up = nn.Sequential(*up)
        self.last = nn.Sequential(_convolution(wide[0], image_shape[0], _WIDE, Layers("none")))
        self.apply(initialize)

    def forward(self, source: Tensor, vector: Tensor, base: Tensor | None = None) -> Tensor:
        maps = self.join(self.plane(self.down(source), vector))
        return finish(self.last(self.up(self.blocks(maps))), base)


def _steps(height: int, width: int) -> list[Size]:
    """Heights and widths of the maps, from the image's own down."""
    steps: list[Size] = [(height, width)]
    for side in (_HALF_FROM, _QUARTER_FROM):
        if min(height, width) >= side:
            steps.append((-(-steps[-1][0] // 2), -(-steps[-1][1] // 2)))
    return steps


def _convolution(before: int, after: int, kernel: int, kit: Layers) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode="reflect", bias=kit.bias)


NETWORK = Network(
    Generator, Discriminator, ("instance", "instance"), plain=True, translates=True, patches=True, strided=True,
    adds=True,
)  # fmt: skip
