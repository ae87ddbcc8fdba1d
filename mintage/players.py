"""The two players: a network with its conditioning, built from a config that fits in a JSON file."""

from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from mintage import catalog
from mintage.attributes import EXAMPLES
from mintage.conditioning.heads import HeadConfig, Judgment
from mintage.encoding import Codes, Encoder
from mintage.layers import Layers, without_weights
from mintage.model_config import ModelConfig
from mintage.networks.parts import SLOPE, begin_as_base
from mintage.sources import untouched, with_known


class Generator(nn.Module):
    """(latent `[N, latent_size + code_size]`, condition) -> images `[N,C,*S]` in [-1,1].

    The config decides the condition: a label `[N]`, attributes `[N,K]` in [-1,1], a source `[N,S,H,W]` in [-1,1], which
    may have attributes as its last channels, or None. With two domains it translates the first into the second, and its
    child `back` the second into the first. A second stage refines what its frozen child `first` makes from the same
    latents and condition.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.conditioning = catalog.load("generator_conditioning", config.generator_conditioning)(config.condition)
        kit = _layers(config, "generator", modulation_size=self.conditioning.modulation_size)
        vector_size = config.latent_size + config.code_size + self.conditioning.vector_size
        of_first = {} if config.first is None else {"first_shape": config.first.image_shape}
        beside = config.player_source_shape or len(config.vocabulary or ()) or self.conditioning.plane_size
        self.network = catalog.load("network", config.network).generator(
            vector_size, config.image_shape, config.width, kit, beside, **_own_layers(config), **of_first
        )
        kit.initialize(self.network)
        if config.residual or config.first:
            begin_as_base(self.network)
        kit.constrain(self.network)
        self.examples: Tensor | None
        """Attributes of real images `[EXAMPLES, K]`, the default condition when sampling; None without attributes."""
        self.register_buffer("examples", torch.zeros(EXAMPLES, len(config.attributes)) if config.attributes else None)
        self.back = Generator(config.back) if config.domains and config.translates else None
        self.encoder = _encoder(config) if config.encodes else None
        self.first = First(config.first) if config.first else None

    @property
    def directions(self) -> "dict[str, Generator]":
        """Both generators by the domain that they make, if it translates between two; else empty."""
        if self.back is None or self.config.domains is None:
            return {}
        first, second = self.config.domains
        return {second: self, first: self.back}

    def train(self, mode: bool = True) -> "Generator":
        super().train(mode)
        own = (part for part in self.children() if not isinstance(part, First))
        for layer in (layer for part in own for layer in part.modules()):
            if isinstance(layer, nn.Dropout) and self.config.dropout_in_use:
                layer.training = True
        return self

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        return self._made(self.network, latent, condition)

    def draft(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """The images of its first stage alone, enlarged if they are smaller; with one stage, its images."""
        if self.first is not None:
            return self.network.enlarged(self.first(latent, condition))
        return self._made(getattr(self.network, "coarse", self.network), latent, condition)

    @property
    def drafting(self) -> "Generator":
        """A copy that shares the weights and makes what `draft` makes."""
        made = copy(self)
        made.forward = self.draft  # type: ignore[method-assign]
        return made

    def _made(self, network: nn.Module, latent: Tensor, condition: Tensor | None) -> Tensor:
        asked = None if condition is None else self.config.condition.for_players(condition)
        shown, blend = self.conditioning(latent, asked), 0.0 if self.training else self.config.blend
        if self.first is not None:
            shown = (self.first(latent, condition), *shown)
        source = None
        if condition is not None and (self.config.residual or blend):
            source = untouched(self.config.bare(condition), self.config.image_shape)
        images: Tensor = network(*shown, source) if self.config.residual else network(*shown)
        if source is not None and blend:
            images = torch.lerp(images, source.to(images.dtype), blend)
        return with_known(images, condition) if self.config.fills and condition is not None else images

    def encode(self, images: Tensor) -> Codes:
        """The codes of images `[N,C,H,W]`, from its encoder, which it must have."""
        assert self.encoder is not None
        return self.encoder(channels_last(images))


class First(Generator):
    """The frozen generator of a first stage: it has no weights to learn, and its norms do not change."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        without_weights(self)

    def train(self, mode: bool = True) -> "First":
        super().train(False)
        return self


