"""What a recipe is: one choice on each axis, the same axes for every family. Any of them can be overridden."""

from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from mintage.conditioning.discriminator import DISCRIMINATOR_CONDITIONINGS
from mintage.networks import NETWORKS
from mintage.objectives import OBJECTIVES, Knobs
from mintage.penalties import PENALTIES
from mintage.players import ModelConfig


@dataclass(frozen=True)
class PlayerRecipe:
    conditioning: str = "none"
    normalization: str = "network"
    """`network`: what the network has when nothing else is said."""
    dropout: float = 0.0
    """Share of the units behind each activation that a training step leaves out."""
    auxiliary_weight: float = 1.0
    """Of the loss by which it learns, or is taught, classes or codes."""
    optimizer: str = "adam"
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    """RMSprop's alpha, too."""
    momentum: float = 0.0
    """SGD's; Adam has its betas."""
    nesterov: bool = False
    """SGD's momentum looks ahead."""
    weight_decay: float = 0.0
    """Added to the gradient, times the weight."""
    width: int = 0
    """In place of the recipe's; 0 keeps that."""


@dataclass(frozen=True)
class PenaltyRecipe:
    name: str
    weight: float
    interval: int = 1
    """Added at every so many steps of the discriminator only, as many times as heavy (Karras et al. 2020)."""
    last: float = 1.0
    """Share of the weight that is left when the learning rates have decayed, along the same cosine."""


@dataclass(frozen=True)
class Recipe:
    paper: str
    network: str
    width: int
    batch_size: int = 64
    """Real images, and as many generated ones, in one step."""
    objective: str = "non_saturating"
    feature_matching: bool = False
    """The generator matches the mean features of real images, in place of the objective (Salimans et al. 2016, 3.1)."""
    penalties: tuple[PenaltyRecipe, ...] = ()
    orthogonal: float = 0.0
    """Weight of the generator's orthogonal regularization (Brock et al. 2019, equation 3)."""
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
    generator_steps: int = 1
    """Each on new noise; the first on the fakes of the discriminator's last step."""
    warm_up: bool = False
    """100 steps of the discriminator in each of the first 25 turns and in every 500th (Arjovsky et al.'s code)."""
    label_smoothing: float = 0.0
    soft_labels: float = 0.0
    """Targets of each image are drawn anew: of real ones from [1 - s, 1], of fake ones from [0, s]."""
    flipped_labels: float = 0.0
    """Share of the pairs in which real and fake have each other's label for the discriminator."""
    instance_noise: float = 0.0
    """Standard deviation of noise on all that the discriminator sees."""
    instance_noise_images: float = 0.0
    """Images over which that noise fades to 0; 0 keeps it."""
    mixed_batches: bool = False
    """A coin decides for each place whether a batch has the real or the fake image there, the next batch the other."""
    balance: float = 1.0
    """The discriminator waits while it was right on a larger share of the last step; 1 is never."""
    targets: tuple[float, float, float] = (0.0, 1.0, 1.0)
    gamma: float = 0.5
    k_rate: float = 0.001
    decay_images: float = 0.0
    """Images over which the learning rates fall to a tenth, by a cosine; 0 keeps them."""
    ema_half_life: float = 10_000
    generator: PlayerRecipe = field(default_factory=PlayerRecipe)
    discriminator: PlayerRecipe = field(default_factory=PlayerRecipe)

    @property
    def knobs(self) -> Knobs:
        return Knobs(self.label_smoothing, self.targets, self.gamma, self.k_rate)

    @property
    def drops(self) -> bool:
        """Whether either player leaves out units."""
        return self.generator.dropout > 0 or self.discriminator.dropout > 0


def penalty(name: str, weight: float | None = None, interval: int = 1, last: float = 1.0) -> PenaltyRecipe:
    """A penalty; without a weight, with that of its paper."""
    return PenaltyRecipe(name, PENALTIES[name].weight if weight is None else weight, interval, last)


