"""Which steps a turn has, and at which of them penalties are due, and how heavy."""

from typing import Any

import pytest

from mintage.families import resolve
from mintage.schedule import steps_of_discriminator, steps_of_turn
from tests.mintage.helpers import tiny_trainer


def test_a_penalty_with_an_interval_is_due_at_every_so_many_steps_and_as_many_times_as_heavy() -> None:
    lazy: dict[str, Any] = {"penalties": [{"name": "r1", "weight": 0.5, "interval": 3}]}
    every: dict[str, Any] = {"penalties": [{"name": "r1", "weight": 0.5}]}
    found = []
    for axes in (lazy, every):
        trainer = tiny_trainer("modern", **axes)
        found.append([trainer.engine.turn(trainer.real, 8, 8 * turn, 0)["penalty"].item() for turn in range(6)])
    assert [value > 0 for value in found[0]] == [True, False, False, True, False, False]
    assert found[0][0] == pytest.approx(3 * found[1][0])


@pytest.mark.parametrize("axes", [{"generator_steps": 2}, {"generator_steps": 4}, {"accumulation": 2}])
def test_an_interval_counts_the_discriminators_steps_alone_and_whole_batches(axes: dict[str, Any]) -> None:
    trainer = tiny_trainer("modern", penalties=[{"name": "r1", "weight": 0.5, "interval": 4}], **axes)
    found = []
    for _ in range(8):
        found.append(trainer.engine.turn(trainer.real, 8, trainer.images_seen, 0)["penalty"].item() > 0)
        trainer.images_seen += 8 * axes.get("generator_steps", 1)
    assert found == [True, False, False, False] * 2


def test_a_penalty_fades_with_the_learning_rates_to_the_share_that_is_left() -> None:
    found = []
    for last in (1.0, 0.1):
        trainer = tiny_trainer("modern", decay_images=80, penalties=[{"name": "r1", "weight": 0.5, "last": last}])
        found.append([trainer.engine.turn(trainer.real, 8, images, 0)["penalty"].item() for images in (0, 800)])
        # The weights move between the two turns alike but for the penalty's share, so the first ones alone are equal.
    assert found[0][0] == pytest.approx(found[1][0])
    assert found[1][1] == pytest.approx(0.1 * found[0][1], rel=0.05)


@pytest.mark.parametrize("more", [0, 2])
def test_a_warm_up_takes_a_hundred_steps_in_each_of_25_turns_and_in_every_500th(more: int) -> None:
    """Arjovsky et al.'s code: `if gen_iterations < 25 or gen_iterations % 500 == 0`."""
    engine = tiny_trainer("wgan", warm_up=True, discriminator_steps=5, generator_steps=1 + more).engine
    images, steps = 0, []
    for _ in range(1200):
        steps.append(len(engine.game.schedule(images, 8)) - more)
        images += 8 * (steps[-1] + more)
    expected = [100 if turn < 25 or turn % 500 == 0 else 5 for turn in range(1200)]
    assert steps == expected
    assert engine.images_at_end(images - 39, 8) == images


@pytest.mark.parametrize("axes", [{"discriminator_steps": 5}, {"generator_steps": 3}])
def test_the_discriminators_steps_are_counted_alone_in_a_warm_up_too(axes: dict[str, Any]) -> None:
    recipe, made, counted = resolve("wgan_gp", {"warm_up": True, **axes}), 0, 0
    for _ in range(1100):
        for _ in range(steps_of_turn(recipe, made)):
            assert steps_of_discriminator(recipe, made) == counted
            made, counted = made + 1, counted + 1
        made += recipe.generator_steps - 1
