"""What a recipe is: one choice on each axis, the same axes for every family. Every choice can be overridden.

Each axis has its type, its bounds and its meaning in its annotation; `python -m stages.train --families NAME` prints
them. This module needs no torch: only what a name stands for does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, cast

from mintage import catalog
from mintage.values import Named, Within, replace

Normalization = Literal["network", "none", "batch", "layer", "instance", "spectral", "spectral_batch"]
Count = Annotated[int, Within(1)]
Weight = Annotated[float, Within(0)]
Share = Annotated[float, Within(0, 1)]
Part = Annotated[float, Within(0, below=1)]
Half = Annotated[float, Within(0, below=0.5)]
Rate = Annotated[float, Within(above=0)]


@dataclass(frozen=True)
class PlayerRecipe:
    conditioning: Annotated[str, Named("generator_conditioning"), "how it is told its condition"] = "none"
    normalization: Annotated[Normalization, "`network`: what the network has when nothing else is said"] = "network"
    dropout: Annotated[Part, "share of the units behind each activation that a training step leaves out"] = 0.0
    dropout_in_use: Annotated[
        bool, "a generator leaves out units when it is used, too: noise of its own (Isola et al. 2017); ONNX never does"
    ] = False
    activation: Annotated[
        Literal["network", "relu", "leaky_relu", "elu", "gelu", "silu"], "of hidden layers; `network`: its own"
    ] = "network"
    initialization: Annotated[
        Literal["network", "normal", "xavier", "kaiming", "orthogonal"],
        "of the weights; `normal` has a standard deviation of 0.02 (Radford et al. 2016); `network`: its own",
    ] = "network"
    resampling: Annotated[
        Literal["network", "smooth", "long"],
        "from one size of feature maps to the next; `network`: convolutions of stride 2; `smooth`: nearest pixels up, "
        "means down, and a plain convolution beside, against checkerboards (Odena et al. 2016); `long`, of sound: "
        "convolutions of 25 places and stride 4 (Donahue et al. 2019)",
    ] = "network"
    auxiliary_weight: Annotated[Weight, "of the loss by which it learns, or is taught, classes or codes"] = 1.0
    optimizer: Annotated[str, Named("optimizer")] = "adam"
    learning_rate: Rate = 2e-4
    beta1: Annotated[Part, "Adam's"] = 0.5
    beta2: Annotated[Part, "Adam's; RMSprop's alpha"] = 0.999
    momentum: Annotated[Part, "of SGD and RMSprop"] = 0.0
    nesterov: Annotated[bool, "SGD's momentum looks ahead"] = False
    weight_decay: Annotated[Share, "added to the gradient, times the weight"] = 0.0
    width: Annotated[int, Within(0, 1024), "in place of the recipe's; 0 keeps that"] = 0


@dataclass(frozen=True)
class DiscriminatorRecipe(PlayerRecipe):
    conditioning: Annotated[
        str, Named("discriminator_conditioning"), "how it is told the condition, or asked for it"
    ] = "none"
    phase_shuffle: Annotated[
        int,
        Within(0, 100),
        "of sound: at most so many places its feature maps are moved at random, lest it learn at which phase a "
        "generated sound begins (Donahue et al. 2019, 3.3); 0 is off",
    ] = 0
    hidden: Annotated[
        int,
        Within(0, 1024),
        "units of a layer between its features and its judgment, in which distant parts of an image meet; 0 is none",
    ] = 0


@dataclass(frozen=True)
class PenaltyRecipe:
    name: Annotated[str, Named("penalty")]
    weight: Annotated[float | None, Within(above=0), "without one, that of its paper"] = None
    interval: Annotated[
        Count,
        "added at every so many steps of the discriminator only, as many times as heavy (Karras et al. 2020)",
    ] = 1
    last: Annotated[
        float,
        Within(above=0, most=1),
        "share of the weight that is left when the learning rates have decayed, along the same cosine",
    ] = 1.0


@dataclass(frozen=True)
class TermRecipe:
    name: Annotated[str, Named("term")]
    weight: Annotated[float | None, Within(above=0), "without one, that of its paper"] = None


@dataclass(frozen=True)
class Recipe:
    paper: str
    network: Annotated[str, Named("network")]
    width: Annotated[int, Within(4, 1024), "channels (units, in an mlp) of the narrowest hidden layer"]
    game: Annotated[str, Named("game"), "who plays, in which order, by which losses"] = "adversarial"
    condition: Annotated[
        Literal["label", "attributes"],
        "what either player's conditioning is of: one class, or several attributes; of a source these come beside it",
    ] = "label"
    joint_attributes: Annotated[
        bool,
        "players get which combination of all attributes it is, in place of each attribute by itself: where the effect "
        "of one depends on another, as a chord's third on root and minor; at most 256 combinations",
    ] = False
    batch_size: Annotated[
        int, Within(2, 2**16), "real images, and as many generated ones, in one step; of two domains so many of each"
    ] = 64
    accumulation: Annotated[
        Count, "parts in which a batch goes through the networks, where it would not fit whole; norms see a part"
    ] = 1
    objective: Annotated[str, Named("objective")] = "non_saturating"
    feature_matching: Annotated[
        bool,
        "the generator matches the mean features of real images, in place of the objective (Salimans et al. 2016, 3.1)",
    ] = False
    penalties: Annotated[tuple[PenaltyRecipe, ...], "such as [{name: r1, weight: 1.0, interval: 16}]; [] is none"] = ()
    terms: Annotated[
        tuple[TermRecipe, ...], "what the generator's loss also has, such as [{name: l1, weight: 100}]; [] is none"
    ] = ()
    augment: Annotated[
        tuple[Annotated[str, Named("augment")], ...], "changes to real and fake images before they are judged"
    ] = ()
    packing: Annotated[
        int, Within(1, 16), "images that the discriminator judges together, against mode collapse (PacGAN)"
    ] = 1
    minibatch_stddev: Annotated[
        int,
        Within(0, 64),
        "so many images share a feature: how much they differ, against mode collapse (Karras et al. 2018, 3); 0 is off",
    ] = 0
    pool: Annotated[
        int,
        Within(0, 10_000),
        "earlier fakes of which the discriminator sees some in place of half of the new ones (Shrivastava et al. 2017)",
    ] = 0
    matching_aware: Annotated[
        bool, "real images with a wrong label or source are a third kind, to be told from real ones (Reed et al. 2016)"
    ] = False
    labeled: Annotated[float, Within(above=0, most=1), "share of the labels that training may see"] = 1.0
    redrawn: Annotated[
        bool, "holes, noise and salt of the sources are drawn anew at every step, where the data say how they are made"
    ] = False
    residual: Annotated[
        bool,
        "what a translator makes is added to its source, brought to the image's shape; it begins as that: for a source "
        "that shows its image already, in gray, under noise, with a hole",
    ] = False
    blend: Annotated[
        Part,
        "share of the source, brought to the image's shape, in what a translator makes in use: some of the noise "
        "of a sound stays, and less of the voice is lost with it (Iwamoto et al. 2022); training is without",
    ] = 0.0
    latent_size: Annotated[int, Within(0, 4096), "dimensions of z; 0, where a source is enough to start from"] = 100
    latent_distribution: Annotated[Literal["normal", "uniform"], "uniform is on [-1,1]"] = "normal"
    code_categories: Annotated[
        int, Within(0, 1000), "an information code, where the discriminator reads one: one of so many categories,"
    ] = 10
    code_continuous: Annotated[int, Within(0, 1000), "and so many numbers on [-1,1]"] = 2
    discriminator_steps: Annotated[int, Within(1, 100), "in a turn"] = 1
    generator_steps: Annotated[
        int, Within(1, 100), "each on new noise; the first on the fakes of the discriminator's last step"
    ] = 1
    warm_up: Annotated[
        bool,
        "100 steps of the discriminator in each of the first 25 turns and in every 500th (Arjovsky et al.'s code)",
    ] = False
    pretrain_images: Annotated[
        Weight, "images over which the generator learns by its terms alone, before the game begins (Ledig et al. 2017)"
    ] = 0.0
    roll_outs: Annotated[
        Count, "game policy: how often the rest of a sequence is written anew to judge its beginning"
    ] = 4
    label_smoothing: Annotated[Half, "s: the target of real images is 1 - s"] = 0.0
    soft_labels: Annotated[Half, "s: targets drawn anew for each image, real from [1 - s, 1], fake from [0, s]"] = 0.0
    flipped_labels: Annotated[
        Half, "share of the pairs in which real and fake have each other's label for the discriminator"
    ] = 0.0
    instance_noise: Annotated[
        float, Within(0, 10), "standard deviation of noise on all that the discriminator sees"
    ] = 0.0
    instance_noise_images: Annotated[Weight, "images over which that noise fades to 0; 0 keeps it"] = 0.0
    mixed_batches: Annotated[
        bool, "a coin decides for each place whether a batch has the real or the fake image there, the next the other"
    ] = False
    balance: Annotated[
        float,
        Within(above=0.5, most=1),
        "the discriminator waits while it was right on a larger share of the last step; 1 is never",
    ] = 1.0
    targets: Annotated[
        tuple[float, float, float], "least_squares: for fake, for real, what the generator wants fake to be"
    ] = (0.0, 1.0, 1.0)
    gamma: Annotated[Share, "began: error of fake over error of real images; lower is sharper, higher more diverse"] = (
        0.5
    )
    k_rate: Annotated[Rate, "began: how fast its balance k follows"] = 0.001
    likeness: Annotated[
        Literal["features", "pixels"],
        "autoencoding: in what a reconstruction is like its image: the discriminator's last features (Larsen et al. "
        "2016), or pixels, and then nobody judges: a variational autoencoder (Kingma and Welling 2014)",
    ] = "features"
    likeness_weight: Annotated[
        float, Within(above=0), "autoencoding: of likeness beside the game in the generator's loss, the paper's gamma"
    ] = 0.01
    prior_weight: Annotated[
        Weight, "autoencoding: of the codes' divergence from N(0, 1) beside likeness in the encoder's loss"
    ] = 1.0
    margin: Annotated[
        Weight,
        "autoencoding: a player waits while the discriminator's cross-entropy, of real images or of fakes, is so far "
        "from 0.68 that it is ahead (0.4 in Larsen et al.'s code); 0 is never",
    ] = 0.0
    decay_images: Annotated[
        Weight, "images over which the learning rates fall to a tenth, by a cosine; 0 keeps them"
    ] = 0.0
    ema_half_life: Annotated[Weight, "images after which the averaged generator has forgotten half; 0 is off"] = (
        10_000.0
    )
    generator: PlayerRecipe = field(default_factory=PlayerRecipe)
    discriminator: DiscriminatorRecipe = field(default_factory=DiscriminatorRecipe)

    @property
    def encoder(self) -> PlayerRecipe:
        """The recipe of an encoder: its generator's."""
        return self.generator

    @property
    def extractor(self) -> PlayerRecipe:
        """The recipe of a generator's feature network: the generator's."""
        return self.generator

    @property
    def drops(self) -> bool:
        """Whether either player has dropout."""
        return self.generator.dropout > 0 or self.discriminator.dropout > 0


