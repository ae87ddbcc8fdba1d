"""The adversarial game, noise to image: who plays, and what one turn is (Goodfellow et al. 2014, algorithm 1).

It composes what the recipe names on each axis, and knows none of those names.
"""

from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gan import processes
from gan.augment import augment
from gan.conditioning.discriminator import DISCRIMINATOR_CONDITIONINGS
from gan.conditioning.heads import Judgement
from gan.data import RealImages, wrong_labels
from gan.latents import code_of, draw
from gan.normalization import Normalization, average_into, running_statistics
from gan.objectives import OBJECTIVES, against_each
from gan.optimizers import faded, make_optimizer, progress, set_pace
from gan.penalties import PENALTIES
from gan.players import Discriminator, Generator
from gan.randomness import seeded, stream
from gan.recipes import Recipe
from gan.regularization import feature_gap, overlap_of_filters
from gan.slots import load_slots, slots_of

_EMA_RAMP = 0.05
_WARM_STEPS, _WARM_TURNS, _WARM_EVERY = 100, 25, 500
"""Of a warm-up: steps in a long turn, long turns at the start, and from one to the next afterwards."""
Shown = tuple[Tensor, Tensor | None]
"""Images `[N,C,H,W]`, and the labels `[N]` shown with them."""


@dataclass(frozen=True)
class Step:
    """One step of a player: which images, and where all its randomness comes from."""

    seed: int
    position: int
    """Images seen before it."""
    size: int
    """Of the whole batch."""

    @property
    def rows(self) -> tuple[int, int]:
        """The position of this process's first image, and how many it has."""
        size = self.size // processes.count()
        return self.position + processes.rank() * size, size

    def random(self, purpose: str) -> torch.Generator:
        return stream(self.seed, purpose, self.position)


@dataclass(frozen=True)
class Batch:
    """What is judged in one step."""

    images: Tensor
    """Real, `[N,C,H,W]`."""
    labels: Tensor | None
    """`[N]`; the fakes are made for the same."""
    latents: Tensor
    fakes: Tensor
    """`[N,C,H,W]`; with the generator's graph behind them where it is to learn from them."""
    labelled: Shown | None = None
    """Real images whose labels may be seen, where the discriminator is semi-supervised."""


