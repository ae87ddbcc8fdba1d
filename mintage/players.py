"""The two players: a network with its conditioning, built from a config that fits in a JSON file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from mintage import catalog
from mintage.attributes import EXAMPLES
from mintage.conditioning.embedding import Condition
from mintage.conditioning.heads import HeadConfig, Judgement
from mintage.encoding import Codes, Encoder
from mintage.layers import Layers
from mintage.networks.parts import begin_as_base
from mintage.recipes import PlayerRecipe, Recipe, condition_of, joins_attributes
from mintage.sources import has_mask, untouched, with_known

LAYOUT = 2
"""Of the weights; weights of another one would load without a word and give noise."""


@dataclass(frozen=True)
class ModelConfig:
    """All that decides the shapes of a generator and its discriminator."""

    network: str
    width: int
    """Of the generator, and of the discriminator where that has none of its own."""
    image_shape: tuple[int, ...]
    """(C, H, W), (C, T) of sound or (C, D, H, W) of volumes."""
    classes: tuple[str, ...] | None
    """Class names by label; None where images have no labels."""
    latent_size: int
    latent_distribution: str
    generator_conditioning: str = "none"
    generator_normalization: str = "batch"
    generator_dropout: float = 0.0
    discriminator_conditioning: str = "none"
    discriminator_normalization: str = "none"
    discriminator_dropout: float = 0.0
    code_categories: int = 0
    """An information code that is part of the latent: one of so many categories,"""
    code_continuous: int = 0
    """and so many numbers in [-1,1]."""
    packing: int = 1
    """Images that the discriminator judges together."""
    reconstructs: bool = False
    """Whether the discriminator is an autoencoder."""
    minibatch_stddev: int = 0
    """Judgements that share a feature, the standard deviation among them; 0 is none."""
    discriminator_width: int = 0
    generator_layers: tuple[str, str, str] = ("network", "network", "network")
    """Activation, initialization and resampling."""
    discriminator_layers: tuple[str, str, str] = ("network", "network", "network")
    dropout_in_use: bool = False
    """Whether the generator leaves out units when it is used, too."""
    source_shape: tuple[int, ...] | None = None
    """(S, h, w) of the images of which the generator makes others; None where it makes them of noise. The last channels
    are the attributes, where there are some."""
    attributes: tuple[str, ...] | None = None
    """Names of what the players are told in place of a class; see `mintage.attributes`."""
    domains: tuple[str, str] | None = None
    """Where there are two without pairs: the one whose images are translated, and the one of what is made. Where none
    are translated, an image of each is made of one latent, and they are its classes."""
    vocabulary: tuple[str, ...] | None = None
    """The words, where samples are sequences of some (`mintage.tokens`)."""
    encodes: bool = False
    """Whether an encoder comes with the generator."""
    phase_shuffle: int = 0
    """The discriminator's, of sound."""
    residual: bool = False
    """Whether what the network makes of a source is added to that."""
    blend: float = 0.0
    """Share of the source in what is made, once it is trained."""
    layout: int = LAYOUT

    @property
    def conditional(self) -> bool:
        """Whether the generator makes the class it is asked for."""
        return self.generator_conditioning != "none" and not self.translates and self.attributes is None

    @property
    def translates(self) -> bool:
        """Whether the generator makes images of images."""
        return self.source_shape is not None

    @property
    def joins_attributes(self) -> bool:
        """Whether a source tells attributes, too, each by a channel behind its own."""
        return self.source_shape is not None and self.attributes is not None

    @property
    def bare_source_shape(self) -> tuple[int, ...] | None:
        """`source_shape` without these channels."""
        if self.source_shape is None:
            return None
        channels, *sides = self.source_shape
        return channels - len(self.attributes or ()), *sides

    def bare(self, sources: Tensor) -> Tensor:
        """Sources `[N,S,...]` without these channels."""
        return sources if self.bare_source_shape is None else sources[:, : self.bare_source_shape[0]]

    @property
    def couples(self) -> bool:
        """Whether the generator makes an image of each of two domains, of one latent."""
        return self.domains is not None and not self.translates

    @property
    def fills(self) -> bool:
        """Whether a source has a mask, and the generator fills in what is missing of it."""
        return self.bare_source_shape is not None and has_mask(self.bare_source_shape, self.image_shape)

    @property
    def back(self) -> "ModelConfig":
        """Of the generator that translates the other way."""
        return replace(self, domains=None)

    @property
    def rank(self) -> int:
        """How many axes images have behind their channels."""
        return len(self.image_shape) - 1

    @property
    def class_count(self) -> int:
        return len(self.classes or ())

    @property
    def condition(self) -> Condition:
        """What conditionings are of, where they are of no source."""
        if self.attributes is not None:
            return Condition(len(self.attributes), self.attributes)
        return Condition(self.class_count)

    @property
    def code_size(self) -> int:
        return self.code_categories + self.code_continuous

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """The inverse of `dataclasses.asdict` through JSON, which turns tuples into lists.

        Raises ValueError where the weights are laid out another way.
        """
        if values.get("layout") != LAYOUT:
            raise ValueError("its weights are laid out as an older version of mintage/ had them")
        as_it_was: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**as_it_was)


