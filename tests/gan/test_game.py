from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from gan.game import STATISTICS, Adversarial
from gan.objectives import VALUE_OPTIMUM
from tests.gan.helpers import play, tiny_trainer


def copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """The first word of every tensor's name that differs."""
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_the_generators_turn_leaves_the_discriminator_untouched_and_computes_no_gradient_for_it() -> None:
    trainer = play(tiny_trainer(network="mlp"), 1)  # an MLP's discriminator has no running statistics
    game = trainer.game
    game.discriminator_optimizer.zero_grad(set_to_none=True)
    before = copies(game.state())
    game._generator_step(trainer.real, 8, 8, 0)
    assert changed(before, game.state()) == {"generator", "generator_optimizer"}
    assert all(p.grad is None for p in game.discriminator.parameters())
    assert all(p.requires_grad for p in game.discriminator.parameters())


def test_the_discriminators_turn_leaves_the_generators_weights_untouched() -> None:
    trainer = play(tiny_trainer(), 1)
    game = trainer.game
    game.generator_optimizer.zero_grad(set_to_none=True)
    before = {name: p.clone() for name, p in game.generator.named_parameters()}
    game._discriminator_step(trainer.real, 8, 8, 0)
    assert all(torch.equal(before[name], p) for name, p in game.generator.named_parameters())
    assert all(p.grad is None for p in game.generator.parameters())


def test_real_and_fake_images_are_judged_in_separate_batches() -> None:
    trainer = tiny_trainer()
    batches = []
    trainer.game.discriminator.register_forward_hook(lambda _, inputs, __: batches.append(inputs[0].clone()))
    trainer.game._discriminator_step(trainer.real, 8, 0, 0)
    real, _ = trainer.real.batch(0, 8)
    assert [len(batch) for batch in batches] == [8, 8]
    assert torch.equal(batches[0], real)


def test_k_discriminator_steps_show_k_new_batches_and_count_them() -> None:
    trainer = tiny_trainer(discriminator_steps=3)
    with patch.object(trainer.real, "batch", wraps=trainer.real.batch) as batch:
        play(trainer, 2)
    assert [call.args[0] for call in batch.call_args_list] == [0, 8, 16, 24, 32, 40]
    assert trainer.images_seen == 48


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_either_player_learns_with_either_optimizer(optimizer: str) -> None:
    changes: dict[str, Any] = {"optimizer": optimizer, "learning_rate": 0.01}
    for player in ("generator", "discriminator"):
        axis: dict[str, Any] = {player: changes}
        trainer = tiny_trainer(**axis)
        before = copies(trainer.game.state())
        play(trainer, 1)
        name = type(getattr(trainer.game, f"{player}_optimizer")).__name__.lower()
        assert name == optimizer
        assert {"generator", "discriminator"} <= changed(before, trainer.game.state())


def test_minimax_and_non_saturating_move_the_generator_differently() -> None:
    states = [play(tiny_trainer(objective=name), 2).game.state() for name in ("minimax", "non_saturating")]
    assert "generator" in changed(*states)


def test_the_average_forgets_half_of_the_past_in_its_half_life() -> None:
    trainer = tiny_trainer(ema_half_life=80, network="mlp")
    game: Adversarial = trainer.game
    with torch.no_grad():
        for average, latest in zip(game.average.parameters(), game.generator.parameters(), strict=True):
            average.fill_(1.0)
            latest.fill_(0.0)
    for turn in range(10):
        game._update_average(images_seen=10_000 + 8 * turn, images=8)
    weight = next(game.average.parameters())
    assert torch.allclose(weight, torch.full_like(weight, 0.5), atol=1e-6)


def test_without_a_half_life_the_average_is_the_generator() -> None:
    game = play(tiny_trainer(ema_half_life=0), 3).game
    for name, tensor in game.generator.state_dict().items():
        assert torch.equal(tensor, game.average.state_dict()[name])


def test_a_blind_discriminator_gives_the_optimum_of_the_value() -> None:
    trainer = tiny_trainer(discriminator={"learning_rate": 1e-30})
    with torch.no_grad():
        for parameter in trainer.game.discriminator.output.parameters():
            parameter.zero_()
    statistics = dict(zip(STATISTICS, trainer.game.turn(trainer.real, 8, 0, 0).tolist(), strict=True))
    assert statistics["d_real"] == statistics["d_fake"] == 0.5
    assert statistics["value"] == pytest.approx(VALUE_OPTIMUM)


@pytest.mark.parametrize("network", ["mlp", "dcgan"])
def test_an_image_depends_on_its_latent_before_it_depends_on_its_label(network: str) -> None:
    """Where the label's embedding starts as large as z, a generator learns one image a class and ignores z."""
    game = tiny_trainer(network=network, width=16, latent_size=100).game
    latents, labels = torch.randn(300, 100), torch.arange(3).repeat(100)
    images = game.generator(latents, labels).flatten(1)
    of_label = torch.stack([images[labels == label].mean(0) for label in range(3)]).var(0).mean()
    of_latent = torch.stack([images[labels == label].var(0) for label in range(3)]).mean()
    assert of_latent > 20 * of_label


def test_a_condition_reaches_both_players() -> None:
    game = tiny_trainer().game
    latents, images = torch.randn(4, 6), torch.randn(4, 1, 8, 8)
    zeros, ones = torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    assert not torch.equal(game.average(latents, zeros), game.average(latents, ones))
    assert not torch.equal(game.discriminator(images, zeros).logit, game.discriminator(images, ones).logit)


def test_bfloat16_trains_and_keeps_weights_and_logits_in_float32() -> None:
    trainer = play(tiny_trainer(precision=torch.bfloat16, network="dcgan"), 2)
    assert all(p.dtype == torch.float32 for p in trainer.game.generator.parameters())
    assert trainer.summarize()["discriminator_loss"] > 0
