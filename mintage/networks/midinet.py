"""Bars of music: convolutions along time alone, each step with all its pitches at once (Yang et al. 2017, section 3).

A bar `[N,C,T,P]` of T steps by P pitches is to them a sound of C P channels and T samples.
"""

from dataclasses import replace

from torch import Tensor, nn

from mintage.layers import Layers
from mintage.networks import Network, dcgan
from mintage.networks.parts import ImageShape


class Generator(nn.Module):
    """(vector `[N, vector_size]`, modulation, plane) to a bar `[N,C,T,P]` in [-1,1]."""

    def __init__(
        self, vector_size: int, image_shape: ImageShape, width: int, norm: Layers, plane_size: int = 0
    ) -> None:
        super().__init__()
        channels, steps, self.pitches = image_shape
        self.along_time = dcgan.Generator(
            vector_size, (channels * self.pitches, steps), width, replace(norm, rank=1), plane_size
        )

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        steps: Tensor = self.along_time(vector, modulation, plane)
        pitches, places = self.pitches, steps.shape[2]
        return steps.reshape(len(steps), -1, pitches, places).transpose(2, 3)


class Discriminator(nn.Module):
    """A bar `[N,C,T,P]` to features `[N, feature_size]`; no norm on the first layer."""

    def __init__(self, image_shape: ImageShape, width: int, norm: Layers) -> None:
        super().__init__()
        channels, steps, pitches = image_shape
        self.along_time = dcgan.Discriminator((channels * pitches, steps), width, replace(norm, rank=1))
        self.feature_size = self.along_time.feature_size

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.along_time(image.transpose(2, 3).flatten(1, 2))
        return features


NETWORK = Network(Generator, Discriminator, ("batch", "batch"), plain=True, strided=True)
