"""Two domains without pairs: a generator for each direction, a discriminator for each domain (Zhu et al. 2017).

A term of the recipe, such as `cycle`, keeps a translation close to its source; this game adds none by itself.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mintage import catalog
from mintage.conditioning.heads import Judgment
from mintage.dataset import Signature
from mintage.games import Losses, Scene, Step, TwoPlayers, gathered
from mintage.hardening import Pool
from mintage.model_config import model_config
from mintage.players import Discriminator, Generator, build_players
from mintage.randomness import stream
from mintage.recipes import Recipe
from mintage.terms import Between, Play


@dataclass(frozen=True)
class Direction:
    """The images of one step in one direction."""

    target: int
    """The number of the domain that is made."""
    sources: Tensor
    """Real images of the other domain, `[N,C,H,W]`."""
    images: Tensor
    """Real images of the domain that is made, which have nothing to do with the sources."""
    fakes: Tensor
    """Made from the sources; with the generator's graph if the generator moves in this step."""
    kept: Tensor | None = None
    """What the generator makes from `images`, likewise; None if it is made only when a term asks for it."""


class Unpaired(TwoPlayers):
    """Both generators together, then both discriminators on new and older fakes, in the order of the authors' code.

    Losses are means over the two directions.
    """

    of_domains = True
    discriminator: nn.ModuleList
    """One for each domain. The generator translates the first domain into the second; its `back` the other way."""

    def __init__(self, generator: Generator, discriminators: list[Discriminator], recipe: Recipe) -> None:
        super().__init__(generator, nn.ModuleList(discriminators), recipe)
        self.terms = [(one, catalog.load("term", one.name)) for one in recipe.terms]
        self.pools = nn.ModuleList(Pool(recipe.pool, self.config.image_shape) for _ in discriminators if recipe.pool)

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Unpaired":
        config = model_config(recipe, real.shape, real.classes, domains=real.domains)
        generator, discriminator = build_players(config, seed)
        other_seed = int(torch.randint(2**31, (), generator=stream(seed, "players/other")))
        return cls(generator, [discriminator, build_players(config, other_seed)[1]], recipe)

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        """The generators' steps; the discriminators move at the end of the last, then in more steps of their own."""
        before = [("generator",)] * (self.recipe.generator_steps - 1)
        after = [("discriminator",)] * (self.recipe.discriminator_steps - 1)
        return [*before, ("generator", "discriminator"), *after]

    def losses(self, side: str, scene: Scene) -> Losses:
        directions = scene.once("directions", lambda: self._directions(scene))
        each = self._discriminator_losses if side == "discriminator" else self._generator_losses
        found = [each(direction, scene) for direction in directions]
        return {name: torch.stack([losses[name] for losses in found]).mean() for name in found[0]}

    def after(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """Statistics of the discriminators' logits, over both domains."""
        if side != "discriminator":
            return {}
        return self.objective.statistics(gathered(parts, "real/0", "real/1"), gathered(parts, "fake/0", "fake/1"))

    def _directions(self, scene: Scene) -> list[Direction]:
        """Both directions, with the step's real images of both domains and as many fakes of each."""
        first, second = (scene.real.group(domain).batch(*scene.step.rows)[0] for domain in (0, 1))
        with torch.set_grad_enabled("generator" in scene.sides):
            forth, back = (self._translate(to, of, scene.step, "fakes") for to, of in ((1, first), (0, second)))
        return [Direction(1, first, second, forth), Direction(0, second, first, back)]

    def _translate(self, target: int, images: Tensor, step: Step, purpose: str) -> Tensor:
        latents = step.latents(self.config, images.device, f"latent/{purpose}/{target}")
        with self.autocast:
            return self._generator(target)(latents, images)

    def _generator(self, target: int) -> Generator:
        """The generator that makes images of this domain."""
        generator = self.generator if target == 1 else self.generator.back
        assert generator is not None
        return generator

    def _between(self, direction: Direction, step: Step) -> Between:
        """What terms may use of a direction."""
        return Between(
            direction.sources,
            forth=lambda images: self._translate(direction.target, images, step, "identity"),
            back=lambda images: self._translate(1 - direction.target, images, step, "back"),
        )

    def _judge(self, domain: int, images: Tensor) -> Judgment:
        with self.autocast:
            judgment: Judgment = self.discriminator[domain](images)
        return judgment

    def _generator_losses(self, direction: Direction, scene: Scene) -> Losses:
        target, step = direction.target, scene.step
        on_fake, on_real = self._judge(target, direction.fakes), None

        def judged_real() -> Judgment:
            return scene.once(f"judged/{target}", lambda: self._judge(target, direction.images))

        if self.objective.pairs:
            on_real = judged_real().logit
        between, network = self._between(direction, step), self._generator(target).network
        play = Play(
            network, direction.images, direction.fakes, between, lambda: (judged_real().features, on_fake.features)
        )
        losses = {"generator_loss": self.objective.generator_loss(on_fake.logit, on_real)}
        return losses | {f"generator_{one.name}": one.weight * term.loss(play) for one, term in self.terms}

    def _discriminator_losses(self, direction: Direction, scene: Scene) -> Losses:
        target, fakes = direction.target, direction.fakes.detach()
        if self.pools:
            fakes = self.pools[target](fakes, scene.step.random(f"pool/{target}"))
        real, fake = self._judge(target, direction.images).logit, self._judge(target, fakes).logit
        scene.cache.update({f"real/{target}": real.detach(), f"fake/{target}": fake.detach()})
        return {"discriminator_loss": self.objective.discriminator_loss(real, fake)}