class Generator(nn.Module):
    """(latent `[N, latent_size + code_size]`, condition) -> images `[N,C,*S]` in [-1,1].

    The condition is what the config says: a label `[N]`, attributes `[N,K]` on [-1,1], a source `[N,S,H,W]` in
    [-1,1], which may have attributes as its last channels, or None. Of two domains it translates the first into the
    second, and its child `back` the second into the first.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.conditioning = catalog.load("generator_conditioning", config.generator_conditioning)(config.condition)
        norm = Layers(
            config.generator_normalization,
            self.conditioning.modulation_size,
            True,
            config.generator_dropout,
            *config.generator_layers,
            rank=config.rank,
        )
        vector_size = config.latent_size + config.code_size + self.conditioning.vector_size
        beside = config.source_shape or len(config.vocabulary or ()) or self.conditioning.plane_size
        self.network = catalog.load("network", config.network).generator(
            vector_size, config.image_shape, config.width, norm, beside, **_own_layers(config)
        )
        norm.initialize(self.network)
        if config.residual:
            begin_as_base(self.network)
        norm.constrain(self.network)
        self.examples: Tensor | None
        """Attributes of real images `[EXAMPLES, K]`, by which it is asked where nobody says what for; None else."""
        self.register_buffer("examples", torch.zeros(EXAMPLES, len(config.attributes)) if config.attributes else None)
        self.back = Generator(config.back) if config.domains and config.translates else None
        self.encoder = _encoder(config) if config.encodes else None

    @property
    def directions(self) -> "dict[str, Generator]":
        """By the name of the domain that each makes, where it is of two; else empty."""
        if self.back is None or self.config.domains is None:
            return {}
        first, second = self.config.domains
        return {second: self, first: self.back}

    def train(self, mode: bool = True) -> "Generator":
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.Dropout) and self.config.dropout_in_use:
                layer.training = True
        return self

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        return self._made(self.network, latent, condition)

    def draft(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """What the first of its network's two stages makes alone; where there is one, what that makes."""
        return self._made(getattr(self.network, "coarse", self.network), latent, condition)

    def _made(self, network: nn.Module, latent: Tensor, condition: Tensor | None) -> Tensor:
        shown, blend = self.conditioning(latent, condition), 0.0 if self.training else self.config.blend
        source = None
        if condition is not None and (self.config.residual or blend):
            source = untouched(self.config.bare(condition), self.config.image_shape)
        images: Tensor = network(*shown, source) if self.config.residual else network(*shown)
        if source is not None and blend:
            images = torch.lerp(images, source.to(images.dtype), blend)
        return with_known(images, condition) if self.config.fills and condition is not None else images

    def encode(self, images: Tensor) -> Codes:
        """Of images `[N,C,H,W]` the latents of which it makes such images; where it has an encoder."""
        assert self.encoder is not None
        codes: Codes = self.encoder(channels_last(images))
        return codes


