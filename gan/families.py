"""Families as rows: a paper's name for one choice on each axis. Any axis can be overridden."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from gan.players import ModelConfig


@dataclass(frozen=True)
class OptimizerRecipe:
    optimizer: str = "adam"
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    momentum: float = 0.0
    """SGD's; Adam has its betas."""


@dataclass(frozen=True)
class Recipe:
    paper: str
    network: str
    width: int
    conditioning: str = "none"
    objective: str = "non_saturating"
    latent_size: int = 100
    latent_distribution: str = "normal"
    discriminator_steps: int = 1
    label_smoothing: float = 0.0
    ema_half_life: float = 10_000
    generator: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    discriminator: OptimizerRecipe = field(default_factory=OptimizerRecipe)


FAMILIES = {
    "gan": Recipe("Goodfellow et al. 2014", network="mlp", width=256),
    "dcgan": Recipe("Radford et al. 2016", network="dcgan", width=64),
    "cgan": Recipe("Mirza and Osindero 2014", network="mlp", width=256, conditioning="concat"),
}


def resolve(family: str, overrides: dict[str, Any]) -> Recipe:
    """The family's row with every override that is not None in its place; nested for the optimizers."""
    recipe = FAMILIES[family]
    chosen = {f.name: overrides[f.name] for f in fields(recipe) if overrides.get(f.name) is not None}
    for player in ("generator", "discriminator"):
        given = {key: value for key, value in chosen.pop(player, {}).items() if value is not None}
        chosen[player] = replace(getattr(recipe, player), **given)
    return replace(recipe, **chosen)


def refusal(recipe: Recipe, classes: list[str] | None) -> str | None:
    """Why this recipe cannot be trained on data with these classes, or None if it can."""
    if recipe.conditioning != "none" and classes is None:
        return "a conditional family learns from labels, and this data has none: name an unconditional family"
    if recipe.conditioning != "none" and len(classes or ()) < 2:
        return "a conditional family needs at least two classes, and this data has one: name an unconditional family"
    return None


def model_config(recipe: Recipe, image_shape: tuple[int, int, int], classes: list[str] | None) -> ModelConfig:
    """The recipe's players for images of this shape and these classes."""
    return ModelConfig(
        network=recipe.network,
        width=recipe.width,
        image_shape=image_shape,
        conditioning=recipe.conditioning,
        classes=None if classes is None else tuple(classes),
        latent_size=recipe.latent_size,
        latent_distribution=recipe.latent_distribution,
    )
