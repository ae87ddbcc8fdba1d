"""Two domains without pairs, held together by frozen features (Taigman et al. 2017, section 4).

In either direction G(x) = g(f(x)). f learns the classes of images of both domains, over `pretrain_images`, and is
frozen then. The paper has an f trained before, on the domain that is translated alone; but f also reads images of the
other, and if the first has few images, f knows too little of them. The two directions share no weights.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mintage.augment import reach_of, shifted
from mintage.conditioning.heads import Judgment
from mintage.dataset import Signature
from mintage.games import Losses, Scene, Step, gathered
from mintage.games.unpaired import Direction, Unpaired
from mintage.networks.transfer import FEATURES
from mintage.players import Discriminator, Generator
from mintage.randomness import integers, stream
from mintage.recipes import Recipe
from mintage.terms import Between

OF_SOURCE, OF_TARGET, REAL = range(3)
"""The discriminator's three classes: images made from the other domain, made from its own, and real ones."""


class Transfer(Unpaired):
    """First only the features learn; then the generators together, and the discriminators after them.

    train.tsv has every column from the start to the end.
    """

    sides = ("extractor", "discriminator", "generator")
    learns_classes = True

    def __init__(self, generator: Generator, discriminators: list[Discriminator], recipe: Recipe) -> None:
        super().__init__(generator, discriminators, recipe)
        self.readers = nn.ModuleList(nn.Linear(FEATURES, self.config.class_count) for _ in discriminators)

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Transfer":
        game: Any = super().build(recipe, real, seed)
        for target, reader in enumerate(game.readers):
            nn.init.normal_(reader.weight, 0.0, FEATURES**-0.5, generator=stream(seed, "readers", target))
            nn.init.zeros_(reader.bias)
        return game

    def extractor(self, target: int) -> nn.Module:
        """The feature network of the generator that makes images of this domain from the other."""
        return self._generator(target).network.get_submodule("extractor")

    def mover(self, side: str) -> nn.Module:
        """The extractor is a part of its generator, so that both are released together, but moves as its own side."""
        if side == "extractor":
            return nn.ModuleList([self.extractor(0), self.extractor(1), self.readers])
        if side == "generator":
            return nn.ModuleList(self._generator(target).network.get_submodule("drawer") for target in (0, 1))
        return super().mover(side)

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        steps = super().schedule(images_seen, batch_size)
        return [("extractor", *steps[0]), *steps[1:]]

    def losses(self, side: str, scene: Scene) -> Losses:
        learns = scene.step.position < self.recipe.pretrain_images
        if side == "extractor":
            self.mover(side).train(learns)
            with torch.set_grad_enabled(learns):
                return self._extractor_losses(scene)
        with torch.set_grad_enabled(not learns):
            return super().losses(side, scene)

    def after(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """The share of both domains' images whose class is recognized; or statistics of the discriminators' logits."""
        if side == "extractor":
            return {"extractor_accuracy": gathered(parts, "right").float().mean()}
        return super().after(side, parts)

    def _extractor_losses(self, scene: Scene) -> Losses:
        """How badly linear layers read the classes of both domains' images from the features of either direction."""
        losses, right = [], []
        for domain in (0, 1):
            images, labels = scene.real.group(domain).batch(*scene.step.rows)
            assert labels is not None
            images = shifted(images, self._corners(scene.step, len(images), domain))
            for target, reader in enumerate(self.readers):
                with self.autocast:
                    logits = reader(self.extractor(target)(images)).float()
                losses.append(cross_entropy(logits, labels))
                right.append(logits.detach().argmax(1) == labels)
        scene.cache["right"] = torch.cat(right)
        return {"extractor_loss": torch.stack(losses).mean()}

    def _corners(self, step: Step, count: int, domain: int) -> list[Tensor]:
        """By how much each image of a domain is shifted along each side, as the position where its crop begins."""
        _, *size = self.config.image_shape
        random = step.random(f"shift/{domain}")
        return [integers(0, 2 * reach_of(size) + 1, (count, 1), random) for _ in size]

    def _directions(self, scene: Scene) -> list[Direction]:
        """Each direction, with what its generator makes from images that are of its target domain already."""
        with torch.set_grad_enabled("generator" in scene.sides):
            return [
                replace(one, kept=self._translate(one.target, one.images, scene.step, "identity"))
                for one in super()._directions(scene)
            ]

    def _between(self, direction: Direction, step: Step) -> Between:
        assert direction.kept is not None
        kept, extractor = direction.kept, self.extractor(direction.target)

        def known(images: Tensor) -> Tensor:
            with self.autocast:
                features: Tensor = extractor(images)
            return features

        return replace(super()._between(direction, step), forth=lambda _: kept, known=known)

    def _generator_losses(self, direction: Direction, scene: Scene) -> Losses:
        """Both kinds of fake should be taken for real (equation 4); beside the terms."""
        assert direction.kept is not None
        losses = super()._generator_losses(direction, scene)
        on_kept = self.objective.generator_loss(self._judge(direction.target, direction.kept).logit)
        return losses | {"generator_loss": losses["generator_loss"] + on_kept}

    def _discriminator_losses(self, direction: Direction, scene: Scene) -> Losses:
        """The loss of the three classes of images (equation 3)."""
        assert direction.kept is not None
        target = direction.target
        shown = {OF_SOURCE: direction.fakes.detach(), OF_TARGET: direction.kept.detach(), REAL: direction.images}
        judged = {kind: self._judge(target, images) for kind, images in shown.items()}
        scene.cache.update(
            {f"real/{target}": judged[REAL].logit.detach(), f"fake/{target}": judged[OF_SOURCE].logit.detach()}
        )
        losses = [kinds_loss(judgment, kind) for kind, judgment in judged.items()]
        return {"discriminator_loss": torch.stack(losses).sum()}


def kinds_loss(judgment: Judgment, kind: int) -> Tensor:
    """Minus the log of the probability that the discriminator gives to class `kind`, as a mean over images."""
    assert judgment.class_logits is not None
    logits = judgment.class_logits
    return cross_entropy(logits, torch.full_like(logits[:, 0], kind, dtype=torch.int64))
