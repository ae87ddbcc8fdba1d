"""An encoder, a generator that decodes, and a discriminator whose features compare images (Larsen et al. 2016).

With pixels compared in place of features, and no discriminator, it is a plain variational autoencoder.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mintage.dataset import Signature
from mintage.encoding import Codes, squared_distance, with_gradient
from mintage.games import Losses, OneDiscriminator, Scene, gathered
from mintage.hardening import Equilibrium
from mintage.model_config import model_config
from mintage.objectives import against_each
from mintage.players import Discriminator, Generator, build_players
from mintage.randomness import normal
from mintage.recipes import Recipe


@dataclass(frozen=True)
class Pass:
    """What one step computes from its images, once for all three players."""

    images: Tensor
    """Real, `[N,C,H,W]`."""
    codes: Codes
    """The images' codes, with the encoder's graph."""
    drawn: Tensor
    """Latents `[N,L]` drawn from the codes, with the encoder's graph."""
    start: Tensor
    """The same latents, at which the generator's graph begins."""
    shown: tuple[Tensor, ...]
    """The fakes for the discriminator: reconstructions `[N,C,H,W]`, then samples `[N,C,H,W]`."""
    likeness: Tensor
    """How far reconstructions are from their images: a scalar."""
    fooled: Tensor | None
    """The generator's objective; None without a discriminator."""


class Autoencoding(OneDiscriminator):
    """All three players learn from one pass, so the order in which they move changes nothing.

    The encoder descends divergence and likeness, the generator likeness and its objective, the discriminator its own
    objective alone (Larsen et al. 2016, algorithm 1).
    """

    sides = ("discriminator", "encoder", "generator")
    encodes = True

    def __init__(self, generator: Generator, discriminator: Discriminator, recipe: Recipe) -> None:
        super().__init__(generator, discriminator, recipe)
        self.judged = recipe.likeness == "features"
        self.equilibrium = Equilibrium(recipe.margin) if recipe.margin else None

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Autoencoding":
        config = model_config(recipe, real.shape, real.classes)
        return cls(*build_players(config, seed), recipe)

    def mover(self, side: str) -> nn.Module:
        """The encoder is a part of the generator, so that both are released together, but it moves as its own side."""
        if side == "generator":
            return nn.ModuleList([self.generator.conditioning, self.generator.network])
        return self.get_submodule("generator.encoder" if side == "encoder" else side)

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        """One step. The discriminator moves last: the others learn from its judgments before it changes."""
        return [("encoder", "generator", "discriminator") if self.judged else ("encoder", "generator")]

    def losses(self, side: str, scene: Scene) -> Losses:
        made = scene.once("pass", lambda: self._pass(scene))
        if side == "discriminator":
            return self._discriminator_losses(made, scene)
        if side == "encoder":
            (gradient,) = torch.autograd.grad(made.likeness, made.start, retain_graph=True)
            return {
                "encoder_loss": with_gradient(made.likeness, made.drawn, gradient),
                "encoder_divergence": self.recipe.prior_weight * made.codes.divergence(),
            }
        likeness = self.recipe.likeness_weight * made.likeness
        if made.fooled is None:
            return {"generator_loss": likeness}
        return {"generator_loss": made.fooled, "generator_likeness": likeness}

    def waits(self, side: str) -> Tensor | None:
        if side == "encoder" or self.equilibrium is None:
            return None
        return self.equilibrium.waits(discriminator=side == "discriminator")

    def after(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """Statistics of the discriminator's logits, over both kinds of fake; and whether the side moved."""
        waits = self.waits(side)
        moved = {} if waits is None else {f"{side}_moved": 1 - waits}
        if side != "discriminator":
            return moved
        return self.objective.statistics(gathered(parts, "real_logits"), gathered(parts, "fake_logits")) | moved

    def _pass(self, scene: Scene) -> Pass:
        step = scene.step
        images, _ = scene.real.batch(*step.rows)
        with self.autocast:
            codes = self.generator.encode(images)
        noise = normal(codes.mean.shape, step.random("code"), scene.device)
        drawn = codes.draw(noise)
        start = drawn.detach().requires_grad_()
        if not self.judged:
            with self.autocast:
                rebuilt = self.generator(start)
            return Pass(images, codes, drawn, start, (), squared_distance(rebuilt, images), None)
        latents = step.latents(self.config, scene.device)
        with self.autocast:
            shown: tuple[Tensor, ...] = self.generator(torch.cat([start, latents])).chunk(2)
        with torch.no_grad():
            (on_real,) = self.judge((images, None))
        on_fakes = self.judge(*((images, None) for images in shown))
        if self.equilibrium is not None:
            self.equilibrium.see(on_real.logit, torch.cat([one.logit for one in on_fakes]))
        likeness = squared_distance(on_fakes[0].features, on_real.features)
        fooled = [self.objective.generator_loss(one.logit, on_real.logit) for one in on_fakes]
        return Pass(images, codes, drawn, start, shown, likeness, torch.stack(fooled).mean())

    def _discriminator_losses(self, made: Pass, scene: Scene) -> Losses:
        on_real, *on_fakes = self.judge(*((images.detach(), None) for images in (made.images, *made.shown)))
        fakes = [one.logit for one in on_fakes]
        scene.cache.update(real_logits=on_real.logit.detach().repeat(2), fake_logits=torch.cat(fakes).detach())
        return {"discriminator_loss": against_each(self.objective, on_real.logit, fakes)}

    def probability(self, images: Tensor) -> Tensor | None:
        """D(x) `[N]` for images `[N,C,H,W]`, each by itself; None without a D, or if its score is no probability."""
        if not (self.judged and self.objective.probability):
            return None
        return self.judge_alone(images)
