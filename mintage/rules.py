"""Which choices do not go together, and why. Every other combination trains."""

from collections.abc import Callable
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
from mintage.recipes import PlayerRecipe, Recipe, condition_of
from mintage.rules_of_encoders import ENCODERS
from mintage.rules_of_sources import DOMAINS, PAIRS, WORDS
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
        """Whether the game is of two domains without pairs."""
        found: bool = catalog.load("game", self.recipe.game).of_domains
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
        return self.told_by.takes == "label"

    @property
    def needs(self) -> str | None:
        """What the players use of each image: its "label", "attributes", "source" or "domain"."""
        return condition_of(self.recipe)

    @property
    def translates(self) -> bool:
        """Whether the generator makes images of images."""
        return self.told_by.takes == "source"

    @property
    def told_by(self) -> type[Unconditional]:
        """How the generator is told its condition."""
        found: type[Unconditional] = catalog.load("generator_conditioning", self.recipe.generator.conditioning)
        return found

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

    @property
    def norms(self) -> tuple[Layers, Layers]:
        """Of the generator, and of the discriminator."""
        return Layers(self.recipe.generator.normalization), Layers(self.recipe.discriminator.normalization)


_TIMES = (1, 2, 4, 8)
"""That a network may enlarge a source."""
Rule = tuple[Callable[[Setting], bool], str]
"""What is refused, and why, with what to do."""

RANKS: list[Rule] = [
    (
        lambda s: s.rank not in s.network.ranks,
        "this network is of pictures, and this data has another number of axes (sound has one, a volume three): set "
        "network to dcgan or mlp, or family to gan3d",
    ),
]

LABELS: list[Rule] = [
    (
        lambda s: s.needs == "attributes" and s.real.attributes is None,
        "this family learns from attributes, and this data has none: set ingest.attributes, or name another family, "
        "such as dcgan",
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
        lambda s: s.recipe.labelled < 1 and s.needs is not None and s.discriminator.teaches_class,
        "only a semi-supervised discriminator learns from images without a label: set labelled to 1",
    ),
    (
        lambda s: s.needs == "attributes" and s.discriminator.needs_probability,
        "K + 1 classes are of one label: set condition to label, or discriminator.conditioning to auxiliary",
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
        lambda s: any(p.project for p in s.penalties) and s.network.deep,
        "clipped weights, of norms too, let no signal through so many layers: use a gradient penalty",
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
        lambda s: s.recipe.balance < 1 and not s.objective.decides,
        "the logits of this objective do not say what is taken for real, so nobody is too strong: set balance to 1",
    ),
    (
        lambda s: s.discriminator.needs_probability and not s.objective.probability,
        "K + 1 classes share one probability, and this objective has none: set objective to non_saturating",
    ),
    (
        lambda s: s.recipe.feature_matching and s.norms[1].batch,
        "batch norm gives the features of real and of fake images one mean, so there is nothing to match: "
        "set discriminator.normalization to layer, instance, spectral or none",
    ),
    (
        lambda s: s.objective.reconstructs and s.recipe.feature_matching,
        "an autoencoder's features are what it draws the image from, and to match their mean is no game: "
        "set feature_matching to false",
    ),
    (
        lambda s: s.objective.reconstructs and not s.discriminator.plain,
        "an autoencoder's judgement is its error, and it has no other output: "
        "set discriminator.conditioning to concat, product or repeat",
    ),
]

PLAYERS: list[Rule] = [
    (
        lambda s: s.small and s.network.has_maps,
        "an image smaller than 8 x 8, or a point, has no room for feature maps: set network to mlp or points, "
        "or family to modern_points",
    ),
    (
        lambda s: s.told_by.modulates and not s.norms[0].batch,
        "conditional batch norm needs batch norm: set generator.normalization to batch or spectral_batch",
    ),
    (
        lambda s: s.told_by.plane_size > 0 and not s.network.has_maps,
        "this network has no feature map for a label's plane: set generator.conditioning to concat",
    ),
    (
        lambda s: s.network.norms_units and "instance" in [norm.name for norm in s.norms],
        "instance norm is over the places of a feature map, and some layers of this network have none: "
        "set normalization to layer",
    ),
    (
        lambda s: s.recipe.drops and not s.network.plain,
        "dropout is for networks of plain layers: set dropout of both players to 0, or network to mlp or dcgan",
    ),
    (
        lambda s: any(p.activation != "network" for p in s.players) and not s.network.plain,
        "only plain layers have an activation to choose: set activation of both players to network, or network to mlp "
        "or dcgan",
    ),
    (
        lambda s: any(p.initialization != "network" for p in s.players) and not s.network.has_norms,
        "this network is built to train from its own first weights: set initialization of both players to network",
    ),
    (
        lambda s: any(p.resampling != "network" for p in s.players) and not s.network.strided,
        "this network has no convolutions of stride 2: set resampling of both players to network, or network to dcgan",
    ),
    (
        lambda s: any(p.resampling == "long" for p in s.players) and s.rank != 1,
        "long convolutions are of sound: set resampling of both players to network",
    ),
    (
        lambda s: s.recipe.discriminator.phase_shuffle > 0 and not (s.rank == 1 and s.network.strided),
        "feature maps of sound alone are moved along time: set discriminator.phase_shuffle to 0",
    ),
    (
        lambda s: s.recipe.discriminator.dropout_in_use,
        "only a generator is used after the training: set discriminator.dropout_in_use to false",
    ),
    (
        lambda s: s.recipe.generator.dropout_in_use and not s.recipe.generator.dropout,
        "no unit is left out without dropout: set generator.dropout above 0, or dropout_in_use to false",
    ),
    (
        lambda s: not s.network.has_norms and {norm.name for norm in s.norms} != {"none"},
        "this network is built to train without normalisation: set normalization of both players to none",
    ),
]

