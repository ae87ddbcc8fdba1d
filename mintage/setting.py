"""A recipe with the data that it is to learn from, as rules ask about it, and what a rule is; see `mintage.rules`."""

from collections.abc import Callable
from dataclasses import dataclass

from mintage import catalog
from mintage.conditioning.discriminator import DiscriminatorConditioning
from mintage.conditioning.generator import Unconditional
from mintage.dataset import Signature
from mintage.games import Game
from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.parts import SMALLEST_IMAGE
from mintage.objectives import Objective
from mintage.penalties import Penalty
from mintage.recipes import PlayerRecipe, Recipe, condition_of, joins_attributes, set_axes_of_judge
from mintage.sources import has_mask
from mintage.terms import Term

_TIMES = (1, 2, 4, 8)
"""How many times a network may enlarge a source."""


@dataclass(frozen=True)
class Setting:
    """A recipe and the data it is to learn from."""

    recipe: Recipe
    real: Signature
    processes: int = 1

    @property
    def share(self) -> int:
        """Images that go through the networks at once, in each process."""
        return self.recipe.batch_size // self.processes // self.recipe.accumulation

    @property
    def game(self) -> type[Game]:
        return catalog.load("game", self.recipe.game)

    @property
    def unpaired(self) -> bool:
        """Whether the game translates between two domains without pairs."""
        return self.game.of_domains and not self.game.couples

    @property
    def stands(self) -> bool:
        """Whether the model is built on one that is already trained."""
        return self.network.stacks or self.game.inverts

    @property
    def network(self) -> Network:
        return catalog.load("network", self.recipe.network)

    @property
    def objective(self) -> type[Objective]:
        return catalog.load("objective", self.recipe.objective)

    @property
    def discriminator(self) -> DiscriminatorConditioning:
        return catalog.load("discriminator_conditioning", self.recipe.discriminator.conditioning)

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
        return catalog.load("generator_conditioning", self.recipe.generator.conditioning)

    @property
    def of_judge(self) -> list[str]:
        """The discriminator's axes that do not have their default."""
        return set_axes_of_judge(self.recipe, self.network.normalization[1])

    @property
    def small(self) -> bool:
        """Whether the image has too few pixels for their places to mean anything, as a point's coordinates."""
        return min(self.real.shape[1:]) < SMALLEST_IMAGE

    @property
    def rank(self) -> int:
        """How many axes an image has after its channels: 2, a sound 1, a volume 3."""
        return len(self.real.shape) - 1

    @property
    def enlargement(self) -> int | None:
        """How many times as high and wide as its source an image is, rounded up; None if none of `_TIMES`."""
        return enlargement((self.real.source_shape or self.real.shape)[1:], self.real.shape[1:])

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
    def clips(self) -> bool:
        """Whether the discriminator's weights are clipped."""
        return any(penalty.project for penalty in self.penalties)

    @property
    def terms(self) -> list[Term]:
        return [catalog.load("term", term.name) for term in self.recipe.terms]

    def named_terms(self, chosen: Callable[[Term], bool]) -> list[str]:
        """The names of the recipe's terms that `chosen` is true of."""
        return [one.name for one, term in zip(self.recipe.terms, self.terms, strict=True) if chosen(term)]

    @property
    def matches_features(self) -> bool:
        """Whether the generator matches the mean features of real images, beside the objective or in its place."""
        return self.recipe.feature_matching or any(term.of_features for term in self.terms)

    @property
    def norms(self) -> tuple[Layers, Layers]:
        """The layers of the generator, and of the discriminator."""
        return Layers(self.recipe.generator.normalization), Layers(self.recipe.discriminator.normalization)


def enlargement(small: tuple[int, ...], large: tuple[int, ...]) -> int | None:
    """How many times as large as the sides `small` the sides `large` are, rounded up; None if none of `_TIMES`."""
    chain = [tuple(-(-side // times) for side in large) for times in _TIMES]
    return _TIMES[chain.index(small)] if small in chain else None


Rule = tuple[Callable[[Setting], bool | list[str]], str]
"""Whether a setting is refused, and why, with what to do; a list that the first returns stands for `{axes}`."""
