"""The adversarial game, noise to image: who plays, and what one turn is (Goodfellow et al. 2014, algorithm 1)."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from gan.data import RealImages
from gan.families import OptimizerRecipe, Recipe
from gan.objectives import OBJECTIVES, value
from gan.players import Discriminator, Generator
from gan.randomness import draw_latents, stream

STATISTICS = ["discriminator_loss", "generator_loss", "d_real", "d_fake", "value"]
"""What `Adversarial.turn` returns, in this order: losses, mean D(x), mean D(G(z)), V(G, D)."""
_EMA_RAMP = 0.05


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
        self.objective = OBJECTIVES[recipe.objective]
        # Channels last is how convolutions run fastest on both kinds of device; it means nothing to an MLP.
        self.generator = generator.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.discriminator = discriminator.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.average = deepcopy(self.generator).eval().requires_grad_(False)
        self.generator_optimizer = make_optimizer(self.generator, recipe.generator)
        self.discriminator_optimizer = make_optimizer(self.discriminator, recipe.discriminator)
        self.autocast = torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)

    def images_per_turn(self, batch_size: int) -> int:
        """Real images shown to the discriminator in one turn."""
        return batch_size * self.recipe.discriminator_steps

    def turn(self, real: RealImages, batch_size: int, images_seen: int, seed: int) -> Tensor:
        """k steps of the discriminator, one of the generator; returns `STATISTICS` as a tensor `[5]` on the device."""
        for step in range(self.recipe.discriminator_steps):
            statistics = self._discriminator_step(real, batch_size, images_seen + step * batch_size, seed)
        generator_loss = self._generator_step(real, batch_size, images_seen, seed)
        self._update_average(images_seen, self.images_per_turn(batch_size))
        return torch.stack([statistics[0], generator_loss, *statistics[1:]])

    def _discriminator_step(self, real: RealImages, batch_size: int, position: int, seed: int) -> list[Tensor]:
        images, labels = real.batch(position, batch_size)
        with torch.no_grad():
            fakes = self._generate(labels, batch_size, stream(seed, "latent/discriminator", position))
        # Real and fake go in separately: a batch norm that saw both at once would tell D which is which.
        with self.autocast:
            on_real, on_fake = (self.discriminator(x, labels).logit for x in (images, fakes))
        loss = self.objective.discriminator_loss(on_real, on_fake, self.recipe.label_smoothing)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.discriminator_optimizer.step()
        on_real, on_fake = on_real.detach(), on_fake.detach()
        return [loss.detach(), on_real.sigmoid().mean(), on_fake.sigmoid().mean(), value(on_real, on_fake)]

    def _generator_step(self, real: RealImages, batch_size: int, position: int, seed: int) -> Tensor:
        random = stream(seed, "latent/generator", position)
        labels = real.draw_labels(batch_size, random)
        self.discriminator.requires_grad_(False)  # its gradients would be computed only to be thrown away
        fakes = self._generate(labels, batch_size, random)
        with self.autocast:
            on_fake = self.discriminator(fakes, labels).logit
        loss = self.objective.generator_loss(on_fake)
        self.generator_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        return loss.detach()

    def _generate(self, labels: Tensor | None, count: int, random: torch.Generator) -> Tensor:
        latents = draw_latents(self.recipe.latent_distribution, count, self.recipe.latent_size, random)
        with self.autocast:
            images: Tensor = self.generator(latents.to(next(self.generator.parameters()).device), labels)
        return images

    @torch.no_grad()
    def _update_average(self, images_seen: int, images: int) -> None:
        """Weights and batch norm's statistics decay with the half-life, shorter at the start."""
        half_life = min(self.recipe.ema_half_life, _EMA_RAMP * images_seen)
        keep = 0.5 ** (images / half_life) if half_life > 0 else 0.0
        averages, latests = self.average.state_dict(), self.generator.state_dict()
        for name, latest in latests.items():
            if latest.is_floating_point():
                averages[name].lerp_(latest, 1 - keep)
            else:
                averages[name].copy_(latest)  # a count of batches

    def state(self) -> dict[str, Tensor]:
        """Every tensor from which the game goes on in the same bits."""
        tensors: dict[str, Tensor] = {}
        for name, module in self._modules().items():
            tensors |= {f"{name}.{key}": tensor for key, tensor in module.state_dict().items()}
        for name, optimizer in self._optimizers().items():
            for index, slots in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{slot}": t for slot, t in slots.items() if isinstance(t, Tensor)}
        return tensors

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`; raises RuntimeError or KeyError where the tensors are of another game."""
        for name, module in self._modules().items():
            module.load_state_dict(_under(name, tensors))
        for name, optimizer in self._optimizers().items():
            weights = optimizer.param_groups[0]["params"]
            slots: dict[int, dict[str, Tensor]] = {}
            for key, tensor in _under(name, tensors).items():
                index, slot = key.split(".")
                slots.setdefault(int(index), {})[slot] = _laid_out_like(weights[int(index)], tensor)
            optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})

    def _modules(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "average": self.average, "discriminator": self.discriminator}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }


def make_optimizer(module: nn.Module, recipe: OptimizerRecipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(module.parameters(), recipe.learning_rate, recipe.momentum, fused=True)
    betas = (recipe.beta1, recipe.beta2)
    return torch.optim.Adam(module.parameters(), recipe.learning_rate, betas, fused=True)


def _laid_out_like(weight: Tensor, tensor: Tensor) -> Tensor:
    """The tensor with the strides of its weight: a fused optimizer steps through both in memory order."""
    return torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor


def _under(name: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): t for key, t in tensors.items() if key.startswith(f"{name}.")}
