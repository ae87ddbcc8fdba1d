"""An encoder learns to undo a trained generator, which does not change (Antipov et al. 2017, 2.2)."""

import torch
from torch import Tensor, nn

from mintage.dataset import Signature
from mintage.encoding import squared_distance
from mintage.games import Game, Losses, Scene
from mintage.model_config import inverting_config
from mintage.players import Generator, build_players
from mintage.recipes import Recipe


class Inversion(Game):
    """It learns from generated images alone, made for the classes or attributes of real images.

    Their latents are known; those of real images are not. There is no discriminator.
    """

    sides = ("encoder",)
    released = ("generator",)
    inverts = True

    def __init__(self, generator: Generator, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.config = generator.config
        self.generator = generator.requires_grad_(False)
        self.mover("encoder").requires_grad_(True)

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Inversion":
        assert real.first is not None
        return cls(build_players(inverting_config(recipe, real.first, real.classes), seed)[0], recipe)

    def stand_on(self, first: Generator) -> None:
        own = {f"encoder.{name}": tensor for name, tensor in self.mover("encoder").state_dict().items()}
        self.generator.load_state_dict(own | first.state_dict())

    def train(self, mode: bool = True) -> "Inversion":
        """The generator stays in eval mode: the encoder undoes what it makes in use."""
        super().train(mode)
        self.generator.eval()
        self.mover("encoder").train(mode)
        return self

    def mover(self, side: str) -> nn.Module:
        return self.get_submodule("generator.encoder")

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        return [self.sides]

    def losses(self, side: str, scene: Scene) -> Losses:
        """Half the squared distance between latents and the codes of their images (Antipov et al., equation 2)."""
        step = scene.step
        _, condition = scene.real.batch(*step.rows)
        latents = step.latents(self.config, scene.device)
        with self.autocast:
            with torch.no_grad():
                images: Tensor = self.generator(latents, condition)
            codes = self.generator.encode(images)
        return {"encoder_loss": squared_distance(codes.mean, latents)}
