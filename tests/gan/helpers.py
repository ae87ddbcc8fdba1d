"""A tiny game to play in tests."""

from typing import Any

import torch

from gan.data import RealImages
from gan.families import model_config, needs_labels, resolve
from gan.game import Adversarial
from gan.players import build_players
from gan.trainer import Trainer

CPU = torch.device("cpu")


def tiny_trainer(
    family: str = "cgan", seed: int = 0, precision: torch.dtype = torch.float32, **overrides: Any
) -> Trainer:
    """A trainer on 50 random 8x8 grey images of three classes, in batches of eight."""
    recipe = resolve(family, {"width": 4, "latent_size": 6, **overrides})
    classes = ["a", "b", "c"]
    random = torch.Generator().manual_seed(1)
    images = torch.rand(50, 1, 8, 8, generator=random) * 2 - 1
    labels = torch.randint(3, (50,), generator=random) if needs_labels(recipe) else None
    players = build_players(model_config(recipe, (1, 8, 8), classes), seed)
    game = Adversarial(*players, recipe, CPU, precision)
    return Trainer(game, RealImages(images, labels, seed, CPU), batch_size=8, seed=seed)


def play(trainer: Trainer, turns: int) -> Trainer:
    for _ in range(turns):
        trainer.turn()
    return trainer
