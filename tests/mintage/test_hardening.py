"""What makes the discriminator's task harder, and the axes of steps, balance, width and optimizers."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mintage import catalog
from mintage.hardening import Pair, coins, exchange, noise_at
from mintage.objectives import Hinge, Knobs, LeastSquares, NonSaturating, Relativistic
from mintage.optimizers import make_optimizer, step_unless
from mintage.penalties import roth
from mintage.players import with_deviation
from mintage.recipes import PlayerRecipe
from mintage.trainer import Trainer
from tests.mintage.helpers import assert_goes_on, changed, copies, play, step, tiny_trainer

CPU = torch.device("cpu")


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shown_to_the_discriminator(trainer: Trainer) -> list[Tensor]:
    shown: list[Tensor] = []
    trainer.game.discriminator.register_forward_hook(lambda _, inputs, __: shown.append(inputs[0].detach().clone()))
    return shown


def test_an_exchange_undoes_itself_and_moves_the_share_that_is_asked_for() -> None:
    pair = Pair(torch.zeros(10_000, 1, 2, 2), torch.ones(10_000, 1, 2, 2))
    chosen = coins(10_000, 0.25, random(), CPU)
    exchanged = exchange(pair, chosen)
    assert exchanged.real.mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(exchange(exchanged, chosen).real, pair.real)


def test_soft_labels_are_cross_entropy_with_a_target_of_each_image() -> None:
    real, fake, softness = (torch.randn(16, generator=random(seed)) for seed in (0, 1, 2))
    softness = softness.sigmoid() / 2
    expected = binary_cross_entropy_with_logits(real, 1 - softness) + binary_cross_entropy_with_logits(fake, softness)
    torch.testing.assert_close(NonSaturating().softened_loss(real, fake, softness), expected)


def test_flipped_labels_of_half_of_the_pairs_leave_a_discriminator_nothing_to_learn() -> None:
    plain, flipped = (tiny_trainer("gan", flipped_labels=share) for share in (0.0, 0.49))
    losses = [play(trainer, 60).summarize()["discriminator_loss"] for trainer in (plain, flipped)]
    assert losses[0] < losses[1]
    assert losses[1] == pytest.approx(2 * math.log(2), abs=0.25)


@pytest.mark.parametrize(
    ("images_seen", "fades_over", "expected"), [(0, 0, 0.5), (10**9, 0, 0.5), (250, 1000, 0.375), (5000, 1000, 0.0)]
)
def test_instance_noise_falls_in_a_straight_line_or_stays(images_seen: int, fades_over: float, expected: float) -> None:
    assert noise_at(0.5, images_seen, fades_over) == expected


def test_instance_noise_lies_on_all_that_the_discriminator_sees_and_fades() -> None:
    noisy, clean = (tiny_trainer("gan", instance_noise=deviation, instance_noise_images=64) for deviation in (0.5, 0.0))
    shown = [shown_to_the_discriminator(trainer) for trainer in (noisy, clean)]
    for trainer in (noisy, clean):
        step(trainer, 32, "discriminator")
        step(trainer, 64, "discriminator")
    difference = shown[0][0] - shown[1][0]
    assert difference.std().item() == pytest.approx(0.25, rel=0.1)
    assert torch.equal(shown[0][1], shown[1][1])


def test_a_mixed_batch_holds_both_kinds_and_changes_nothing_for_who_judges_each_image_alone() -> None:
    plain, mixed = (
        tiny_trainer("dcgan", mixed_batches=mix, discriminator={"normalization": "none"}) for mix in (False, True)
    )
    shown = [shown_to_the_discriminator(trainer) for trainer in (plain, mixed)]
    columns = [step(trainer, 0, "discriminator") for trainer in (plain, mixed)]
    assert not torch.equal(shown[0][0], shown[1][0])
    assert torch.equal(shown[0][0].flatten(1).sort(0).values, shown[1][0].flatten(1).sort(0).values)
    for name, value in columns[0].items():
        torch.testing.assert_close(columns[1][name], value)


def test_batch_norm_sees_the_mixture() -> None:
    losses = [
        step(tiny_trainer("dcgan", mixed_batches=mix, discriminator={"normalization": "batch"}), 0, "discriminator")
        for mix in (False, True)
    ]
    assert losses[0]["discriminator_loss"] != losses[1]["discriminator_loss"]


def test_a_turn_has_as_many_steps_of_each_side_as_the_recipe_says() -> None:
    trainer = tiny_trainer("gan", discriminator_steps=2, generator_steps=3)
    moves = dict.fromkeys(trainer.game.sides, 0)
    for side, optimizer in trainer.engine.optimizers.items():
        optimizer.register_step_post_hook(lambda *_, side=side: moves.update({side: moves[side] + 1}))
    trainer.turn()
    assert moves == {"discriminator": 2, "generator": 3}
    assert trainer.images_seen == 4 * 8


def test_a_discriminator_that_is_too_often_right_waits_and_is_played_again_when_it_is_not() -> None:
    trainer = tiny_trainer("gan", balance=0.8)
    trainer.game.balance.accuracy.fill_(0.9)
    before = copies(trainer.engine.state())
    trainer.turn()
    assert {"generator", "average"} <= changed(before, trainer.engine.state())
    assert "discriminator" not in changed(before, trainer.engine.state())
    trainer.game.balance.accuracy.fill_(0.5)
    trainer.turn()
    assert "discriminator" in changed(before, trainer.engine.state())


HARDER: dict[str, Any] = {
    "soft_labels": 0.3, "flipped_labels": 0.1, "instance_noise": 0.2, "instance_noise_images": 200.0,
    "mixed_batches": True, "balance": 0.7, "generator_steps": 2, "penalties": [{"name": "roth"}],
    "generator": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4, "width": 8},
}  # fmt: skip


def test_all_of_it_goes_on_from_a_state_in_the_same_bits() -> None:
    assert_goes_on(lambda: tiny_trainer("gan", **HARDER), turns=6, stop=3)


def test_the_feature_of_a_group_is_how_much_its_members_differ() -> None:
    features = torch.tensor([[1.0, 5.0], [3.0, 5.0], [2.0, 0.0], [2.0, 0.0]])
    found = with_deviation(features, 2)
    torch.testing.assert_close(found[:, :2], features)
    torch.testing.assert_close(found[:, 2], torch.tensor([0.5, 0.5, 0.0, 0.0]), atol=1e-3, rtol=0)


def test_fakes_that_are_all_alike_are_judged_otherwise_than_the_same_among_others() -> None:
    trainer = tiny_trainer("gan", minibatch_stddev=4)
    discriminator, images = trainer.game.discriminator, torch.rand(8, 1, 8, 8, generator=random()) * 2 - 1
    alike = images[:1].expand(8, -1, -1, -1)
    assert not torch.isclose(discriminator(images).logit[0], discriminator(alike).logit[0])
    assert torch.isclose(discriminator(alike).logit[0], discriminator(alike[:4]).logit[0])


def test_what_is_judged_in_groups_has_no_probability_of_a_single_image() -> None:
    images = torch.zeros(4, 1, 8, 8)
    assert tiny_trainer("gan").game.probability(images) is not None
    assert tiny_trainer("gan", minibatch_stddev=2).game.probability(images) is None


def test_roths_penalty_of_a_straight_critic_is_its_squared_slope_weighed_by_doubt() -> None:
    slope, real, fake = torch.tensor([3.0, -4.0]), torch.randn(64, 2, generator=random()), torch.zeros(64, 2)
    found = roth(lambda images: images @ slope, real, fake, random())
    doubt = (1 - (real @ slope).sigmoid()).square().mean()
    torch.testing.assert_close(found, 25 * (doubt + 0.25) / 2)


def test_weight_decay_pulls_every_weight_to_zero() -> None:
    layer = nn.Linear(2, 1, bias=False)
    before = layer.weight.detach().clone()
    optimizer = make_optimizer(layer, PlayerRecipe(optimizer="sgd", learning_rate=0.1, weight_decay=0.5))
    layer.weight.grad = torch.zeros_like(layer.weight)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), 0.95 * before)


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_player_that_waits_at_first_moves_then_as_if_it_had_just_begun(nesterov: bool) -> None:
    recipe = PlayerRecipe(optimizer="sgd", learning_rate=0.1, momentum=0.9, nesterov=nesterov)
    moved = []
    for waits in ([0.0, 0.0], [1.0, 0.0, 0.0]):
        layer = nn.Linear(64, 64)
        nn.init.zeros_(layer.weight)
        trash = [torch.full((64, 64), float("nan")) for _ in range(20)]
        optimizer = make_optimizer(layer, recipe)
        del trash  # what is allocated next lies where this lay
        for wait in waits:
            layer.weight.grad = torch.ones(64, 64)
            step_unless(optimizer, torch.tensor(wait))
        moved.append(layer.weight.detach())
    assert torch.equal(*moved)


def test_a_player_may_be_wider_than_the_other() -> None:
    plain, wide = (tiny_trainer("dcgan", discriminator={"width": width}).game for width in (0, 8))
    sizes = [
        [sum(weight.numel() for weight in getattr(game, side).parameters()) for side in ("generator", "discriminator")]
        for game in (plain, wide)
    ]
    assert sizes[0][0] == sizes[1][0]
    assert sizes[0][1] < sizes[1][1]


REAL, FAKE = torch.tensor([2.0, 1.0, -1.0, 0.4]), torch.tensor([-2.0, 0.6, -1.0, -3.0])


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (NonSaturating(), 6 / 8),
        (Hinge(), 6 / 8),
        (LeastSquares(), 5 / 8),
        (LeastSquares(Knobs(targets=(1.0, 0.0, 0.0))), 3 / 8),
        (Relativistic(), 3 / 4),
    ],
)
def test_accuracy_is_the_share_that_is_taken_for_what_it_is(objective: Any, expected: float) -> None:
    assert objective.accuracy(REAL, FAKE).item() == pytest.approx(expected)


def test_an_objective_that_decides_nothing_has_no_accuracy() -> None:
    objectives = {name: catalog.load("objective", name)() for name in catalog.names("objective")}
    undecided = [name for name, objective in objectives.items() if objective.accuracy(REAL, FAKE) is None]
    assert undecided == ["wasserstein", "began"]


def test_the_column_of_gradients_is_the_norm_by_which_plain_steps_move() -> None:
    rate = 0.01
    trainer = tiny_trainer("gan", generator={"optimizer": "sgd", "learning_rate": rate})
    weights = dict(trainer.game.generator.named_parameters())
    before = copies(weights)
    columns = step(trainer, 0, "generator")
    moved = torch.stack([(weight.detach() - before[name].detach()).norm() for name, weight in weights.items()]).norm()
    assert columns["generator_gradient"].item() == pytest.approx(moved.item() / rate, rel=1e-3)
