"""Two domains without pairs, held together by how images differ (TraVeLGAN: Amodio and Krishnaswamy 2019, section 3).

A third network embeds images of both domains. The difference of two images' vectors should be that of their
translations' vectors; and no two images may lie close together, or all differences could become zero.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from mintage.dataset import Signature
from mintage.games import Step
from mintage.games.unpaired import Direction, Unpaired
from mintage.layers import Layers
from mintage.networks import dcgan
from mintage.networks.parts import Shape
from mintage.players import Discriminator, Generator
from mintage.randomness import seeded, stream
from mintage.recipes import Recipe
from mintage.terms import Between

EMBEDDING = 128
"""Length of an image's vector; 1,000 in the authors' code, for photographs."""


class Embedder(nn.Module):
    """Images `[N,C,H,W]` of either domain to vectors `[N, EMBEDDING]`, each by itself."""

    def __init__(self, image_shape: Shape, width: int) -> None:
        super().__init__()
        kit = Layers("instance", rank=len(image_shape) - 1)
        self.layers = dcgan.Discriminator(image_shape, width, kit)
        self.output = nn.Linear(self.layers.feature_size, EMBEDDING)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.layers(images))


class Siamese(Unpaired):
    """The embedder moves with the generators: both learn to keep differences."""

    compares = True

    def __init__(self, generator: Generator, discriminators: list[Discriminator], recipe: Recipe) -> None:
        super().__init__(generator, discriminators, recipe)
        self.embedder = Embedder(self.config.image_shape, recipe.width)

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Siamese":
        with seeded(stream(seed, "embedder"), torch.device("cpu")):
            game = super().build(recipe, real, seed)
        assert isinstance(game, Siamese)
        return game

    def mover(self, side: str) -> nn.Module:
        if side == "generator":
            return nn.ModuleList([self.generator, self.embedder])
        return super().mover(side)

    def _between(self, direction: Direction, step: Step) -> Between:
        def embed(images: Tensor) -> Tensor:
            with self.autocast:
                vectors: Tensor = self.embedder(images)
            return vectors

        return replace(super()._between(direction, step), known=embed)
