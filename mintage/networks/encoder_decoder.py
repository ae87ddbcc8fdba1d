"""Image to image through one narrow map, by plain convolutions (Kim et al. 2017, section 3.1), judged as a whole."""

from itertools import pairwise

from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.dcgan import Discriminator
from mintage.networks.parts import SLOPE, Plane, Shape, channels, initialize, sizes


class Generator(nn.Module):
    """(source `[N,S,H,W]`, vector `[N, vector_size]`) to an image `[N,C,H,W]` in [-1,1].

    The source is halved until it is 4 pixels or less, then doubled again. Nothing goes around the narrowest map, so of
    the source only what fits through it is kept. A vector joins that map as a channel.
    """

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, source_shape: Shape) -> None:
        super().__init__()
        steps = sizes(*image_shape[1:])
        wide = channels(len(steps) - 1, width)
        down: list[nn.Module] = [kit.down(source_shape[0], wide[0], bias=True), kit.active(nn.LeakyReLU(SLOPE))]
        for before, after in pairwise(wide):
            down += [kit.down(before, after), *kit.then(after, nn.LeakyReLU(SLOPE))]
        self.encoder = nn.Sequential(*down)
        self.plane = Plane(vector_size, steps[-1])
        up: list[nn.Module] = []
        for level in reversed(range(1, len(wide))):
            joined = wide[level] + (bool(vector_size) if level == len(wide) - 1 else 0)
            up += [kit.up(joined, wide[level - 1], steps[level]), *kit.then(wide[level - 1], nn.ReLU())]
        self.decoder = nn.Sequential(*up, kit.up(wide[0], image_shape[0], steps[0], bias=True), nn.Tanh())
        self.apply(initialize)

    def forward(self, source: Tensor, vector: Tensor) -> Tensor:
        return self.decoder(self.plane(self.encoder(source), vector))


NETWORK = Network(Generator, Discriminator, ("batch", "batch"), plain=True, translates=True, strided=True)
