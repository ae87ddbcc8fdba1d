"""Rules on families of two domains without pairs; see `mintage.rules`."""

from typing import TYPE_CHECKING

from mintage.conditioning.discriminator import NONE
from mintage.recipes import Recipe
from mintage.terms import FEATURES

if TYPE_CHECKING:
    from mintage.rules import Rule

_PLAIN = Recipe("", "mlp", 4)
_OF_ONE_DOMAIN = (
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
"""Axes that a game of two domains does not have."""
DOMAINS: "list[Rule]" = [
    (
        lambda s: s.translates and not s.unpaired and not s.real.paired and s.real.domains is not None,
        "this family learns from pairs, and this data has two domains without pairs: name a family such as cyclegan",
    ),
    (
        lambda s: s.unpaired and s.real.paired and s.real.domains is None,
        "this family learns from two domains without pairs, and this data has pairs: name pix2pix, which learns more "
        "from them",
    ),
    (
        lambda s: s.unpaired and s.real.domains is None,
        "this family learns from images of two domains, and this data has one: give each image's domain to "
        "mintage.Dataset, or name a family that makes images of noise",
    ),
    (
        lambda s: s.unpaired and not s.translates,
        "between domains an image is made of an image: set generator.conditioning to source",
    ),
    (
        lambda s: any(term.of_domains for term in s.terms) and not s.unpaired,
        "nothing is translated back where there are no two domains: take cycle, cycle_squares, identity and features "
        "out of terms, or set game to unpaired",
    ),
    (
        lambda s: s.unpaired and not any(term.of_domains for term in s.terms),
        "without a term nothing holds a translation to its source: add cycle to terms",
    ),
    (
        lambda s: s.unpaired and s.discriminator is not NONE,
        "a discriminator of a domain is told nothing else: set discriminator.conditioning to none",
    ),
    (
        lambda s: s.unpaired and s.objective.reconstructs,
        "an autoencoder's balance is of one discriminator, and there are two: set objective to another",
    ),
    (
        lambda s: s.unpaired and any(getattr(s.recipe, axis) != getattr(_PLAIN, axis) for axis in _OF_ONE_DOMAIN),
        "these are for one discriminator, and there are two: leave " + ", ".join(_OF_ONE_DOMAIN) + " as they are",
    ),
    (
        lambda s: any(term is FEATURES for term in s.terms) and s.norms[1].batch,
        "batch norm gives the features of real and of translated images one mean, so there is nothing to match: "
        "set discriminator.normalization to layer, instance, spectral or none",
    ),
]
