"""Generator against discriminator, from noise or a source image to an image (Goodfellow et al. 2014, algorithm 1).

It composes what the recipe names on each axis, and contains none of those names.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mintage import catalog
from mintage.augment import augment
from mintage.conditioning.heads import Judgment
from mintage.data import wrong_in_one, wrong_labels
from mintage.dataset import Signature
from mintage.games import Losses, OneDiscriminator, Scene, Shown, Step, gathered
from mintage.hardening import Balance, Pair, Pool, add_noise, coins, exchange, exchange_judgments, noise_at
from mintage.latents import code_of
from mintage.model_config import model_config
from mintage.objectives import against_each
from mintage.optimizers import progress
from mintage.penalties import weighted
from mintage.players import Discriminator, Generator, build_players
from mintage.randomness import uniform
from mintage.recipes import Recipe
from mintage.schedule import steps_of_discriminator, steps_of_turn
from mintage.terms import Play, feature_gap


@dataclass(frozen=True)
class Batch:
    """What the discriminator judges in one step."""

    images: Tensor
    """Real, `[N,C,H,W]`."""
    condition: Tensor | None
    """Labels `[N]`, attributes `[N,K]` or sources `[N,S,H,W]`; the fakes are made for the same."""
    latents: Tensor
    fakes: Tensor
    """`[N,C,H,W]`; with the generator's graph if the generator moves in this step."""
    labeled: Shown | None = None
    """Real images whose labels may be seen, where the discriminator is semi-supervised."""


