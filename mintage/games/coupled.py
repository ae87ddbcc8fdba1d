"""Two domains without pairs, learned together: one latent gives an image of each (Liu and Tuzel 2016, section 3).

The domains are coupled by shared layers (`mintage/networks/cogan.py`); nothing here compares their images.
"""

import torch

from mintage.dataset import Signature
from mintage.games import Scene
from mintage.games.adversarial import Adversarial, Batch
from mintage.model_config import model_config
from mintage.players import build_players
from mintage.recipes import Recipe


class Coupled(Adversarial):
    """Generator against discriminator, with N images of each domain; both domains' fakes have the same latents."""

    of_domains = True
    couples = True

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Coupled":
        return cls(*build_players(model_config(recipe, real.shape, real.domains, domains=real.domains), seed), recipe)

    def draw(self, scene: Scene) -> Batch:
        """The step's real images, first domain first, and as many fakes of each domain."""
        step = scene.step
        images = [scene.real.group(domain).batch(*step.rows)[0] for domain in (0, 1)]
        condition = torch.arange(2, device=scene.device).repeat_interleave(step.rows[1])
        latents = step.latents(self.config, scene.device).repeat(2, 1)
        with torch.set_grad_enabled("generator" in scene.sides), self.autocast:
            fakes = self.generator(latents, condition)
        return Batch(torch.cat(images), condition, latents, fakes)
