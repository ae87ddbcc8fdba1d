"""All that decides the shapes of the two players, in a form that fits in JSON; and how a recipe decides it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from mintage import catalog
from mintage.conditioning.embedding import Condition
from mintage.recipes import PlayerRecipe, Recipe, condition_of, joins_attributes
from mintage.sources import has_mask

LAYOUT = 2
"""Version of the weights' layout; weights of another version would load without an error and give noise."""


@dataclass(frozen=True)
class ModelConfig:
    """All that decides the shapes of a generator and its discriminator."""

    network: str
    width: int
    """Width of the generator, and of the discriminator unless `discriminator_width` is given."""
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
    """Categories of the information code, which is a part of the latent; 0 is none."""
    code_continuous: int = 0
    """Numbers in [-1,1] of the information code."""
    packing: int = 1
    """How many images the discriminator judges together."""
    reconstructs: bool = False
    """Whether the discriminator is an autoencoder."""
    minibatch_stddev: int = 0
    """How many judgments share their standard deviation as one more feature; 0 is none."""
    discriminator_width: int = 0
    generator_layers: tuple[str, str, str] = ("network", "network", "network")
    """Activation, initialization and resampling."""
    discriminator_layers: tuple[str, str, str] = ("network", "network", "network")
    dropout_in_use: bool = False
    """Whether the generator also has dropout in use, not only in training."""
    source_shape: tuple[int, ...] | None = None
    """(S, h, w) of the sources that the generator translates; None if it makes images from noise. The last channels are
    the attributes, if there are any."""
    attributes: tuple[str, ...] | None = None
    """Names of the attributes that the players get in place of a class; see `mintage.attributes`."""
    joint_attributes: bool = False
    """Whether the players get which combination of all attributes it is, in place of each attribute by itself."""
    domains: tuple[str, str] | None = None
    """For two domains without pairs: the domain that is translated, then the one that is made. If none is translated,
    one latent gives an image of each, and the domains are the generator's classes."""
    vocabulary: tuple[str, ...] | None = None
    """The words, if samples are sequences of words (`mintage.tokens`)."""
    encodes: bool = False
    """Whether an encoder comes with the generator."""
    phase_shuffle: int = 0
    """The discriminator's phase shuffle, for sound."""
    discriminator_hidden: int = 0
    """Units of the layer between the discriminator's features and its judgment; 0 is no such layer."""
    residual: bool = False
    """Whether the network's output is added to the source."""
    blend: float = 0.0
    """Share of the source in the image, in use but not in training."""
    first: "ModelConfig | None" = None
    """Config of the first generator, a part of this one, which refines its images of the same latents and condition."""
    encoder: "ModelConfig | None" = None
    """Config of the encoder's layers, if it was trained after the generator."""
    layout: int = LAYOUT

    @property
    def conditional(self) -> bool:
        """Whether the generator makes the class it is asked for."""
        return self.generator_conditioning != "none" and not self.translates and self.attributes is None

    @property
    def translates(self) -> bool:
        """Whether the generator makes images from sources."""
        return self.source_shape is not None

    @property
    def joins_attributes(self) -> bool:
        """Whether a source also has attributes, as more channels after its own."""
        return self.source_shape is not None and self.attributes is not None

    @property
    def bare_source_shape(self) -> tuple[int, ...] | None:
        """`source_shape` without the attributes' channels."""
        if self.source_shape is None:
            return None
        channels, *sides = self.source_shape
        return channels - len(self.attributes or ()), *sides

    @property
    def player_source_shape(self) -> tuple[int, ...] | None:
        """`source_shape` as the networks get it: joint attributes have a channel for each combination."""
        if self.source_shape is None or not self.joins_attributes:
            return self.source_shape
        channels, *sides = self.source_shape
        return channels - self.condition.size + self.condition.vector_size, *sides

    def bare(self, sources: Tensor) -> Tensor:
        """Sources `[N,S,...]` without the attributes' channels."""
        return sources if self.bare_source_shape is None else sources[:, : self.bare_source_shape[0]]

    @property
    def couples(self) -> bool:
        """Whether one latent gives an image of each of two domains."""
        return self.domains is not None and not self.translates

    @property
    def fills(self) -> bool:
        """Whether a source has a mask, and the generator fills in the pixels that it marks."""
        return self.bare_source_shape is not None and has_mask(self.bare_source_shape, self.image_shape)

    @property
    def back(self) -> "ModelConfig":
        """Config of the generator that translates the other way."""
        return replace(self, domains=None)

    @property
    def rank(self) -> int:
        """How many spatial axes images have."""
        return len(self.image_shape) - 1

    @property
    def class_count(self) -> int:
        return len(self.classes or ())

    @property
    def condition(self) -> Condition:
        """The attributes or classes that the players' conditionings use, if they use no source."""
        if self.attributes is not None:
            return Condition(len(self.attributes), self.attributes, self.joint_attributes)
        return Condition(self.class_count)

    @property
    def code_size(self) -> int:
        return self.code_categories + self.code_continuous

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """The inverse of `dataclasses.asdict` through JSON, which turns tuples into lists.

        Raises ValueError if the weights have another layout.
        """
        if values.get("layout") != LAYOUT:
            raise ValueError("its weights are laid out as an older version of mintage/ had them")
        as_it_was: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        parts = {name: values.get(name) for name in ("first", "encoder")}
        return cls(**as_it_was | {name: part and cls.from_json(part) for name, part in parts.items()})


def model_config(
    recipe: Recipe,
    image_shape: tuple[int, ...],
    classes: Sequence[str] | None,
    attributes: Sequence[str] | None = None,
    source_shape: tuple[int, ...] | None = None,
    *,
    domains: Sequence[str] | None = None,
    vocabulary: tuple[str, ...] | None = None,
    first: ModelConfig | None = None,
) -> ModelConfig:
    """The recipe's players for images of this shape, classes and attributes; by default sources have the images' shape.

    For sequences a latent has one number for each word.
    """
    one, other = domains or ("", "")
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
        joint_attributes=recipe.joint_attributes,
        domains=(one, other) if condition_of(recipe) == "domain" else None,
        vocabulary=vocabulary,
        encodes=catalog.load("game", recipe.game).encodes,
        phase_shuffle=recipe.discriminator.phase_shuffle,
        discriminator_hidden=recipe.discriminator.hidden,
        residual=recipe.residual,
        blend=recipe.blend,
        first=first,
    )


def inverting_config(recipe: Recipe, first: ModelConfig, classes: Sequence[str] | None) -> ModelConfig:
    """The config `first` with an encoder of the recipe's layers; `classes` are those of the training images."""
    encoder = model_config(recipe, first.image_shape, None)
    known = None if classes is None else tuple(classes)
    return replace(first, classes=known, discriminator_conditioning="none", encodes=True, encoder=encoder)


def condition_for(recipe: Recipe, first: ModelConfig | None) -> str | None:
    """What the players use of each image, as `condition_of`; in a game that inverts, what `first` uses."""
    if first is None or not catalog.load("game", recipe.game).inverts:
        return condition_of(recipe)
    return "attributes" if first.attributes else "label" if first.conditional else None


def _layers(player: PlayerRecipe) -> tuple[str, str, str]:
    return player.activation, player.initialization, player.resampling
