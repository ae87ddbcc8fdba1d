"""Rules on games with an encoder; see `mintage.rules`."""

from mintage.conditioning.discriminator import NONE
from mintage.recipes import OF_TWO_PLAYERS, set_axes
from mintage.setting import Rule

_OF_JUDGES = ("margin", "objective", "label_smoothing")
_OF_ENCODERS = ("likeness", "likeness_weight", "prior_weight", "margin")


ENCODERS: list[Rule] = [
    (
        lambda s: s.game.encodes and (s.needs is not None or s.discriminator is not NONE),
        "an encoder finds all of an image in its pixels, and nobody is told more: set conditioning of both players to "
        "none",
    ),
    (
        lambda s: s.game.encodes and s.recipe.latent_distribution != "normal",
        "an encoder's codes are drawn towards a normal distribution, of which samples are then made: set "
        "latent_distribution to normal",
    ),
    (
        lambda s: s.game.encodes and s.objective.reconstructs,
        "an autoencoder as the discriminator has no features in which images could be alike: set objective to another",
    ),
    (
        lambda s: set_axes(s.recipe, OF_TWO_PLAYERS) if s.game.encodes else [],
        "encoder, generator and discriminator learn from one pass, once a step: leave {axes} as the family has it",
    ),
    (
        lambda s: [] if s.game.encodes else set_axes(s.recipe, _OF_ENCODERS),
        "nothing is encoded in this game: leave {axes} as the family has it, or set game to autoencoding",
    ),
    (
        lambda s: s.game.encodes and s.recipe.margin > 0 and not s.objective.probability,
        "who is ahead is told by a cross-entropy, and this objective gives no probability: set margin to 0",
    ),
    (
        lambda s: (
            [*set_axes(s.recipe, _OF_JUDGES), *s.of_judge] if s.game.encodes and s.recipe.likeness == "pixels" else []
        ),
        "nobody judges where likeness is of pixels: leave {axes} as family vae has it",
    ),
]