class Adversarial:
    """A generator, its moving average, and a discriminator, each with its optimizer."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        recipe: Recipe,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self.recipe = recipe
        self.config = generator.config
        self.objective = OBJECTIVES[recipe.objective](recipe.knobs).to(device)
        # Channels last is how convolutions run fastest on both kinds of device; it means nothing to an MLP.
        self.generator = generator.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.discriminator = discriminator.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.average = deepcopy(self.generator).eval().requires_grad_(False)
        self.generator_optimizer = make_optimizer(self.generator, recipe.generator)
        self.discriminator_optimizer = make_optimizer(self.discriminator, recipe.discriminator)
        self.device = device
        self.autocast = torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)

    def steps_at(self, images_seen: int, batch_size: int) -> int:
        """Steps of the discriminator in the turn that begins after so many images."""
        steps = self.recipe.discriminator_steps
        if not self.recipe.warm_up:
            return steps
        begun = images_seen // batch_size - _WARM_TURNS * _WARM_STEPS
        if begun < 0:
            return _WARM_STEPS
        # From the 25th turn on every 500th is long, and those between are as long as ever.
        first, cycle = (_WARM_EVERY - _WARM_TURNS) * steps, _WARM_STEPS + (_WARM_EVERY - 1) * steps
        return _WARM_STEPS if begun >= first and (begun - first) % cycle == 0 else steps

    def images_at_end(self, images: int, batch_size: int) -> int:
        """Images seen when a training of at least `images` ends, which it does with a whole turn."""
        if not self.recipe.warm_up:
            turn = batch_size * self.recipe.discriminator_steps
            return -(-images // turn) * turn
        seen = 0
        while seen < images:
            seen += batch_size * self.steps_at(seen, batch_size)
        return seen

    def turn(self, real: RealImages, batch_size: int, images_seen: int, seed: int) -> dict[str, Tensor]:
        """k steps of the discriminator, one of the generator, in which the fakes of the last are judged again.

        What a layer draws by itself (dropout) depends on seed and images seen, too.

        Returns statistics as scalars on the device, means over the k: each player's loss in the game,
        what D makes of real and fake images, and whatever else this recipe has.
        """
        self._set_pace(images_seen)
        statistics, count = [], self.steps_at(images_seen, batch_size)
        layers = stream(seed, f"layers/{processes.rank()}", images_seen) if self.recipe.drops else None
        with nullcontext() if layers is None else seeded(layers, self.device):
            for number in range(count):
                step = Step(seed, images_seen + number * batch_size, batch_size)
                batch = self._draw(real, step, for_both=number == count - 1)
                statistics.append(self._discriminator_step(batch, step))
            generator_loss = self._generator_step(batch, step)
        self._update_average(images_seen, count * batch_size)
        means = {name: torch.stack([row[name] for row in statistics]).mean() for name in statistics[0]}
        return {"discriminator_loss": means.pop("discriminator_loss"), "generator_loss": generator_loss, **means}

    def _set_pace(self, images_seen: int) -> None:
        decayed = progress(images_seen, self.recipe.decay_images)
        set_pace(self.generator_optimizer, self.recipe.generator, decayed)
        set_pace(self.discriminator_optimizer, self.recipe.discriminator, decayed)

    def _draw(self, real: RealImages, step: Step, for_both: bool) -> Batch:
        """The step's real images, and as many fakes; the last of a turn with what the generator learns from."""
        images, labels = real.batch(*step.rows)
        latents = processes.share(draw(self.config, step.size, step.random("latent"))).to(
            self.device, non_blocking=True
        )
        with torch.set_grad_enabled(for_both), self.autocast:
            fakes: Tensor = self.generator(latents, labels if self.config.conditional else None)
        head = self.discriminator.head
        labelled = real.labelled.batch(*step.rows) if head is not None and head.labelled_batch else None
        return Batch(images, labels, latents, fakes, labelled)

    def _discriminator_step(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        labels, latents = batch.labels, batch.latents
        images = augment(batch.images, self.recipe.augment, step.random("augment/real"))
        fakes = augment(batch.fakes.detach(), self.recipe.augment, step.random("augment/fake"))
        shown = [(images, labels), (fakes, labels), *self._mismatched(images, labels, step)]
        on_real, on_fake, *mismatched = self._judge(*shown, *self._labelled(batch, step))
        on_labelled, known = on_real, labels
        if batch.labelled is not None:
            on_labelled, known = mismatched.pop(), batch.labelled[1]
        negatives = [judgement.logit for judgement in (on_fake, *mismatched)]
        loss = against_each(self.objective, on_real.logit, negatives)
        extra = self._auxiliary_losses(on_labelled, on_fake, known, latents)
        extra |= self._penalties(images, fakes, labels, step)
        _descend(self.discriminator_optimizer, sum(extra.values(), loss))
        for penalty in self.recipe.penalties:
            if project := PENALTIES[penalty.name].project:
                project(self.discriminator, penalty.weight)
        logits = (processes.gathered(on_real.logit.detach()), processes.gathered(on_fake.logit.detach()))
        self.objective.after_discriminator(*logits)
        mean, extra = loss.detach(), {name: value.detach() for name, value in extra.items()}
        processes.average([mean, *extra.values()])
        return {"discriminator_loss": mean, **self.objective.statistics(*logits), **extra}

    def _generator_step(self, batch: Batch, step: Step) -> Tensor:
        labels = batch.labels
        # No gradient for the discriminator, which would be thrown away, and no change of its running state.
        self.discriminator.requires_grad_(False).eval()
        shown = [augment(batch.fakes, self.recipe.augment, step.random("augment/generator"))]
        if self.objective.pairs or self.recipe.feature_matching:
            shown.append(augment(batch.images, self.recipe.augment, step.random("augment/paired")))
        on_fake, *on_real = self._judge(*((images, labels) for images in shown))
        if self.recipe.feature_matching:
            loss = feature_gap(on_real[0].features, on_fake.features)
        else:
            loss = self.objective.generator_loss(on_fake.logit, *(judgement.logit for judgement in on_real))
        taught = self._taught(on_fake, labels, batch.latents)
        total = loss if taught is None else loss + taught
        if self.recipe.orthogonal:
            total = total + self.recipe.orthogonal * overlap_of_filters(self.generator.network)
        _descend(self.generator_optimizer, total)
        self.discriminator.requires_grad_(True).train()
        mean = loss.detach()
        processes.average([mean, *running_statistics(self.generator)])
        return mean

    def _judge(self, *shown: Shown) -> list[Judgement]:
        """Each batch by itself where there is batch norm, which would tell D of the other; else all in one pass."""
        head = self.discriminator.head
        apart = Normalization(self.recipe.discriminator.normalization).batch or (head is not None and head.batch_norm)
        with self.autocast:
            if apart:
                return [self.discriminator(images, labels) for images, labels in shown]
            images, labels = zip(*shown, strict=True)
            judgement: Judgement = self.discriminator(
                torch.cat(images), None if labels[0] is None else torch.cat(labels)
            )
            return judgement.split(len(shown))

    def _mismatched(self, images: Tensor, labels: Tensor | None, step: Step) -> list[Shown]:
        """Real images with a wrong label, where the recipe has them."""
        if not self.recipe.matching_aware or labels is None:
            return []
        return [(images, wrong_labels(labels, self.config.class_count, step.random("labels/wrong")))]

    def _labelled(self, batch: Batch, step: Step) -> list[Shown]:
        if batch.labelled is None:
            return []
        images, labels = batch.labelled
        return [(augment(images, self.recipe.augment, step.random("augment/labelled")), labels)]

    def _auxiliary_losses(
        self, on_real: Judgement, on_fake: Judgement, labels: Tensor | None, latents: Tensor
    ) -> dict[str, Tensor]:
        """What the discriminator learns beside the game, by the name of its column."""
        head = self.discriminator.head
        if head is None or head.column is None:
            return {}
        on_both = [head.loss_on_real(on_real, labels), head.loss_on_fake(on_fake, labels, self._code(latents))]
        losses = [loss for loss in on_both if loss is not None]
        return {head.column: self.recipe.discriminator.auxiliary_weight * torch.stack(losses).sum()}

    def _taught(self, on_fake: Judgement, labels: Tensor | None, latents: Tensor) -> Tensor | None:
        """What the generator learns beside the game: to make its class or code readable."""
        head = self.discriminator.head
        loss = None if head is None else head.loss_on_fake(on_fake, labels, self._code(latents))
        return None if loss is None else self.recipe.generator.auxiliary_weight * loss

    def _code(self, latents: Tensor) -> Tensor | None:
        return code_of(self.config, latents)

    def _penalties(self, real: Tensor, fake: Tensor, labels: Tensor | None, step: Step) -> dict[str, Tensor]:
        """The sum of those that are due, in float32; 0 between their intervals."""
        recipes = [penalty for penalty in self.recipe.penalties if PENALTIES[penalty.name].loss is not None]
        if not recipes:
            return {}
        total = torch.zeros((), device=self.device)
        decayed = progress(step.position, self.recipe.decay_images)
        for recipe in recipes:
            loss, due = PENALTIES[recipe.name].loss, step.position // step.size % recipe.interval == 0
            if loss is not None and due:
                random = step.random(f"penalty/{recipe.name}")
                value = loss(
                    lambda images: self.discriminator(images, labels).logit, real.float(), fake.float(), random
                )
                total = total + faded(recipe.weight, recipe.last, decayed) * recipe.interval * value
        return {"penalty": total}

    @torch.no_grad()
    def _update_average(self, images_seen: int, images: int) -> None:
        """Weights and batch norm's statistics decay with the half-life, shorter at the start."""
        half_life = min(self.recipe.ema_half_life, _EMA_RAMP * images_seen)
        average_into(self.average, self.generator, 0.5 ** (images / half_life) if half_life > 0 else 0.0)

    @torch.no_grad()
    def probability(self, images: Tensor) -> Tensor | None:
        """D(x) `[N]` for images `[N,C,H,W]`, each by itself; None where this D says no such thing.

        It does not where it judges several together, needs a label, or its score is not of a probability.
        """
        asked = DISCRIMINATOR_CONDITIONINGS[self.recipe.discriminator.conditioning]
        if self.config.packing > 1 or asked.judges_match or not self.objective.probability:
            return None
        self.discriminator.eval()
        logits: Tensor = self.discriminator(images.to(self.device)).logit
        self.discriminator.train()
        return logits.sigmoid().float().cpu()

    def state(self) -> dict[str, Tensor]:
        """Every tensor from which the game goes on in the same bits."""
        parts = {name: module.state_dict() for name, module in self._modules().items()}
        parts |= {name: slots_of(optimizer) for name, optimizer in self._optimizers().items()}
        return {f"{name}.{key}": tensor for name, part in parts.items() for key, tensor in part.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`; raises RuntimeError or KeyError where the tensors are of another game."""
        for name, module in self._modules().items():
            module.load_state_dict(_under(name, tensors))
        for name, optimizer in self._optimizers().items():
            load_slots(optimizer, _under(name, tensors))

    def _modules(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "objective": self.objective,
        }

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    weights = (weight for group in optimizer.param_groups for weight in group["params"])
    processes.average(weight.grad for weight in weights if weight.grad is not None)
    optimizer.step()


def _under(name: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}
