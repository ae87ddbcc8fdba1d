"""Which choices do not go together, and why. All others train."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mintage import catalog
from mintage.conditioning.discriminator import DiscriminatorConditioning
from mintage.conditioning.generator import Unconditional
from mintage.conditioning.images import Product
from mintage.dataset import Signature
from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.parts import SMALLEST_IMAGE
from mintage.objectives import Objective
from mintage.penalties import Penalty
from mintage.recipes import PlayerRecipe, Recipe, condition_of, joins_attributes, set_axes, set_axes_of_judge
from mintage.rules_of_encoders import ENCODERS
from mintage.rules_of_players import BATCHES, PLAYERS
from mintage.rules_of_sources import DOMAINS, PAIRS, WORDS
from mintage.rules_of_stages import STAGES
from mintage.sources import has_mask
from mintage.terms import Term


@dataclass(frozen=True)
class Setting:
    """A recipe and the data it is to learn from."""

    recipe: Recipe
    real: Signature
    processes: int = 1

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    @property
    def share(self) -> int:
        """Images that go through the networks at once."""
        return self.batch_size // self.processes // self.recipe.accumulation

    @property
    def unpaired(self) -> bool:
        """Whether the game is of two domains without pairs, each translated into the other."""
        game = catalog.load("game", self.recipe.game)
        return bool(game.of_domains and not game.couples)

    @property
    def learns_classes(self) -> bool:
        """Whether the game is of two domains whose classes it learns from, too."""
        found: bool = catalog.load("game", self.recipe.game).learns_classes
        return found

    @property
    def compares(self) -> bool:
        """Whether the game is of two domains whose images it learns to tell apart, too."""
        found: bool = catalog.load("game", self.recipe.game).compares
        return found

    @property
    def couples(self) -> bool:
        """Whether the game is of two domains without pairs, of which it makes an image each of one latent."""
        found: bool = catalog.load("game", self.recipe.game).couples
        return found

    @property
    def of_words(self) -> bool:
        """Whether the game is of sequences of words."""
        found: bool = catalog.load("game", self.recipe.game).of_words
        return found

    @property
    def encodes(self) -> bool:
        """Whether the game is of an encoder, too."""
        found: bool = catalog.load("game", self.recipe.game).encodes
        return found

    @property
    def inverts(self) -> bool:
        """Whether the game is of an encoder alone."""
        found: bool = catalog.load("game", self.recipe.game).inverts
        return found

    @property
    def stands(self) -> bool:
        """Whether the model is made of one that is there already."""
        return self.network.stacks or self.inverts

    @property
    def network(self) -> Network:
        found: Network = catalog.load("network", self.recipe.network)
        return found

    @property
    def objective(self) -> type[Objective]:
        found: type[Objective] = catalog.load("objective", self.recipe.objective)
        return found

    @property
    def discriminator(self) -> DiscriminatorConditioning:
        found: DiscriminatorConditioning = catalog.load(
            "discriminator_conditioning", self.recipe.discriminator.conditioning
        )
        return found

    @property
    def generator_is_conditional(self) -> bool:
        """Whether the generator is told a class, or attributes."""
        return self.generator_conditioning.takes == "label"

    @property
    def needs(self) -> str | None:
        """What the players use of each image: its "label", "attributes", "source" or "domain"."""
        return condition_of(self.recipe)

    @property
    def translates(self) -> bool:
        """Whether the generator makes images of images."""
        return self.generator_conditioning.takes == "source"

    @property
    def joins_attributes(self) -> bool:
        """Whether the players are told attributes beside a source."""
        return joins_attributes(self.recipe)

    @property
    def generator_conditioning(self) -> type[Unconditional]:
        """How the generator is told its condition."""
        found: type[Unconditional] = catalog.load("generator_conditioning", self.recipe.generator.conditioning)
        return found

    @property
    def of_judge(self) -> list[str]:
        """The discriminator's axes that are not as where nothing is said of them."""
        return set_axes_of_judge(self.recipe, self.network.normalization[1])

    @property
    def small(self) -> bool:
        """Whether the image has too few pixels for their places to mean anything, as a point's coordinates."""
        return min(self.real.shape[1:]) < SMALLEST_IMAGE

    @property
    def rank(self) -> int:
        """How many axes an image has behind its channels: 2, of sound 1, of a volume 3."""
        return len(self.real.shape) - 1

    @property
    def enlargement(self) -> int | None:
        """How many times as high and wide as its source an image is, an odd side rounded up; None where it is none."""
        sizes = (self.real.source_shape or self.real.shape)[1:]
        chain = [tuple(-(-side // times) for side in self.real.shape[1:]) for times in _TIMES]
        return _TIMES[chain.index(sizes)] if sizes in chain else None

    @property
    def alike(self) -> bool:
        """Whether a source can stand for its image: one channel for all, or at least as many."""
        channels = (self.real.source_shape or self.real.shape)[0]
        return channels == 1 or channels >= self.real.shape[0]

    @property
    def masked(self) -> bool:
        """Whether a source has a mask of what is missing."""
        return self.real.source_shape is not None and has_mask(self.real.source_shape, self.real.shape)

    @property
    def players(self) -> tuple[PlayerRecipe, PlayerRecipe]:
        return self.recipe.generator, self.recipe.discriminator

    @property
    def penalties(self) -> list[Penalty]:
        return [catalog.load("penalty", penalty.name) for penalty in self.recipe.penalties]

    @property
    def terms(self) -> list[Term]:
        return [catalog.load("term", term.name) for term in self.recipe.terms]

    def named_terms(self, chosen: Callable[[Term], bool]) -> list[str]:
        """The names of those of its terms that are so."""
        return [one.name for one, term in zip(self.recipe.terms, self.terms, strict=True) if chosen(term)]

    @property
    def matches_features(self) -> bool:
        """Whether the generator matches the mean features of real images, beside the objective or in its place."""
        return self.recipe.feature_matching or any(term.of_features for term in self.terms)

    @property
    def norms(self) -> tuple[Layers, Layers]:
        """Of the generator, and of the discriminator."""
        return Layers(self.recipe.generator.normalization), Layers(self.recipe.discriminator.normalization)


_TIMES = (1, 2, 4, 8)
"""That a network may enlarge a source."""
_WITHOUT_TARGETS = {*catalog.BUILT_IN["objective"]} - {"least_squares"}
"""Objectives; of those that other packages bring nobody knows what they read."""
Rule = tuple[Callable[[Setting], bool | list[str]], str]
"""What is refused, and why, with what to do; `{axes}` in it are those, or what else, the rule finds."""


def _of_rank(setting: Setting) -> list[str]:
    """What makes such data, where the network does not."""
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
        "dcgan",
    ),
    (
        lambda s: s.needs == "label" and s.real.classes is None and s.real.attributes is not None,
        "this data has attributes in place of labels: name a family that learns from them, such as sngan_attributes",
    ),
    (
        lambda s: s.needs == "label" and s.real.classes is None,
        "a conditional family learns from labels, and this data has none: name an unconditional family, such as dcgan "
        "(of points modern_points)",
    ),
    (
        lambda s: s.needs == "label" and len(s.real.classes or ()) < 2,
        "a conditional family needs at least two classes, and this data has one: name an unconditional family, such as "
        "dcgan (of points modern_points)",
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
        lambda s: s.recipe.labelled < 1 and s.needs is not None and (s.discriminator.teaches_class or s.learns_classes),
        "only a semi-supervised discriminator learns from images without a label: set labelled to 1",
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
        "a gradient penalty is of each image alone, and batch norm makes a judgement depend on the whole batch: "
        "set discriminator.normalization to layer, instance, spectral or none",
    ),
    (
        lambda s: any(p.project for p in s.penalties) and s.norms[1].spectral,
        "spectral normalisation rescales the weights that clipping cuts: keep one of them",
    ),
    (
        lambda s: any(p.project for p in s.penalties) and (s.network.deep or s.small),
        "clipped weights, of norms too, let no signal of a point through, nor of any image through so many layers: use "
        "a gradient penalty",
    ),
    (
        lambda s: any(p.project for p in s.penalties) and s.norms[1].name == "none",
        "clipped weights let no signal through layers without normalisation: "
        "set discriminator.normalization to batch or layer, or use a gradient penalty",
    ),
    (
        lambda s: any(p.project for p in s.penalties) and s.discriminator.image is Product,
        "clipped weights make the factor by which a label multiplies the image all but 0: "
        "set discriminator.conditioning to concat or repeat, or use a gradient penalty",
    ),
    (
        lambda s: any(p.project for p in s.penalties) and s.recipe.generator.optimizer == "sgd",
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
        "an autoencoder's judgement is its error, and it has no other output: "
        "set discriminator.conditioning to concat, product or repeat",
    ),
]

RULES: list[Rule] = [*RANKS, *WORDS, *LABELS, *DOMAINS, *PAIRS, *STAGES, *ENCODERS, *LOSSES, *PLAYERS, *BATCHES]


def refusal(recipe: Recipe, real: Signature, processes: int = 1, rules: Sequence[Rule] = RULES) -> str | None:
    """Why this recipe cannot be trained on such images, or None if it can."""
    setting = Setting(recipe, real, processes)
    for applies, reason in rules:
        if found := applies(setting):
            return reason.format(axes=", ".join(found)) if isinstance(found, list) else reason
    return None
