"""Image to image as g(f(x)): f extracts features that distinguish classes, g draws an image (Taigman et al. 2017).

f learns from classes before the game begins (`mintage/games/transfer.py`) and is frozen from then on. It has the layers
of a discriminator, then tanh, so that a distance of features means the same for any f. Its norms are of each image
alone: an image has the same features in training and in use, and they still say much of an image of the other domain,
whose strokes are thinner or fainter. g is `dcgan`'s generator.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import Network, dcgan
from mintage.networks.parts import Shape

FEATURES = 128
"""The number of features, as in the paper for digits."""


class Extractor(nn.Module):
    """Images `[N,S,H,W]` in [-1,1] to features `[N, FEATURES]` in [-1,1]: the paper's f."""

    def __init__(self, source_shape: Shape, width: int, kit: Layers) -> None:
        super().__init__()
        self.layers = dcgan.Discriminator(source_shape, width, replace(kit, normalization="instance", dropout=0.0))
        self.output = nn.Linear(self.layers.feature_size, FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.layers(images)).tanh()


class Generator(nn.Module):
    """(source `[N,S,H,W]`, vector `[N, vector_size]`) to an image `[N,C,H,W]` in [-1,1]; a vector joins the features.

    Nothing goes around the features, so only what they contain is kept of the source.
    """

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, source_shape: Shape) -> None:
        super().__init__()
        self.extractor = Extractor(source_shape, width, kit)
        self.drawer = dcgan.Generator(FEATURES + vector_size, image_shape, width, kit)
        self.joins = vector_size > 0

    def forward(self, source: Tensor, vector: Tensor) -> Tensor:
        features = self.extractor(source)
        return self.drawer(torch.cat([features, vector.to(features.dtype)], 1) if self.joins else features)


NETWORK = Network(
    Generator, dcgan.Discriminator, ("batch", "batch"), plain=True, translates=True, strided=True, extracts=True
)