def wrong_name(overrides: dict[str, Any]) -> str | None:
    """Which override is of no axis, as a sentence with the nearest name; None where all are."""
    known = {f.name for f in fields(Recipe)}
    for player in ("generator", "discriminator"):
        given = overrides.get(player) or {}
        if found := _unknown(given, {f.name for f in fields(PlayerRecipe)}):
            return f"{player} has no {found}"
    found = _unknown(overrides, known)
    return found and f"a recipe has no {found}"


def _unknown(given: dict[str, Any], known: set[str]) -> str | None:
    wrong = next((name for name in given if name not in known), None)
    if wrong is None:
        return None
    near = get_close_matches(wrong, sorted(known), 1, cutoff=0.0)
    return f"{wrong!r}: did you mean {near[0]!r}?"


def override(recipe: Recipe, overrides: dict[str, Any]) -> Recipe:
    """The recipe with every override that is not None in its place; nested for the players."""
    chosen = {f.name: overrides[f.name] for f in fields(recipe) if overrides.get(f.name) is not None}
    for player in ("generator", "discriminator"):
        given = {key: value for key, value in chosen.pop(player, {}).items() if value is not None}
        chosen[player] = replace(getattr(recipe, player), **given)
    if "penalties" in chosen:
        chosen["penalties"] = tuple(penalty(**one) for one in chosen["penalties"])
    for several in ("augment", "targets"):
        chosen |= {several: tuple(chosen[several])} if several in chosen else {}
    return replace(recipe, **chosen)


def with_normalization(recipe: Recipe) -> Recipe:
    """The recipe with its network's own normalization for a player that names none."""
    own = zip(("generator", "discriminator"), NETWORKS[recipe.network].normalization, strict=True)
    players = {
        player: replace(getattr(recipe, player), normalization=name)
        for player, name in own
        if getattr(recipe, player).normalization == "network"
    }
    return replace(recipe, **players)


def axes(recipe: Recipe) -> str:
    """The recipe's choice on each axis, in a line."""
    return " ".join(
        [
            f"network={recipe.network}",
            f"objective={'feature_matching' if recipe.feature_matching else recipe.objective}",
            f"penalties={'+'.join(penalty.name for penalty in recipe.penalties) or 'none'}",
            *(
                f"{name}={player.conditioning}/{player.normalization}/{player.optimizer}:{player.learning_rate:g}"
                for name, player in (("generator", recipe.generator), ("discriminator", recipe.discriminator))
            ),
            f"steps={recipe.discriminator_steps}"
            + (f":{recipe.generator_steps}" if recipe.generator_steps > 1 else ""),
            f"batch={recipe.batch_size}",
        ]
    )


def needs_labels(recipe: Recipe) -> bool:
    """Whether either player uses the labels of the images."""
    asked = DISCRIMINATOR_CONDITIONINGS[recipe.discriminator.conditioning]
    return recipe.generator.conditioning != "none" or asked.needs_labels


def model_config(recipe: Recipe, image_shape: tuple[int, int, int], classes: list[str] | None) -> ModelConfig:
    """The recipe's players for images of this shape and these classes."""
    reads_code = DISCRIMINATOR_CONDITIONINGS[recipe.discriminator.conditioning].reads_code
    return ModelConfig(
        network=recipe.network,
        width=recipe.generator.width or recipe.width,
        discriminator_width=recipe.discriminator.width or recipe.width,
        image_shape=image_shape,
        classes=None if classes is None else tuple(classes),
        latent_size=recipe.latent_size,
        latent_distribution=recipe.latent_distribution,
        generator_conditioning=recipe.generator.conditioning,
        generator_normalization=recipe.generator.normalization,
        generator_dropout=recipe.generator.dropout,
        discriminator_conditioning=recipe.discriminator.conditioning,
        discriminator_normalization=recipe.discriminator.normalization,
        discriminator_dropout=recipe.discriminator.dropout,
        code_categories=recipe.code_categories if reads_code else 0,
        code_continuous=recipe.code_continuous if reads_code else 0,
        packing=recipe.packing,
        reconstructs=OBJECTIVES[recipe.objective].reconstructs,
    )
