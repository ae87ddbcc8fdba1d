"""The two players: a network with its conditioning, built from a config that fits in a JSON file."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gan.conditioning import EMBEDDING, ImagePlane, LatentEmbedding
from gan.networks import NETWORKS


@dataclass(frozen=True)
class ModelConfig:
    """All that decides the shapes of a generator and its discriminator."""

    network: str
    width: int
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    conditioning: str
    """`none`, or `concat`: the label's embedding joined to z, and to the image as a plane."""
    classes: tuple[str, ...] | None
    """Class names by label; None where images have no labels."""
    latent_size: int
    latent_distribution: str

    @property
    def conditional(self) -> bool:
        return self.conditioning != "none"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """The inverse of `dataclasses.asdict` through JSON, which turns tuples into lists."""
        classes = values["classes"]
        return cls(
            **{
                **values,
                "image_shape": tuple(values["image_shape"]),
                "classes": classes and tuple(classes),
            }
        )


@dataclass(frozen=True)
class Judgement:
    """What a discriminator says of a batch of N images."""

    logit: Tensor
    """`[N]`; D(x) = sigmoid(logit)."""
    features: Tensor
    """`[N, F]`, before the last layer."""


class Generator(nn.Module):
    """(z `[N, latent_size]`, label `[N]` or None) -> images `[N,C,H,W]` in [-1,1]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.conditioning = LatentEmbedding(_class_count(config)) if config.conditional else None
        input_size = config.latent_size + (EMBEDDING if config.conditional else 0)
        self.network = NETWORKS[config.network].Generator(input_size, config.image_shape, config.width)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        images: Tensor = self.network(latent if self.conditioning is None else self.conditioning(latent, label))
        return images


class Discriminator(nn.Module):
    """(images `[N,C,H,W]`, label `[N]` or None) -> Judgement."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, height, width = config.image_shape
        self.conditioning = ImagePlane(_class_count(config), height, width) if config.conditional else None
        shape = (channels + 1, height, width) if config.conditional else config.image_shape
        self.network = NETWORKS[config.network].Discriminator(shape, config.width)
        self.output = nn.Linear(self.network.feature_size, 1)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Judgement:
        features = self.network(image if self.conditioning is None else self.conditioning(image, label))
        return Judgement(self.output(features).squeeze(1).float(), features)


def build_players(config: ModelConfig, seed: int) -> tuple[Generator, Discriminator]:
    """Both players on the CPU, their first weights decided by `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(config), Discriminator(config)


def build_generator(config: dict[str, Any], weights: dict[str, Tensor]) -> Generator:
    """The generator of a saved config and weights, ready to sample (evaluation mode).

    Raises RuntimeError, naming the tensors, where the weights do not fit the config.
    """
    generator = Generator(ModelConfig.from_json(config))
    generator.load_state_dict(weights)
    return generator.eval().requires_grad_(False)


def _class_count(config: ModelConfig) -> int:
    return len(config.classes or ())
