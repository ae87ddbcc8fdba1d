"""A tiny game to play in tests."""

from collections.abc import Callable
from dataclasses import replace
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from mintage import catalog
from mintage.checkpoint import pack, unpack
from mintage.damage import Damage
from mintage.data import RealImages, hide_labels
from mintage.dataset import Dataset, Signature
from mintage.engine import Engine
from mintage.families import resolve
from mintage.games import Scene, Step
from mintage.model_config import ModelConfig, condition_for, model_config
from mintage.recipes import Recipe, joins_attributes
from mintage.sources import with_attributes
from mintage.trainer import Trainer

CPU = torch.device("cpu")


SOUNDS = ("wavegan", "segan")
"""Families of sound alone."""
TINY: dict[str, Any] = {"width": 8, "latent_size": 8, "batch_size": 16}
"""A recipe that learns in seconds."""


def tiny_trainer(
    family: str = "cgan",
    seed: int = 0,
    precision: torch.dtype = torch.float32,
    shape: tuple[int, ...] | None = None,
    **overrides: Any,
) -> Trainer:
    """A trainer on 50 random images (8x8 gray, or sounds, unless told otherwise) of three classes, in batches of eight.

    The source of each is its negative, or the image with a hole, its attributes say which class it is of, and every
    other is of another domain. In a game of words a pixel is one of five.
    """
    recipe = resolve(family, {"width": 4, "latent_size": 6, **overrides})
    shape = shape or ((1, 64) if family in SOUNDS else (1, 8, 8))
    classes = ["a", "b", "c"]
    random = torch.Generator().manual_seed(1)
    images = torch.rand(50, *shape, generator=random) * 2 - 1
    drawn = torch.randint(3, (50,), generator=random)
    attributes = torch.stack([drawn == 0, drawn == 1, drawn > 0], 1) * 2.0 - 1
    sources = images_damaged(recipe, images)
    sources = with_attributes(sources, attributes) if joins_attributes(recipe) else sources
    known = {"label": hide_labels(drawn, recipe.labeled, seed), "attributes": attributes, "source": sources}
    beside, words = source_shape_for(recipe, shape), words_for(recipe)
    signature = Signature(shape, tuple(classes), ("x", "y", "z"), beside, domains=("d", "e"), vocabulary=words)
    signature = replace(signature, first=first_for(recipe, signature))
    conditions = (known | {"domain": torch.arange(50) % 2}).get(condition_for(recipe, signature.first) or "")
    game = catalog.load("game", recipe.game).build(recipe, signature, seed)
    engine = Engine(game, recipe, CPU, precision)
    real = RealImages(images, conditions, seed, CPU)
    real.damage = Damage("masked") if recipe.redrawn else None
    real.labels = drawn if game.learns_classes else None
    return Trainer(engine, real, batch_size=8, seed=seed)


def images_damaged(recipe: Recipe, images: Tensor) -> Tensor:
    """The sources that a recipe learns from: negatives, or images with a hole."""
    return Damage("masked").sources(images, 0, 0) if recipe.redrawn else -images


def source_shape_for(recipe: Recipe, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0] + recipe.redrawn, *shape[1:])


def words_for(recipe: Recipe) -> tuple[str, ...] | None:
    return ("a", "b", "c", "d", "e") if catalog.load("game", recipe.game).of_words else None


def first_for(recipe: Recipe, real: Signature) -> ModelConfig | None:
    """A generator of images half as high and wide, told as that of the recipe, where that refines one; or a cgan's."""
    if catalog.load("game", recipe.game).inverts:
        return model_config(resolve("cgan", {"width": 4, "latent_size": 6}), real.shape, real.classes)
    if not catalog.load("network", recipe.network).stacks:
        return None
    small = (real.shape[0], *(-(-side // 2) for side in real.shape[1:]))
    return model_config(replace(recipe, network="dcgan"), small, real.classes, real.attributes)


def play(trainer: Trainer, turns: int) -> Trainer:
    for _ in range(turns):
        trainer.turn()
    return trainer


def assert_goes_on(begin: Callable[[], Trainer], turns: int, stop: int) -> None:
    """A training of so many turns that is saved at `stop` and begun again ends in the bits of one that is not."""
    straight, stopped, resumed = play(begin(), turns), play(begin(), stop), begin()
    with NamedTemporaryFile() as state:
        state.write(pack(*stopped.state()))
        state.flush()
        resumed.load(*unpack(state.name))
    expected, found = straight.state()[0], play(resumed, turns - stop).state()[0]
    assert expected.keys() == found.keys()
    assert changed(expected, found) == set()


def step(trainer: Trainer, position: int, *sides: str) -> dict[str, Tensor]:
    """One of these sides alone, on 8 images."""
    return trainer.engine.step(Scene(Step(trainer.seed, position, 8), sides, trainer.real, CPU))


def copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """The first word of every tensor's name that differs."""
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def labeled_digits() -> Dataset:
    """scikit-learn's, with the names of their classes."""
    found = load_digits()
    levels = (found.images / 16 * 255).round().astype(np.uint8)
    return Dataset(image=levels, label=found.target, classes=[f"digit {number}" for number in range(10)])