def override(recipe: Recipe, overrides: Mapping[str, Any], key: str = "recipe") -> Recipe:
    """The recipe with every override that is not None in its place; nested for the players.

    Raises ValueError, with the dotted `key`, if an override has no such axis, another type, or is out of bounds.
    """
    chosen = replace(recipe, overrides, key)
    for axis in ("penalties", "terms"):
        named = [one.name for one in getattr(chosen, axis)]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"{key}.{axis} names {twice[0]!r} twice: keep one of them")
    return chosen


OF_ONE_DISCRIMINATOR = (
    "penalties",
    "feature_matching",
    "augment",
    "packing",
    "minibatch_stddev",
    "matching_aware",
    "soft_labels",
    "flipped_labels",
    "instance_noise",
    "mixed_batches",
    "balance",
    "warm_up",
)
"""Axes without a meaning in a game that translates between two domains."""
OF_IMAGES = (*OF_ONE_DISCRIMINATOR, "terms", "pool", "redrawn")
"""Axes without a meaning in a game of words."""
OF_TWO_PLAYERS = (*OF_ONE_DISCRIMINATOR, "pool", "terms", "accumulation", "discriminator_steps", "generator_steps")
"""Axes without a meaning in a game whose three sides learn from one pass."""
OF_GENERATORS = tuple(
    axis.name
    for axis in fields(Recipe)
    if axis.name
    not in {"paper", "network", "width", "game", "batch_size", "accumulation", "decay_images", "ema_half_life"}
    and not axis.name.endswith("ator")
)
"""Axes without a meaning in a game in which only an encoder learns."""