class Discriminator(nn.Module):
    """(images `[N,C,*S]`, condition) -> Judgment of each image, of N / packing packs, or of all patches."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        conditioning = catalog.load("discriminator_conditioning", config.discriminator_conditioning)
        kit = _layers(config, "discriminator", tracks=False, phase_shuffle=config.phase_shuffle)
        channels, *size = config.image_shape
        self.packing = config.packing
        self.condition = config.condition
        self.conditioning = conditioning.image(config.condition, config.image_shape, config.player_source_shape)
        shape = (self.conditioning.channels * config.packing, *size)
        network = catalog.load("network", config.network)
        self.reads_apart = network.reads_labeled and config.packing == 1
        words = () if config.vocabulary is None else (len(config.vocabulary),)
        self.network = network.discriminator(
            shape, config.discriminator_width or config.width, kit, *words, **_own_layers(config)
        )
        self.hidden = _hidden(self.network.feature_size, config.discriminator_hidden, kit)
        for layers in (self.network, self.hidden):
            kit.initialize(layers)
        self.group = config.minibatch_stddev
        features = (config.discriminator_hidden or self.network.feature_size) + bool(self.group)
        head = HeadConfig(features, config.condition, config.code_categories, config.code_continuous)
        self.head = None if config.reconstructs else conditioning.head(head)
        packed = (channels * config.packing, *size)
        self.decoder = _decoder(config, features, packed) if config.reconstructs else None
        kit.constrain(self)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Judgment:
        if condition is not None:
            condition = self.condition.for_players(condition)
        shown = self.conditioning.apart(image, condition) if self.reads_apart else None
        if shown is None:
            shown = channels_last(self._pack(self.conditioning(image, condition)))
        features = self.hidden(self.network(shown))
        features = with_deviation(features, self.group) if self.group else features
        if self.head is not None:
            return self.head(features, condition)
        assert self.decoder is not None
        error = (self.decoder(features).float() - self._pack(image)).abs().flatten(1).mean(1)
        return Judgment(-error, features)

    def _pack(self, images: Tensor) -> Tensor:
        """Every `packing` images side by side, as channels of one (PacGAN, Lin et al. 2018)."""
        if self.packing == 1:
            return images
        return images.reshape(len(images) // self.packing, -1, *images.shape[2:])


def _layers(config: ModelConfig, player: str, **more: Any) -> Layers:
    """The layers of the "generator" or the "discriminator"."""
    activation, initialization, resampling = getattr(config, f"{player}_layers")
    return Layers(
        getattr(config, f"{player}_normalization"),
        dropout=getattr(config, f"{player}_dropout"),
        activation=activation,
        initialization=initialization,
        resampling=resampling,
        rank=config.rank,
        **more,
    )


def _hidden(features: int, units: int, kit: Layers) -> nn.Module:
    """A layer that sees an image's features together; it changes nothing if it has no units."""
    return nn.Sequential(nn.Linear(features, units), kit.active(nn.LeakyReLU(SLOPE))) if units else nn.Identity()


def with_deviation(features: Tensor, group: int) -> Tensor:
    """Features `[M,F]` and one more: their standard deviation among `group` neighbors, as a mean over F.

    Neighbors are all real or all fake, even if both are judged in one pass. Karras et al. 2018, section 3.
    """
    together = features.float().reshape(-1, group, features.shape[1])
    deviation = (together.var(1, unbiased=False) + 1e-8).sqrt().mean(1)
    return torch.cat([features, deviation.repeat_interleave(group)[:, None].to(features.dtype)], dim=1)


def channels_last(images: Tensor) -> Tensor:
    """The same images; with one channel, where both layouts are equal, their strides say channels last.

    Else the first convolution's output is channels first, and later layers have to convert it.
    """
    if images.shape[1] > 1:
        return images
    return images.squeeze(1).unsqueeze(-1).movedim(-1, 1)


def _own_layers(config: ModelConfig) -> dict[str, int]:
    """The argument `domains` of a network with separate layers for each domain; else no argument."""
    return {"domains": len(config.domains)} if config.domains is not None and config.couples else {}


def _encoder(config: ModelConfig) -> Encoder:
    """The encoder; by default as wide as the generator and with the same kind of layers."""
    own = config.encoder or config
    return Encoder(own.network, own.image_shape, own.width, _layers(own, "generator"), config.latent_size)


def _decoder(config: ModelConfig, features: int, image_shape: tuple[int, ...]) -> nn.Module:
    """From features to images, through a code as narrow as the generator's latent (Berthelot et al. 2017)."""
    kit = Layers(config.discriminator_normalization, tracks=False, rank=config.rank)
    network = catalog.load("network", config.network)
    draw = network.decoder or network.generator
    drawn = draw(config.latent_size, image_shape, config.discriminator_width or config.width, kit)
    return nn.Sequential(nn.Linear(features, config.latent_size), drawn)


def build_players(config: ModelConfig, seed: int) -> tuple[Generator, Discriminator]:
    """Both players on the CPU, their first weights decided by `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Generator(config), Discriminator(config)


def build_generator(config: dict[str, Any], weights: dict[str, Tensor]) -> Generator:
    """The generator of a saved config and weights, ready to sample (evaluation mode).

    Raises RuntimeError, naming the tensors, if the weights do not fit the config.
    """
    generator = Generator(ModelConfig.from_json(config))
    generator.load_state_dict(weights)
    return generator.eval().requires_grad_(False)