class Adversarial(OneDiscriminator):
    """k steps of the discriminator, then one of the generator, which reuses the fakes of the last of them."""

    def __init__(self, generator: Generator, discriminator: Discriminator, recipe: Recipe) -> None:
        super().__init__(generator, discriminator, recipe)
        self.penalties = [(one, catalog.load("penalty", one.name)) for one in recipe.penalties]
        self.terms = [(one, catalog.load("term", one.name)) for one in recipe.terms]
        self.asked = self.config.generator_conditioning != "none"
        self.pool = Pool(recipe.pool, self.config.image_shape) if recipe.pool else None
        self.balance = Balance(recipe.balance) if recipe.balance < 1 else None

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Adversarial":
        config = model_config(recipe, real.shape, real.classes, real.attributes, real.source_shape, first=real.first)
        return cls(*build_players(config, seed), recipe)

    def stand_on(self, first: Generator) -> None:
        assert self.generator.first is not None
        self.generator.first.load_state_dict(first.state_dict())

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        """The discriminator's steps, in the last of which the generator moves too; then more steps of the generator."""
        alone = steps_of_turn(self.recipe, images_seen // batch_size) - 1
        steps: list[tuple[str, ...]] = [("discriminator",)] * alone
        return [*steps, self.sides, *[("generator",)] * (self.recipe.generator_steps - 1)]

    def losses(self, side: str, scene: Scene) -> Losses:
        batch = scene.once("batch", lambda: self.draw(scene))
        if side == "discriminator":
            with torch.set_grad_enabled(not self._pretrains(scene.step)):
                return self._discriminator_losses(batch, scene)
        return self._generator_losses(batch, scene)

    def _pretrains(self, step: Step) -> bool:
        """Whether only the generator learns, by its terms alone; all losses are still reported."""
        return step.position < self.recipe.pretrain_images

    def after(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """The discriminator's weights are clipped where the recipe says so, and the objective sees its logits."""
        if side != "discriminator":
            return {}
        for recipe, penalty in self.penalties:
            if penalty.project:
                penalty.project(self.discriminator, recipe.weight or penalty.weight)
        logits = gathered(parts, "real_logits"), gathered(parts, "fake_logits")
        self.objective.after_discriminator(*logits)
        if self.balance is not None and (accuracy := self.objective.accuracy(*logits)) is not None:
            self.balance.accuracy.copy_(accuracy)
        return self.objective.statistics(*logits)

    def waits(self, side: str) -> Tensor | None:
        return self.balance.waits() if side == "discriminator" and self.balance is not None else None

    def draw(self, scene: Scene) -> Batch:
        """The step's real images, and as many fakes, with the generator's graph if the generator moves too."""
        step = scene.step
        images, condition = scene.real.batch(*step.rows)
        latents = step.latents(self.config, scene.device)
        with torch.set_grad_enabled("generator" in scene.sides), self.autocast:
            make = self.generator.draft if self._pretrains(step) else self.generator
            fakes: Tensor = make(latents, condition if self.asked else None)
        head = self.discriminator.head
        labeled = scene.real.labeled.batch(*step.rows) if head is not None and head.labeled_batch else None
        return Batch(images, condition, latents, fakes, labeled)

    def _discriminator_losses(self, batch: Batch, scene: Scene) -> Losses:
        condition, step = batch.condition, scene.step
        fakes = batch.fakes.detach()
        if self.pool is not None:
            fakes = self.pool(fakes, step.random("pool"))
        images, fakes = self._changed(batch.images, "real", step), self._changed(fakes, "fake", step)
        others = [*self._mismatched(images, condition, step), *self._labeled(batch, step)]
        on_real, on_fake, *on_others = self._judge_pair(Pair(images, fakes), condition, others, step)
        on_labeled, known = on_real, condition
        if batch.labeled is not None:
            on_labeled, known = on_others.pop(), batch.labeled[1]
        logits = self._labeled_logits(Pair(on_real.logit, on_fake.logit), step)
        negatives = [logits.fake, *(judgment.logit for judgment in on_others)]
        scene.cache.update(real_logits=on_real.logit.detach(), fake_logits=on_fake.logit.detach())
        return {
            "discriminator_loss": against_each(self.objective, logits.real, negatives, self._softness(logits, step)),
            **self._auxiliary_losses(on_labeled, on_fake, known, batch.latents),
            **self._penalties(images, fakes, condition, step),
        }

    def _generator_losses(self, batch: Batch, scene: Scene) -> Losses:
        condition, step = batch.condition, scene.step
        shown = [self._changed(batch.fakes, "generator", step)]
        matches = self.recipe.feature_matching or any(term.of_features for _, term in self.terms)
        if self.objective.pairs or matches:
            shown.append(self._changed(batch.images, "paired", step))
        on_fake, *on_real = self.judge(*((images, condition) for images in shown))
        if self.recipe.feature_matching:
            loss = feature_gap(on_real[0].features, on_fake.features)
        else:
            real_logits = [judgment.logit for judgment in on_real] if self.objective.pairs else []
            loss = self.objective.generator_loss(on_fake.logit, *real_logits)
        loss = loss.detach() if self._pretrains(step) else loss
        losses = {"generator_loss": loss, **self._readable(on_fake, condition, batch.latents)}
        features = (lambda: (on_real[0].features, on_fake.features)) if matches else None
        play = Play(self.generator.network, batch.images, batch.fakes, features=features)
        return losses | {f"generator_{one.name}": one.weight * term.loss(play) for one, term in self.terms}

    def _changed(self, images: Tensor, what: str, step: Step) -> Tensor:
        """The images as the discriminator sees them: augmented, with noise added."""
        recipe = self.recipe
        images = augment(images, recipe.augment, step.random(f"augment/{what}"))
        deviation = noise_at(recipe.instance_noise, step.position, recipe.instance_noise_images)
        return add_noise(images, deviation, step.random(f"noise/{what}"))

    def _judge_pair(self, pair: Pair, condition: Tensor | None, others: list[Shown], step: Step) -> list[Judgment]:
        """Judgments of real images, of fakes, then of the others; in mixed batches if the recipe says so."""
        if not self.recipe.mixed_batches:
            return self.judge((pair.real, condition), (pair.fake, condition), *others)
        chosen = coins(len(pair.real), 0.5, step.random("mixed"), pair.real.device)
        mixed = exchange(Pair(pair.real.float(), pair.fake.float()), chosen)
        one, other, *rest = self.judge((mixed.real, condition), (mixed.fake, condition), *others)
        return [*exchange_judgments(one, other, chosen), *rest]

    def _labeled_logits(self, logits: Pair, step: Step) -> Pair:
        """The logits, with real and fake exchanged in the pairs whose labels are flipped."""
        share = self.recipe.flipped_labels
        if not share:
            return logits
        return exchange(logits, coins(len(logits.real), share, step.random("labels/flipped"), logits.real.device))

    def _softness(self, logits: Pair, step: Step) -> Tensor | None:
        """How far each target is softened, `[N]` in [0, `soft_labels`); None without soft labels."""
        if not self.recipe.soft_labels:
            return None
        return self.recipe.soft_labels * uniform(logits.real.shape, step.random("labels/soft"), logits.real.device)

    def _mismatched(self, images: Tensor, condition: Tensor | None, step: Step) -> list[Shown]:
        """If the recipe is matching-aware: real images with a wrong label, or with another image's condition."""
        if not self.recipe.matching_aware or condition is None:
            return []
        if self.config.translates or self.config.attributes:
            joined = self.config.bare_source_shape if self.config.joins_attributes else None
            return [(images, wrong_in_one(condition, joined[0]) if joined else condition.roll(1, 0))]
        return [(images, wrong_labels(condition, self.config.class_count, step.random("labels/wrong")))]

    def _labeled(self, batch: Batch, step: Step) -> list[Shown]:
        if batch.labeled is None:
            return []
        images, labels = batch.labeled
        return [(self._changed(images, "labelled", step), labels)]  # spelled as ever: the draws depend on it

    def _auxiliary_losses(self, on_real: Judgment, on_fake: Judgment, labels: Tensor | None, latents: Tensor) -> Losses:
        """The discriminator's loss beside the game: how badly it reads the class or the code."""
        head = self.discriminator.head
        if head is None or head.column is None:
            return {}
        code = code_of(self.config, latents)
        on_both = [head.loss_on_real(on_real, labels), head.loss_on_fake(on_fake, labels, code)]
        losses = [loss for loss in on_both if loss is not None]
        return {head.column: self.recipe.discriminator.auxiliary_weight * torch.stack(losses).sum()}

    def _readable(self, on_fake: Judgment, labels: Tensor | None, latents: Tensor) -> Losses:
        """The generator's loss beside the game: how badly its class or code can be read."""
        head = self.discriminator.head
        loss = None if head is None else head.loss_on_fake(on_fake, labels, code_of(self.config, latents))
        if loss is None or head is None:
            return {}
        return {f"generator_{head.column}": self.recipe.generator.auxiliary_weight * loss}

    def _penalties(self, real: Tensor, fake: Tensor, condition: Tensor | None, step: Step) -> Losses:
        if not any(penalty.loss for _, penalty in self.penalties):
            return {}
        before = steps_of_discriminator(self.recipe, step.position // (step.size * self.recipe.accumulation))
        due = [one for one in self.penalties if before % one[0].interval == 0] if torch.is_grad_enabled() else []
        decayed = progress(step.position, self.recipe.decay_images)

        def critic(images: Tensor) -> Tensor:
            return self.discriminator(images, condition).logit

        return {"penalty": weighted(due, critic, real.float(), fake.float(), random=step.random, decayed=decayed)}

    def probability(self, images: Tensor) -> Tensor | None:
        """D(x) `[N]` in [0,1] for images `[N,C,H,W]`, each by itself.

        None if this D judges several images together, needs a condition, or its score is no probability.
        """
        asked = catalog.load("discriminator_conditioning", self.recipe.discriminator.conditioning)
        together = self.config.packing > 1 or self.config.minibatch_stddev > 0
        if together or asked.judges_match or not self.objective.probability:
            return None
        return self.judge_alone(images)
