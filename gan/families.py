"""Families as rows: a paper's name for one choice on each axis. Any axis can be overridden."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from gan.conditioning.discriminator import DISCRIMINATOR_CONDITIONINGS
from gan.networks import NETWORKS
from gan.objectives import OBJECTIVES, Knobs
from gan.penalties import PENALTIES
from gan.players import ModelConfig


@dataclass(frozen=True)
class PlayerRecipe:
    conditioning: str = "none"
    normalization: str = "network"
    """`network`: what the network has when nothing else is said."""
    auxiliary_weight: float = 1.0
    """Of the loss by which it learns, or is taught, classes or codes."""
    optimizer: str = "adam"
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    """RMSprop's alpha, too."""
    momentum: float = 0.0
    """SGD's; Adam has its betas."""


@dataclass(frozen=True)
class PenaltyRecipe:
    name: str
    weight: float
    interval: int = 1
    """Added at every so many steps of the discriminator only, as many times as heavy (Karras et al. 2020)."""


@dataclass(frozen=True)
class Recipe:
    paper: str
    network: str
    width: int
    objective: str = "non_saturating"
    penalties: tuple[PenaltyRecipe, ...] = ()
    augment: tuple[str, ...] = ()
    packing: int = 1
    matching_aware: bool = False
    """Real images with a wrong label are a third kind, to be told from real ones (Reed et al. 2016)."""
    labelled: float = 1.0
    """Share of the labels that training may see."""
    latent_size: int = 100
    latent_distribution: str = "normal"
    code_categories: int = 10
    code_continuous: int = 2
    """Of an information code, where the discriminator reads one."""
    discriminator_steps: int = 1
    label_smoothing: float = 0.0
    targets: tuple[float, float, float] = (0.0, 1.0, 1.0)
    gamma: float = 0.75
    k_rate: float = 0.001
    decay_images: float = 0.0
    """Images over which the learning rates fall to a tenth, by a cosine; 0 keeps them."""
    ema_half_life: float = 10_000
    generator: PlayerRecipe = field(default_factory=PlayerRecipe)
    discriminator: PlayerRecipe = field(default_factory=PlayerRecipe)

    @property
    def knobs(self) -> Knobs:
        return Knobs(self.label_smoothing, self.targets, self.gamma, self.k_rate)


def _penalty(name: str, interval: int = 1, weight: float | None = None) -> PenaltyRecipe:
    return PenaltyRecipe(name, PENALTIES[name].weight if weight is None else weight, interval)


_SNGAN = PlayerRecipe(beta1=0.0, beta2=0.9)
# Five times the paper's rate, which is for batches of 512 and millions of images.
_R3GAN = PlayerRecipe(learning_rate=1e-3, beta1=0.0, beta2=0.99)
_CRITIC = PlayerRecipe(normalization="layer", learning_rate=1e-4, beta1=0.0, beta2=0.9)
_POINTS = PlayerRecipe(learning_rate=2e-3, beta1=0.5, beta2=0.99)
_RMSPROP = PlayerRecipe(optimizer="rmsprop", learning_rate=5e-5, beta2=0.99)