class Discriminator(nn.Module):
    """(images `[N,C,*S]`, condition) -> Judgement of them, of N / packing packs of them, or of all their patches."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        conditioning = catalog.load("discriminator_conditioning", config.discriminator_conditioning)
        norm = Layers(
            config.discriminator_normalization,
            0,
            False,
            config.discriminator_dropout,
            *config.discriminator_layers,
            config.rank,
            config.phase_shuffle,
        )
        channels, *size = config.image_shape
        self.packing = config.packing
        self.conditioning = conditioning.image(config.condition, config.image_shape, config.source_shape)
        shape = (self.conditioning.channels * config.packing, *size)
        network = catalog.load("network", config.network)
        self.reads_apart = network.reads_labelled and config.packing == 1
        words = () if config.vocabulary is None else (len(config.vocabulary),)
        self.network = network.discriminator(
            shape, config.discriminator_width or config.width, norm, *words, **_own_layers(config)
        )
        norm.initialize(self.network)
        self.group = config.minibatch_stddev
        features = self.network.feature_size + bool(self.group)
        head = HeadConfig(features, config.condition, config.code_categories, config.code_continuous)
        self.head = None if config.reconstructs else conditioning.head(head)
        packed = (channels * config.packing, *size)
        self.decoder = _decoder(config, features, packed) if config.reconstructs else None
        norm.constrain(self)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Judgement:
        shown = self.conditioning.apart(image, condition) if self.reads_apart else None
        if shown is None:
            shown = channels_last(self._pack(self.conditioning(image, condition)))
        features = self.network(shown)
        features = with_deviation(features, self.group) if self.group else features
        if self.head is not None:
            judgement: Judgement = self.head(features, condition)
            return judgement
        assert self.decoder is not None
        error = (self.decoder(features).float() - self._pack(image)).abs().flatten(1).mean(1)
        return Judgement(-error, features)

    def _pack(self, images: Tensor) -> Tensor:
        """Every `packing` images side by side, as channels of one (PacGAN, Lin et al. 2018)."""
        if self.packing == 1:
            return images
        return images.reshape(len(images) // self.packing, -1, *images.shape[2:])


def with_deviation(features: Tensor, group: int) -> Tensor:
    """Features `[M,F]`, and behind them one more: their standard deviation among `group` neighbors, as a mean over F.

    Neighbors are all real or all fake, also where both are judged in one pass. Karras et al. 2018, section 3.
    """
    together = features.float().reshape(-1, group, features.shape[1])
    deviation = (together.var(1, unbiased=False) + 1e-8).sqrt().mean(1)
    return torch.cat([features, deviation.repeat_interleave(group)[:, None].to(features.dtype)], dim=1)


def channels_last(images: Tensor) -> Tensor:
    """The same images; those of one channel, of which both orders are one, say by their strides that it comes last.

    Else the first convolution answers in the other order, and the layers behind it turn its maps round.
    """
    if images.shape[1] > 1:
        return images
    return images.squeeze(1).unsqueeze(-1).movedim(-1, 1)


def _own_layers(config: ModelConfig) -> dict[str, int]:
    """Of how many domains a network is to have layers of their own, where it is to have any."""
    return {"domains": len(config.domains)} if config.domains is not None and config.couples else {}


def _encoder(config: ModelConfig) -> Encoder:
    """As wide as the generator, of layers like its own."""
    layers = (config.generator_dropout, *config.generator_layers, config.rank)
    norm = Layers(config.generator_normalization, 0, True, *layers)
    return Encoder(config.network, config.image_shape, config.width, norm, config.latent_size)


def _decoder(config: ModelConfig, features: int, image_shape: tuple[int, ...]) -> nn.Module:
    """Back from the features, through as narrow a code as the generator's latent (Berthelot et al. 2017)."""
    norm = Layers(config.discriminator_normalization, tracks=False, rank=config.rank)
    network = catalog.load("network", config.network).generator(
        config.latent_size, image_shape, config.discriminator_width or config.width, norm
    )
    return nn.Sequential(nn.Linear(features, config.latent_size), network)


def model_config(
    recipe: Recipe,
    image_shape: tuple[int, ...],
    classes: Sequence[str] | None,
    attributes: Sequence[str] | None = None,
    source_shape: tuple[int, ...] | None = None,
    *,
    domains: Sequence[str] | None = None,
    vocabulary: tuple[str, ...] | None = None,
) -> ModelConfig:
    """The recipe's players for images of this shape, classes and attributes; sources are alike where nobody says.

    Of sequences a latent has a number a word.
    """
    first, second = domains or ("", "")
    beside = tuple(attributes or ()) if joins_attributes(recipe) else None
    channels, *sides = source_shape or image_shape
    takes: str | None = catalog.load("generator_conditioning", recipe.generator.conditioning).takes
    reads_code = catalog.load("discriminator_conditioning", recipe.discriminator.conditioning).reads_code
    return ModelConfig(
        network=recipe.network,
        width=recipe.generator.width or recipe.width,
        discriminator_width=recipe.discriminator.width or recipe.width,
        image_shape=image_shape,
        classes=None if classes is None else tuple(classes),
        latent_size=recipe.latent_size if vocabulary is None else math.prod(image_shape),
        latent_distribution=recipe.latent_distribution,
        generator_conditioning=recipe.generator.conditioning,
        generator_normalization=recipe.generator.normalization,
        generator_dropout=recipe.generator.dropout,
        generator_layers=_layers(recipe.generator),
        dropout_in_use=recipe.generator.dropout_in_use,
        discriminator_conditioning=recipe.discriminator.conditioning,
        discriminator_normalization=recipe.discriminator.normalization,
        discriminator_dropout=recipe.discriminator.dropout,
        discriminator_layers=_layers(recipe.discriminator),
        code_categories=recipe.code_categories if reads_code else 0,
        code_continuous=recipe.code_continuous if reads_code else 0,
        packing=recipe.packing,
        minibatch_stddev=recipe.minibatch_stddev,
        reconstructs=catalog.load("objective", recipe.objective).reconstructs,
        source_shape=(channels + len(beside or ()), *sides) if takes == "source" else None,
        attributes=tuple(attributes or ()) if condition_of(recipe) == "attributes" else beside,
        domains=(first, second) if condition_of(recipe) == "domain" else None,
        vocabulary=vocabulary,
        encodes=catalog.load("game", recipe.game).encodes,
        phase_shuffle=recipe.discriminator.phase_shuffle,
        residual=recipe.residual,
        blend=recipe.blend,
    )


def _layers(player: PlayerRecipe) -> tuple[str, str, str]:
    return player.activation, player.initialization, player.resampling


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
