"""The second stage of StackGAN (Zhang et al. 2017, 3.3): it refines a first generator's image of the same latents.

As in the paper, it halves the first stage's picture, joins the condition at every place, and doubles it up to the image
after a few residual blocks. Unlike the paper's, it also gets the latents, and its output is added to the enlarged
picture, so that it need not learn to copy it.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate

from mintage.layers import Layers, Modulated
from mintage.networks import Network, infogan
from mintage.networks.parts import Plane, Shape, finish, initialize
from mintage.networks.srresnet import doublings

_BLOCKS = 2
"""The paper has four of 512 channels, for images of 256 x 256."""


class Generator(nn.Module):
    """(first `[N,C,h,w]`, vector `[N, vector_size]`, modulation, plane) to an image `[N,C,H,W]`, both in [-1,1]."""

    def __init__(
        self, vector_size: int, image_shape: Shape, width: int, kit: Layers, plane_size: int = 0, *, first_shape: Shape
    ) -> None:
        super().__init__()
        channels, *large = image_shape
        before, height, across = first_shape
        self.size, wide = tuple(large), 2 * width
        self.read = Modulated(
            nn.Conv2d(before, width, 3, padding=1),
            kit.active(nn.ReLU()),
            kit.down(width, wide),
            *kit.then(wide, nn.ReLU()),
        )
        self.vector = nn.Linear(vector_size, wide)
        self.plane = Plane(plane_size, (-(-height // 2), -(-across // 2)))
        join = nn.Conv2d(wide + bool(plane_size), wide, 3, padding=1, bias=kit.bias)
        self.join = Modulated(join, *kit.then(wide, nn.ReLU()))
        self.blocks = nn.ModuleList(_block(wide, kit) for _ in range(_BLOCKS))
        *sizes, last = [(height, across), *doublings((height, across), (large[0], large[1]))]
        self.enlarge = Modulated()
        levels = [wide, *[width] * len(sizes)]
        for (narrow, after), size in zip(pairwise(levels), sizes, strict=True):
            self.enlarge.extend([kit.up(narrow, after, size), *kit.then(after, nn.ReLU())])
        self.last = kit.up(levels[-1], channels, last, bias=True)
        self.apply(initialize)

    def forward(
        self, first: Tensor, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None
    ) -> Tensor:
        maps = self.read(first, modulation)
        maps = maps + self.vector(vector).to(maps.dtype)[:, :, None, None]
        maps = self.join(self.plane(maps, plane), modulation)
        for block in self.blocks:
            maps = maps + block(maps, modulation)
        return finish(self.last(self.enlarge(maps, modulation)), self.enlarged(first))

    def enlarged(self, first: Tensor) -> Tensor:
        """The first stage's pictures `[N,C,h,w]` enlarged bicubic to `[N,C,H,W]`, to which this network adds."""
        return interpolate(first.float(), self.size, mode="bicubic").clamp(-1, 1)


def _block(wide: int, kit: Layers) -> Modulated:
    return Modulated(
        nn.Conv2d(wide, wide, 3, padding=1, bias=kit.bias),
        *kit.then(wide, nn.ReLU()),
        nn.Conv2d(wide, wide, 3, padding=1, bias=kit.bias),
        kit.norm(wide),
    )


NETWORK = Network(
    Generator, infogan.Discriminator, ("batch", "batch"), norms_units=True, plain=True, strided=True, stacks=True,
    decoder=infogan.Generator,
)  # fmt: skip
