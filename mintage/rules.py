"""Which choices do not go together, and why. All others train."""

from collections.abc import Sequence

from mintage import catalog
from mintage.attribute_names import combination_count
from mintage.conditioning.images import Product
from mintage.dataset import Signature
from mintage.recipes import Recipe, set_axes
from mintage.rules_of_encoders import ENCODERS
from mintage.rules_of_players import BATCHES, PLAYERS
from mintage.rules_of_sources import DOMAINS, PAIRS, WORDS
from mintage.rules_of_stages import STAGES
from mintage.setting import Rule, Setting

_WITHOUT_TARGETS = {*catalog.BUILT_IN["objective"]} - {"least_squares"}
"""Objectives that do not read `targets`; one of another package may."""

_COMBINATIONS = 256
"""How many combinations joint attributes may have: of more, each would be learned from too few images."""


def _of_rank(setting: Setting) -> list[str]:
    """What to set for data of this rank, if the network is of another."""
    if setting.rank in setting.network.ranks:
        return []
    if setting.translates:
        return ["network to unet", *(["or family to segan"] if setting.rank == 1 else [])]
    return ["network to dcgan or mlp", "or family to wavegan" if setting.rank == 1 else "or family to gan3d"]


RANKS: list[Rule] = [
    (
        _of_rank,
        "this network is of pictures, and this data has another number of axes (sound has one, a volume three): set "
        "{axes}",
    ),
    (
        lambda s: any(s.rank not in term.ranks for term in s.terms),
        "only sound has a spectrum over time: take spectrum out of terms",
    ),
]

LABELS: list[Rule] = [
    (
        lambda s: (s.needs == "attributes" or s.joins_attributes) and s.real.attributes is None,
        "this family learns from attributes, and this data has none: give attributes, or name another family, such as "
        "infogan",
    ),
    (
        lambda s: s.needs == "label" and s.real.classes is None and s.real.attributes is not None,
        "this data has attributes in place of labels: name a family that learns from them, such as sngan_attributes",
    ),
    (
        lambda s: s.needs == "label" and s.real.classes is None,
        "a conditional family learns from labels, and this data has none: name an unconditional family, such as "
        "infogan (of sounds and volumes dcgan, of points modern_points)",
    ),
    (
        lambda s: s.needs == "label" and len(s.real.classes or ()) < 2,
        "a conditional family needs at least two classes, and this data has one: name an unconditional family, such as "
        "infogan (of sounds and volumes dcgan, of points modern_points)",
    ),
    (
        lambda s: s.generator_is_conditional and not s.discriminator.teaches_class,
        "the generator is told a class that the discriminator never asks for: set discriminator.conditioning too",
    ),
    (
        lambda s: s.discriminator.teaches_class and not s.generator_is_conditional,
        "the discriminator asks for a class that the generator is not told: set generator.conditioning too",
    ),
    (
        lambda s: s.recipe.matching_aware and not s.discriminator.judges_match,
        "a wrong label is a negative only to a discriminator that judges image and label together: "
        "set discriminator.conditioning to concat, product, repeat or projection, or matching_aware to false",
    ),
    (
        lambda s: (
            s.recipe.labeled < 1 and s.needs is not None and (s.discriminator.teaches_class or s.game.learns_classes)
        ),
        "only a semi-supervised discriminator learns from images without a label: set labeled to 1",
    ),
    (
        lambda s: s.needs == "attributes" and s.discriminator.needs_probability,
        "K + 1 classes are of one label: set condition to label, or discriminator.conditioning to auxiliary",
    ),
    (
        lambda s: s.recipe.condition == "attributes" and s.needs != "attributes" and not s.joins_attributes,
        "nobody is told attributes, or asks for them: set conditioning of both players, or condition to label",
    ),
    (
        lambda s: s.recipe.joint_attributes and s.recipe.condition != "attributes",
        "only attributes have combinations, and this recipe's condition is a label: set joint_attributes to false, or "
        "condition to attributes",
    ),
    (
        lambda s: s.recipe.joint_attributes and _too_many(s.real.attributes or ()),
        f"joint attributes may have {_COMBINATIONS} combinations, and these have {{axes}}: set joint_attributes to "
        "false, or leave out some attributes",
    ),
    (
        lambda s: [] if s.discriminator.reads_code else set_axes(s.recipe, ("code_categories", "code_continuous")),
        "no information code is read, so none is drawn: leave out {axes}, or set discriminator.conditioning to code",
    ),
    (
        lambda s: s.discriminator.reads_code and s.recipe.code_categories + s.recipe.code_continuous == 0,
        "an information code needs something to tell: set code_categories or code_continuous",
    ),
]

