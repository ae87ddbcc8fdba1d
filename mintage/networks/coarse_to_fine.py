"""From a source to an image in two stages (Ma et al. 2017): a U-Net draws it coarsely, a second one adds what differs.

The first learns alone, by the terms, before the game begins (`Recipe.pretrain_images`), and is frozen from then on.
The second also gets the whole source, with any map in it; the paper's gets the picture alone. Both are the U-Net of
`unet`, without the paper's fully connected layer.
"""

import torch
from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import ANY_RANK, Network, unet
from mintage.networks.parts import Shape, begin_as_base
from mintage.networks.patches import Discriminator


class Generator(nn.Module):
    """(source `[N,S,*S]`, vector `[N, vector_size]`) to an image `[N,C,*S]` in [-1,1]; only stage two uses a vector."""

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, source_shape: Shape) -> None:
        super().__init__()
        before, *size = source_shape
        self.coarse = unet.Generator(0, image_shape, width, kit, source_shape)
        self.fine = unet.Generator(vector_size, image_shape, width, kit, (image_shape[0] + before, *size))
        begin_as_base(self.fine)

    def forward(self, source: Tensor, vector: Tensor) -> Tensor:
        drawn = self.coarse(source, vector).detach()
        return self.fine(torch.cat([drawn.to(source.dtype), source], 1), vector, drawn)


NETWORK = Network(
    Generator, Discriminator, ("batch", "batch"), plain=True, translates=True, patches=True, strided=True,
    coarse=True, ranks=ANY_RANK,
)  # fmt: skip