FAMILIES = {
    "gan": Recipe("Goodfellow et al. 2014", network="mlp", width=256),
    "dcgan": Recipe("Radford et al. 2016", network="dcgan", width=32),
    "cgan": Recipe(
        "Mirza and Osindero 2014",
        network="dcgan",
        width=32,
        generator=PlayerRecipe("concat"),
        discriminator=PlayerRecipe("concat"),
    ),
    "lsgan": Recipe("Mao et al. 2017", network="dcgan", width=32, objective="least_squares"),
    "wgan": Recipe(
        "Arjovsky et al. 2017",
        network="dcgan",
        width=32,
        objective="wasserstein",
        penalties=(_penalty("clipping"),),
        discriminator_steps=5,
        generator=_RMSPROP,
        discriminator=_RMSPROP,
    ),
    "wgan_gp": Recipe(
        "Gulrajani et al. 2017",
        network="dcgan",
        width=32,
        objective="wasserstein",
        penalties=(_penalty("wgan_gp"),),
        discriminator_steps=5,
        generator=replace(_CRITIC, normalization="batch"),
        discriminator=_CRITIC,
    ),
    "dragan": Recipe(
        "Kodali et al. 2017",
        network="dcgan",
        width=32,
        penalties=(_penalty("dragan"),),
        discriminator=PlayerRecipe(normalization="layer"),
    ),
    "began": Recipe(
        "Berthelot et al. 2017",
        network="dcgan",
        width=32,
        objective="began",
        latent_size=64,
        latent_distribution="uniform",
        generator=PlayerRecipe(learning_rate=1e-4),
        discriminator=PlayerRecipe(normalization="none", learning_rate=1e-4),
    ),
    "acgan": Recipe(
        "Odena et al. 2017",
        network="dcgan",
        width=32,
        generator=PlayerRecipe("concat"),
        discriminator=PlayerRecipe("auxiliary"),
    ),
    "infogan": Recipe(
        "Chen et al. 2016",
        network="infogan",
        width=32,
        latent_size=62,
        generator=PlayerRecipe(learning_rate=1e-3),
        discriminator=PlayerRecipe("code"),
    ),
    "ssgan": Recipe(
        "Salimans et al. 2016",
        network="dcgan",
        width=32,
        labelled=0.1,
        discriminator=PlayerRecipe("semi_supervised"),
    ),
    "sngan": Recipe(
        "Miyato et al. 2018",
        network="resnet",
        width=32,
        objective="hinge",
        discriminator_steps=5,
        generator=_SNGAN,
        discriminator=_SNGAN,
    ),
    "sngan_projection": Recipe(
        "Miyato and Koyama 2018",
        network="resnet",
        width=32,
        objective="hinge",
        discriminator_steps=5,
        generator=replace(_SNGAN, conditioning="batch_norm"),
        discriminator=replace(_SNGAN, conditioning="projection"),
    ),
    "biggan": Recipe(
        "Brock et al. 2019",
        network="biggan",
        width=32,
        objective="hinge",
        discriminator_steps=2,
        generator=PlayerRecipe("shared_batch_norm", beta1=0.0),
        discriminator=PlayerRecipe("projection", beta1=0.0),
    ),
    "modern": Recipe(
        "Huang et al. 2024",
        network="r3gan",
        width=16,
        objective="relativistic",
        penalties=(_penalty("r1"), _penalty("r2")),
        latent_size=64,
        decay_images=500_000,
        generator=_R3GAN,
        discriminator=_R3GAN,
    ),
    # Modes a hundredth of the range wide need slopes that a penalty of the usual weight forbids.
    "modern_points": Recipe(
        "Huang et al. 2024",
        network="points",
        width=64,
        objective="relativistic",
        penalties=(_penalty("r1", weight=0.02), _penalty("r2", weight=0.02)),
        latent_size=2,
        decay_images=3_000_000,
        ema_half_life=50_000,
        generator=_POINTS,
        discriminator=_POINTS,
    ),
    "modern_conditional": Recipe(
        "Huang et al. 2024",
        network="r3gan",
        width=16,
        objective="relativistic",
        penalties=(_penalty("r1"), _penalty("r2")),
        latent_size=64,
        decay_images=500_000,
        generator=replace(_R3GAN, conditioning="concat"),
        discriminator=replace(_R3GAN, conditioning="projection"),
    ),
}


def resolve(family: str, overrides: dict[str, Any]) -> Recipe:
    """The family's row with every override that is not None in its place; nested for the players.

    A penalty without a weight gets its paper's; a player without a normalisation its network's.
    """
    recipe = FAMILIES[family]
    chosen = {f.name: overrides[f.name] for f in fields(recipe) if overrides.get(f.name) is not None}
    for player in ("generator", "discriminator"):
        given = {key: value for key, value in chosen.pop(player, {}).items() if value is not None}
        chosen[player] = replace(getattr(recipe, player), **given)
    if "penalties" in chosen:
        chosen["penalties"] = tuple(_penalty(**one) for one in chosen["penalties"])
    for several in ("augment", "targets"):
        chosen |= {several: tuple(chosen[several])} if several in chosen else {}
    return _with_normalization(replace(recipe, **chosen))


def axes(recipe: Recipe) -> str:
    """The recipe's choice on each axis, in a line."""
    return " ".join(
        [
            f"network={recipe.network}",
            f"objective={recipe.objective}",
            f"penalties={'+'.join(penalty.name for penalty in recipe.penalties) or 'none'}",
            *(
                f"{name}={player.conditioning}/{player.normalization}/{player.optimizer}"
                for name, player in (("generator", recipe.generator), ("discriminator", recipe.discriminator))
            ),
            f"steps={recipe.discriminator_steps}",
        ]
    )


def needs_labels(recipe: Recipe) -> bool:
    """Whether either player uses the labels of the images."""
    asked = DISCRIMINATOR_CONDITIONINGS[recipe.discriminator.conditioning]
    return recipe.generator.conditioning != "none" or asked.needs_labels


def _with_normalization(recipe: Recipe) -> Recipe:
    own = zip(("generator", "discriminator"), NETWORKS[recipe.network].normalization, strict=True)
    players = {
        player: replace(getattr(recipe, player), normalization=name)
        for player, name in own
        if getattr(recipe, player).normalization == "network"
    }
    return replace(recipe, **players)


def model_config(recipe: Recipe, image_shape: tuple[int, int, int], classes: list[str] | None) -> ModelConfig:
    """The recipe's players for images of this shape and these classes."""
    reads_code = DISCRIMINATOR_CONDITIONINGS[recipe.discriminator.conditioning].reads_code
    return ModelConfig(
        network=recipe.network,
        width=recipe.width,
        image_shape=image_shape,
        classes=None if classes is None else tuple(classes),
        latent_size=recipe.latent_size,
        latent_distribution=recipe.latent_distribution,
        generator_conditioning=recipe.generator.conditioning,
        generator_normalization=recipe.generator.normalization,
        discriminator_conditioning=recipe.discriminator.conditioning,
        discriminator_normalization=recipe.discriminator.normalization,
        code_categories=recipe.code_categories if reads_code else 0,
        code_continuous=recipe.code_continuous if reads_code else 0,
        packing=recipe.packing,
        reconstructs=OBJECTIVES[recipe.objective].reconstructs,
    )
