"""Rules on games with an encoder; see `mintage.rules`."""

from typing import TYPE_CHECKING

from mintage.conditioning.discriminator import NONE
from mintage.recipes import Recipe
from mintage.rules_of_sources import OF_ONE_DISCRIMINATOR

if TYPE_CHECKING:
    from mintage.rules import Rule

_PLAIN = Recipe("", "mlp", 4)
_OF_PLAYERS = (*OF_ONE_DISCRIMINATOR, "pool", "terms", "accumulation", "discriminator_steps", "generator_steps")
"""Axes that a game does not have whose three sides learn from one pass."""
_OF_ENCODERS = ("likeness", "likeness_weight", "prior_weight", "margin")


def _has(recipe: Recipe, axes: tuple[str, ...]) -> bool:
    return any(getattr(recipe, axis) != getattr(_PLAIN, axis) for axis in axes)


ENCODERS: "list[Rule]" = [
    (
        lambda s: s.encodes and (s.needs is not None or s.discriminator is not NONE),
        "an encoder finds all of an image in its pixels, and nobody is told more: set conditioning of both players to "
        "none",
    ),
    (
        lambda s: s.encodes and s.recipe.latent_distribution != "normal",
        "an encoder's codes are drawn towards a normal distribution, of which samples are then made: set "
        "latent_distribution to normal",
    ),
    (
        lambda s: s.encodes and s.objective.reconstructs,
        "an autoencoder as the discriminator has no features in which images could be alike: set objective to another",
    ),
    (
        lambda s: s.encodes and _has(s.recipe, _OF_PLAYERS),
        "encoder, generator and discriminator learn from one pass, once a step: leave "
        + ", ".join(_OF_PLAYERS)
        + " as they are",
    ),
    (
        lambda s: not s.encodes and _has(s.recipe, _OF_ENCODERS),
        "nothing is encoded in this game: leave "
        + ", ".join(_OF_ENCODERS)
        + " as they are, or set game to autoencoding",
    ),
    (
        lambda s: s.encodes and s.recipe.margin > 0 and not s.objective.probability,
        "who is ahead is told by a cross-entropy, and this objective gives no probability: set margin to 0",
    ),
    (
        lambda s: s.encodes and s.recipe.margin > 0 and s.recipe.likeness == "pixels",
        "nobody judges where likeness is of pixels, so nobody is ahead: set margin to 0",
    ),
]