LOSSES: list[Rule] = [
    (
        lambda s: s.objective.needs_lipschitz and not s.penalties and not s.norms[1].spectral,
        "the Wasserstein loss has no bound unless the critic's slope has one: "
        "add a penalty, or set discriminator.normalization to spectral",
    ),
    (
        lambda s: any(p.per_sample for p in s.penalties) and s.norms[1].batch,
        "a gradient penalty is of each image alone, and batch norm makes a judgment depend on the whole batch: "
        "set discriminator.normalization to layer, instance, spectral or none",
    ),
    (
        lambda s: s.clips and s.norms[1].spectral,
        "spectral normalization rescales the weights that clipping cuts: keep one of them",
    ),
    (
        lambda s: s.clips and (s.network.deep or s.small),
        "clipped weights, of norms too, let no signal of a point through, nor of any image through so many layers: use "
        "a gradient penalty",
    ),
    (
        lambda s: s.clips and s.norms[1].normalization == "none",
        "clipped weights let no signal through layers without normalization: "
        "set discriminator.normalization to batch or layer, or use a gradient penalty",
    ),
    (
        lambda s: s.clips and s.discriminator.image is Product,
        "clipped weights make the factor by which a label multiplies the image all but 0: "
        "set discriminator.conditioning to concat or repeat, or use a gradient penalty",
    ),
    (
        lambda s: s.clips and s.recipe.generator.optimizer == "sgd",
        "clipped weights leave slopes so small that plain steps do not move the generator: "
        "set generator.optimizer to rmsprop or adam",
    ),
    (
        lambda s: s.recipe.label_smoothing > 0 and not s.objective.probability,
        "label smoothing is of a probability, and this objective has none: set label_smoothing to 0",
    ),
    (
        lambda s: s.recipe.soft_labels > 0 and not s.objective.probability,
        "soft labels are targets of a probability, and this objective has none: set soft_labels to 0",
    ),
    (
        lambda s: s.recipe.soft_labels > 0 and s.recipe.label_smoothing > 0,
        "soft labels are smoothed already: set label_smoothing or soft_labels to 0",
    ),
    (
        lambda s: any(p.of_probability for p in s.penalties) and not s.objective.probability,
        "Roth's penalty weighs slopes by a probability, and this objective has none: use r1 and r2",
    ),
    (
        lambda s: s.recipe.objective in _WITHOUT_TARGETS and set_axes(s.recipe, ("targets",)) != [],
        "targets are numbers that least squares wants: leave out targets, or set objective to least_squares",
    ),
    (
        lambda s: s.recipe.balance < 1 and not s.objective.decides,
        "the logits of this objective do not say what is taken for real, so nobody is too strong: set balance to 1",
    ),
    (
        lambda s: s.discriminator.needs_probability and not s.objective.probability,
        "K + 1 classes share one probability, and this objective has none: set objective to non_saturating",
    ),
    (
        lambda s: s.matches_features and s.norms[1].batch,
        "batch norm gives the features of real and of fake images one mean, so there is nothing to match: "
        "set discriminator.normalization to layer, instance, spectral or none",
    ),
    (
        lambda s: s.objective.reconstructs and s.matches_features,
        "an autoencoder's features are what it draws the image from, and to match their mean is no game: "
        "set feature_matching to false, and take features out of terms",
    ),
    (
        lambda s: s.objective.reconstructs and not s.discriminator.plain,
        "an autoencoder's judgment is its error, and it has no other output: "
        "set discriminator.conditioning to concat, product or repeat",
    ),
]

RULES: list[Rule] = [*RANKS, *WORDS, *LABELS, *DOMAINS, *PAIRS, *STAGES, *ENCODERS, *LOSSES, *PLAYERS, *BATCHES]


def _too_many(attributes: Sequence[str]) -> list[str]:
    """How many combinations these have, where those are too many; else nothing."""
    count = combination_count(attributes)
    return [f"{count:,}"] if count > _COMBINATIONS else []


def refusal(recipe: Recipe, real: Signature, processes: int = 1, rules: Sequence[Rule] = RULES) -> str | None:
    """Why this recipe cannot be trained on such images, or None if it can."""
    setting = Setting(recipe, real, processes)
    for applies, reason in rules:
        if found := applies(setting):
            return reason.format(axes=", ".join(found)) if isinstance(found, list) else reason
    return None
