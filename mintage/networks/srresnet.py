"""Enlarging (Ledig et al. 2017, figure 4): residual blocks at the source's size, then doublings up to the image's.

Eight blocks in place of sixteen, so that a CPU can train them. Their output is added to the source, enlarged bicubic,
so that they need not learn to copy it. An image as large as its source is made in the same way.
"""

from torch import Tensor, nn
from torch.nn.functional import interpolate

from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.parts import Plane, Shape, begin_as_base, finish
from mintage.networks.patches import Discriminator
from mintage.networks.resampling import Size

_BLOCKS = 8
_MOST_DOUBLINGS = 3
_INSIDE = 0.99
"""An enlarged source is cut to +-0.99, as in all models released so far."""


def doublings(size: Size, image_size: Size) -> list[Size]:
    """The sizes after the source's up to the image's: each side is twice the one before, or one less.

    Raises ValueError where there are no such sizes.
    """
    steps = [image_size]
    while steps[0] != size:
        if len(steps) > _MOST_DOUBLINGS:
            raise ValueError(f"an image of {image_size} is not 1, 2, 4 or 8 times as large as a source of {size}")
        steps.insert(0, (-(-steps[0][0] // 2), -(-steps[0][1] // 2)))
    return steps[1:]


class Generator(nn.Module):
    """(source `[N,S,h,w]`, vector `[N, vector_size]`) to an image `[N,C,H,W]` in [-1,1]; a vector as a channel."""

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, source_shape: Shape) -> None:
        super().__init__()
        channels, *size = image_shape
        before, *source_size = source_shape
        self.size, self.alike = (size[0], size[1]), before in (1, channels)
        self.plane = Plane(vector_size, source_size)
        first = nn.Conv2d(before + bool(vector_size), width, 3, padding=1)
        self.first = nn.Sequential(first, kit.chosen(nn.PReLU()))
        self.blocks = nn.Sequential(*(_Block(width, kit) for _ in range(_BLOCKS)))
        self.joined = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=kit.bias), kit.norm(width))
        steps = doublings((source_size[0], source_size[1]), self.size)
        self.enlarge = nn.Sequential(
            *(nn.Sequential(_twice(width, step, kit), kit.chosen(nn.PReLU())) for step in steps)
        )
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        begin_as_base(self.last)

    def forward(self, source: Tensor, vector: Tensor) -> Tensor:
        maps = self.first(self.plane(source, vector))
        maps = self.enlarge(maps + self.joined(self.blocks(maps)))
        large = interpolate(source.float(), self.size, mode="bicubic") if self.alike else None
        return finish(self.last(maps), large, _INSIDE)


class _Block(nn.Module):
    def __init__(self, width: int, kit: Layers) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, bias=kit.bias) for _ in range(2))
        self.layers = nn.Sequential(first, *kit.then(width, nn.PReLU()), second, kit.norm(width))

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class _Shuffled(nn.Module):
    """Double a map: the pixels of four maps are interleaved to one (Shi et al. 2016), cut to exactly `size`."""

    def __init__(self, width: int, size: Size) -> None:
        super().__init__()
        self.convolution, self.shuffle, self.size = nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), size

    def forward(self, maps: Tensor) -> Tensor:
        height, width = self.size
        doubled: Tensor = self.shuffle(self.convolution(maps))
        return doubled[:, :, :height, :width]


def _twice(width: int, size: Size, kit: Layers) -> nn.Module:
    return _Shuffled(width, size) if kit.resampling == "network" else kit.up(width, width, size, bias=True)


NETWORK = Network(
    Generator, Discriminator, ("batch", "batch"), plain=True, translates=True, patches=True, strided=True, enlarges=True
)