def set_axes(recipe: Recipe, named: Sequence[str]) -> list[str]:
    """Those of the named axes that do not have their default value."""
    plain = Recipe("", "mlp", 4)
    return [axis for axis in named if getattr(recipe, axis) != getattr(plain, axis)]


def set_axes_of_judge(recipe: Recipe, normalization: str) -> list[str]:
    """Those of a discriminator's axes without their default; `normalization` is the network's default."""
    plain = DiscriminatorRecipe(normalization=cast(Normalization, normalization))
    names = (axis.name for axis in fields(plain))
    return [f"discriminator.{name}" for name in names if getattr(recipe.discriminator, name) != getattr(plain, name)]


def axes(recipe: Recipe) -> str:
    """The recipe's choice on each axis, in one line."""
    return " ".join(
        [
            f"network={recipe.network}",
            *([] if recipe.game == "adversarial" else [f"game={recipe.game}"]),
            f"objective={'feature_matching' if recipe.feature_matching else recipe.objective}",
            f"penalties={'+'.join(penalty.name for penalty in recipe.penalties) or 'none'}",
            *(f"{term.name}={term.weight:g}" for term in recipe.terms),
            *(
                f"{name}={player.conditioning}/{player.normalization}/{player.optimizer}:{player.learning_rate:g}"
                for name, player in (("generator", recipe.generator), ("discriminator", recipe.discriminator))
            ),
            f"steps={recipe.discriminator_steps}"
            + (f":{recipe.generator_steps}" if recipe.generator_steps > 1 else ""),
            f"batch={recipe.batch_size}",
        ]
    )


def stands_on_first(recipe: Recipe) -> bool:
    """Whether the model is built on a model that is already trained."""
    return recipe.network in catalog.STACKED or recipe.game in catalog.INVERTING


def joins_attributes(recipe: Recipe) -> bool:
    """Whether the players use each image's attributes beside its source, as more channels of the source."""
    takes: str | None = catalog.load("generator_conditioning", recipe.generator.conditioning).takes
    return takes == "source" and recipe.condition == "attributes"


def condition_of(recipe: Recipe) -> str | None:
    """What the players use of each image beside its pixels: its "label", "attributes", "source", "domain", or None."""
    if catalog.load("game", recipe.game).of_domains:
        return "domain"
    takes: str | None = catalog.load("generator_conditioning", recipe.generator.conditioning).takes
    asked = catalog.load("discriminator_conditioning", recipe.discriminator.conditioning)
    return recipe.condition if takes == "label" or asked.needs_labels else takes