BATCHES: list[Rule] = [
    (
        lambda s: s.recipe.pool > 0 and not (s.discriminator.plain and not s.discriminator.judges_match),
        "earlier fakes were made for other labels or sources: set pool to 0, or discriminator.conditioning to none",
    ),
    (
        lambda s: s.recipe.pool > 0 and s.recipe.mixed_batches,
        "images exchanged by a coin are of one batch: set pool to 0, or mixed_batches to false",
    ),
    (
        lambda s: s.recipe.pool > 0 and s.processes > 1,
        "earlier fakes are kept by one process: set pool to 0, or processes to 1",
    ),
    (
        lambda s: 0 < s.recipe.pool < s.share,
        "earlier fakes must be enough for a batch: set pool to batch_size or more, or to 0",
    ),
    (
        lambda s: s.recipe.mixed_batches and s.recipe.packing > 1,
        "images judged together are all real or all fake: set packing to 1, or mixed_batches to false",
    ),
    (
        lambda s: any(p.nesterov and not (p.optimizer == "sgd" and p.momentum) for p in s.players),
        "Nesterov's is a momentum of SGD: set optimizer to sgd and momentum above 0, or nesterov to false",
    ),
    (
        lambda s: s.small and len(s.recipe.augment) > 0,
        "an image smaller than 8 x 8, or a point, is another one when its pixels are moved or cut: set augment to []",
    ),
    (
        lambda s: "colour" in s.recipe.augment and (s.real.shape[0], s.rank) != (3, 2),
        "colour changes are of RGB images: take colour out of augment",
    ),
    (
        lambda s: "turns" in s.recipe.augment and (s.rank < 2 or s.real.shape[-2] != s.real.shape[-1]),
        "a quarter turn keeps its shape only where the last two sides are equal: take turns out of augment",
    ),
    (
        lambda s: s.recipe.packing > 1 and not s.discriminator.plain,
        "images judged together have no one class or code: "
        "set discriminator.conditioning to concat, product, repeat or none, or packing to 1",
    ),
    (
        lambda s: s.recipe.minibatch_stddev > 0 and not (s.discriminator.plain or s.discriminator.judges_match),
        "how much images differ says nothing of one image's class or code: set minibatch_stddev to 0",
    ),
    (
        lambda s: s.recipe.minibatch_stddev > 0 and s.objective.reconstructs,
        "an autoencoder's judgement is its error, to which no feature can be added: set minibatch_stddev to 0",
    ),
    (
        lambda s: s.recipe.minibatch_stddev > 0 and s.share // s.recipe.packing % s.recipe.minibatch_stddev > 0,
        "judgements are grouped by minibatch_stddev: set batch_size to a multiple of it, times packing and processes",
    ),
    (
        lambda s: s.batch_size % (s.processes * s.recipe.accumulation) > 0,
        "each process takes as many images of each part of a batch: set batch_size to a multiple of processes times "
        "accumulation",
    ),
    (
        lambda s: s.share % s.recipe.packing > 0,
        "a batch must be a whole number of packs: set batch_size to a multiple of packing, times processes",
    ),
    (
        lambda s: s.share // s.recipe.packing < 2 and s.norms[1].batch,
        "batch norm needs two judgements in a batch: raise batch_size, or lower packing or processes",
    ),
    (
        lambda s: s.share < 2 and s.norms[0].batch,
        "batch norm needs two images in each process: raise batch_size, or lower processes",
    ),
]

RULES: list[Rule] = [*RANKS, *WORDS, *LABELS, *DOMAINS, *PAIRS, *ENCODERS, *LOSSES, *PLAYERS, *BATCHES]


def refusal(recipe: Recipe, real: Signature, processes: int = 1) -> str | None:
    """Why this recipe cannot be trained on such images, or None if it can."""
    setting = Setting(recipe, real, processes)
    return next((reason for applies, reason in RULES if applies(setting)), None)
