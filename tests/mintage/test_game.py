from dataclasses import asdict
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from mintage import catalog
from mintage.augment import augment
from mintage.catalog import INVERTING
from mintage.data import HIDDEN_LABEL
from mintage.families import FAMILIES
from mintage.objectives import VALUE_OPTIMUM
from mintage.optimizers import faded, progress
from mintage.players import build_generator
from mintage.terms import Play, overlap_of_filters
from mintage.trainer import Trainer
from tests.mintage.helpers import changed, copies, play, step, tiny_trainer

PLAYS: dict[str, dict[str, Any]] = {"dtn": {"pretrain_images": 8}}
"""By which families that learn something else first play their game after one turn."""


@pytest.mark.parametrize("family", [name for name, recipe in FAMILIES.items() if recipe.game not in INVERTING])
def test_the_generators_turn_leaves_the_discriminator_untouched_and_computes_no_gradient_for_it(family: str) -> None:
    """Batch norm's statistics and spectral norm's vectors too."""
    trainer = play(tiny_trainer(family, **PLAYS.get(family, {})), 2)
    game = trainer.game
    trainer.engine.optimizers["discriminator"].zero_grad(set_to_none=True)
    before = copies(trainer.engine.state())
    step(trainer, 16, "generator")
    beside = {"follower", "embedder"}  # go with the generator
    assert changed(before, trainer.engine.state()) - beside == {"generator", "generator_optimizer"}
    assert all(p.grad is None for p in game.discriminator.parameters())
    assert all(p.requires_grad for p in game.discriminator.parameters())


def test_the_discriminators_turn_leaves_the_generators_weights_untouched() -> None:
    trainer = play(tiny_trainer(), 1)
    game = trainer.game
    trainer.engine.optimizers["generator"].zero_grad(set_to_none=True)
    before = {name: p.clone() for name, p in game.generator.named_parameters()}
    step(trainer, 8, "discriminator")
    assert all(torch.equal(before[name], p) for name, p in game.generator.named_parameters())
    assert all(p.grad is None for p in game.generator.parameters())


def test_batch_norm_sees_real_and_fake_images_in_separate_batches() -> None:
    trainer = tiny_trainer("dcgan")
    batches = []
    trainer.game.discriminator.register_forward_hook(lambda _, inputs, __: batches.append(inputs[0].clone()))
    step(trainer, 0, "discriminator")
    real, _ = trainer.real.batch(0, 8)
    assert [len(batch) for batch in batches] == [8, 8]
    assert torch.equal(batches[0], real)


@pytest.mark.parametrize("family", ["gan", "acgan", "infogan", "sngan_projection", "began", "modern_conditional"])
def test_batches_judged_in_one_pass_are_judged_as_each_alone(family: str) -> None:
    trainer = tiny_trainer(family, discriminator={"normalization": "none"}, packing=1)
    game = trainer.game
    game.discriminator.eval()
    images, labels = trainer.real.batch(0, 16)
    halves = [(part, None if labels is None else labels[rows]) for part, rows in of_halves(images)]
    for together, (part, label) in zip(game.judge(*halves), halves, strict=True):
        alone = game.discriminator(part, label)
        for one, other in zip(vars(together).values(), vars(alone).values(), strict=True):
            torch.testing.assert_close(one, other)


def of_halves(images: Tensor) -> list[tuple[Tensor, slice]]:
    return [(images[rows], rows) for rows in (slice(8), slice(8, 16))]


def test_the_generator_learns_from_the_fakes_that_the_discriminator_saw_last() -> None:
    trainer = tiny_trainer(discriminator_steps=2)
    made: list[Tensor] = []
    trainer.game.generator.register_forward_hook(lambda _, __, images: made.append(images))
    play(trainer, 1)
    assert [images.requires_grad for images in made] == [False, True]


def test_k_discriminator_steps_show_k_new_batches_and_count_them() -> None:
    trainer = tiny_trainer(discriminator_steps=3)
    with patch.object(trainer.real, "batch", wraps=trainer.real.batch) as batch:
        play(trainer, 2)
    assert [call.args[0] for call in batch.call_args_list] == [0, 8, 16, 24, 32, 40]
    assert trainer.images_seen == 48


@pytest.mark.parametrize("optimizer", catalog.BUILT_IN["optimizer"])
def test_either_player_learns_with_either_optimizer(optimizer: str) -> None:
    changes: dict[str, Any] = {"optimizer": optimizer, "learning_rate": 0.01}
    for player in ("generator", "discriminator"):
        axis: dict[str, Any] = {player: changes}
        trainer = tiny_trainer(**axis)
        before = copies(trainer.engine.state())
        play(trainer, 1)
        name = type(trainer.engine.optimizers[player]).__name__.lower()
        assert name == optimizer
        assert {"generator", "discriminator"} <= changed(before, trainer.engine.state())


def test_minimax_and_non_saturating_move_the_generator_differently() -> None:
    states = [play(tiny_trainer(objective=name), 2).engine.state() for name in ("minimax", "non_saturating")]
    assert "generator" in changed(*states)


def test_the_average_forgets_half_of_the_past_in_its_half_life() -> None:
    trainer = tiny_trainer(ema_half_life=80, network="mlp")
    with torch.no_grad():
        for average, latest in zip(trainer.average.parameters(), trainer.game.generator.parameters(), strict=True):
            average.fill_(1.0)
            latest.fill_(0.0)
    for turn in range(10):
        trainer.engine.update_averages(images_seen=10_000 + 8 * turn, images=8)
    weight = next(trainer.average.parameters())
    assert torch.allclose(weight, torch.full_like(weight, 0.5), atol=1e-6)


def test_without_a_half_life_the_average_is_the_generator() -> None:
    trainer = play(tiny_trainer(ema_half_life=0), 3)
    for name, tensor in trainer.game.generator.state_dict().items():
        assert torch.equal(tensor, trainer.average.state_dict()[name])


def test_a_blind_discriminator_gives_the_optimum_of_the_value() -> None:
    trainer = tiny_trainer(discriminator={"learning_rate": 1e-30})
    assert trainer.game.discriminator.head is not None
    with torch.no_grad():
        for parameter in trainer.game.discriminator.head.parameters():
            parameter.zero_()
    statistics = {name: value.item() for name, value in trainer.engine.turn(trainer.real, 8, 0, 0).items()}
    assert statistics["d_real"] == statistics["d_fake"] == 0.5
    assert statistics["value"] == pytest.approx(VALUE_OPTIMUM)


CONDITIONAL: list[dict[str, Any]] = [
    {"network": "mlp"},
    *({"family": family} for family in ("cgan", "acgan", "sngan_projection", "biggan", "modern_conditional")),
]


@pytest.mark.parametrize("axes", CONDITIONAL, ids=str)
def test_an_image_depends_on_its_latent_before_it_depends_on_its_label(axes: dict[str, Any]) -> None:
    """Where the label's embedding starts as large as z, a generator learns one image a class and ignores z."""
    game = tiny_trainer(width=16, latent_size=100, **axes).game
    latents, labels = torch.randn(300, 100), torch.arange(3).repeat(100)
    images = game.generator(latents, labels).flatten(1)
    of_label = torch.stack([images[labels == label].mean(0) for label in range(3)]).var(0).mean()
    of_latent = torch.stack([images[labels == label].var(0) for label in range(3)]).mean()
    assert of_latent > 20 * of_label


def test_a_condition_reaches_both_players() -> None:
    trainer = tiny_trainer()
    average, game = trainer.average, trainer.game
    latents, images = torch.randn(4, 6), torch.randn(4, 1, 8, 8)
    zeros, ones = torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    assert not torch.equal(average(latents, zeros), average(latents, ones))
    assert not torch.equal(game.discriminator(images, zeros).logit, game.discriminator(images, ones).logit)


def test_bfloat16_trains_and_keeps_weights_and_logits_in_float32() -> None:
    trainer = play(tiny_trainer(precision=torch.bfloat16, network="dcgan"), 2)
    assert all(p.dtype == torch.float32 for p in trainer.game.generator.parameters())
    assert trainer.summarize()["discriminator_loss"] > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_in_bfloat16(family: str) -> None:
    shape = (1, 1, 2) if family.endswith("points") else None
    play(tiny_trainer(family, precision=torch.bfloat16, shape=shape), 2).summarize()  # which looks at the losses


def test_weights_laid_out_by_an_older_version_are_refused_and_never_loaded_as_noise() -> None:
    generator = tiny_trainer().game.generator
    config = asdict(generator.config)
    build_generator(config, generator.state_dict())
    del config["layout"]  # which no version had that laid them out another way
    with pytest.raises(ValueError, match="older version"):
        build_generator(config, generator.state_dict())


EXTRA_COLUMNS = {
    "wgan_gp": {"penalty"}, "wavegan": {"penalty"}, "dragan": {"penalty"}, "modern": {"penalty"},
    "modern_points": {"penalty"},
    "modern_conditional": {"penalty"}, "acgan": {"class_loss", "generator_class_loss"}, "ssgan": {"class_loss"},
    "infogan": {"code_loss", "generator_code_loss"},
    "began": {"k", "convergence"}, "biggan": {"generator_orthogonal"},
    "pix2pix": {"generator_l1"}, "segan": {"generator_l1"}, "pg2": {"generator_l1"},
    "srgan": {"generator_l2"}, "context_encoder": {"generator_l2"},
    "next_frame": {"generator_l2", "generator_gradient_difference"},
    "seqgan": {"generator_surprise"}, "lstm": {"generator_surprise"},
    "cyclegan": {"generator_cycle", "generator_identity"},
    "discogan": {"generator_cycle_squares", "generator_features"},
    "travelgan": {"generator_travel", "generator_contrast", "generator_identity"},
    "dtn": {"generator_constancy", "generator_identity_squares", "extractor_accuracy"},
    "vae_gan": {"encoder_divergence", "generator_likeness", "generator_moved", "discriminator_moved"},
    "vae": {"encoder_divergence"},
    "midinet": {"generator_features", "generator_mean_image", "penalty"},
    "midinet_following": {"generator_features", "generator_mean_image"},
    "midinet_chords": {"generator_features", "generator_mean_image", "penalty"},
    "midinet_both": {"generator_features", "generator_mean_image", "penalty"},
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_statistics_tell_what_the_family_has_and_nothing_else(family: str) -> None:
    trainer = tiny_trainer(family)
    found = set(trainer.engine.turn(trainer.real, 8, 0, 0))
    sides = {side for step in trainer.game.schedule(0, 8) for side in step}
    losses, gradients = ({f"{side}_{what}" for side in sides} for what in ("loss", "gradient"))
    facts = set()
    if "discriminator" in sides:
        probability = {"value"} if trainer.game.objective.probability else set()
        accuracy = {"d_accuracy"} if trainer.game.objective.decides else set()
        facts = {"d_real", "d_fake"} | probability | accuracy
    assert found == losses | gradients | facts | EXTRA_COLUMNS.get(family, set())


def test_dropout_leaves_out_other_units_in_each_turn_and_the_same_ones_in_a_run_that_goes_on() -> None:
    def plays(turns: int, stop: int) -> Trainer:
        trainer = tiny_trainer("gan", discriminator={"dropout": 0.5}, generator={"dropout": 0.2})
        play(trainer, stop)
        torch.manual_seed(stop)  # whatever else draws from torch's own numbers
        again = tiny_trainer("gan", discriminator={"dropout": 0.5}, generator={"dropout": 0.2})
        again.load(*trainer.state())
        return play(again, turns - stop)

    assert not changed(plays(4, 0).engine.state(), plays(4, 2).engine.state())
    without = play(tiny_trainer("gan"), 4)
    assert "discriminator" in changed(plays(4, 0).engine.state(), without.engine.state())


def test_a_generator_with_dropout_makes_the_same_image_of_a_latent_once_it_is_trained() -> None:
    average = play(tiny_trainer("dcgan", generator={"dropout": 0.5}), 1).average
    latents = torch.randn(4, 6)
    assert torch.equal(average(latents), average(latents))


def test_a_generator_that_matches_features_learns_their_mean_and_nothing_of_the_objective() -> None:
    trainer = tiny_trainer("ssgan", feature_matching=True, discriminator={"normalization": "layer"})
    game = trainer.game
    fakes: list[Tensor] = []
    game.generator.register_forward_hook(lambda _, __, images: fakes.append(images))
    loss = step(trainer, 0, "generator")["generator_loss"]
    game.discriminator.eval()
    images = (fakes[0], trainer.real.batch(0, 8)[0])
    fake, real = (game.discriminator(each, None).features.mean(0) for each in images)
    assert loss.item() == pytest.approx((real - fake).square().mean().item(), rel=1e-4)


def test_features_and_the_mean_image_are_matched_beside_the_objective() -> None:
    terms = [{"name": "features", "weight": 2.0}, {"name": "mean_image", "weight": 3.0}]
    trainer = tiny_trainer("dcgan", terms=terms, discriminator={"normalization": "layer"})
    game = trainer.game
    fakes: list[Tensor] = []
    game.generator.register_forward_hook(lambda _, __, images: fakes.append(images))
    losses = step(trainer, 0, "generator")
    game.discriminator.eval()
    images = (fakes[0], trainer.real.batch(0, 8)[0])
    fake, real = (game.discriminator(each, None).features.mean(0) for each in images)
    assert losses["generator_features"].item() == pytest.approx(2 * (real - fake).square().mean().item(), rel=1e-4)
    gap = (images[0].mean(0) - images[1].mean(0)).square().mean()
    assert losses["generator_mean_image"].item() == pytest.approx(3 * gap.item(), rel=1e-4)
    alone = tiny_trainer("dcgan", discriminator={"normalization": "layer"})
    assert torch.equal(losses["generator_loss"], step(alone, 0, "generator")["generator_loss"])


def test_a_semi_supervised_discriminator_learns_classes_from_a_full_batch_of_labeled_images() -> None:
    trainer = tiny_trainer("ssgan", labeled=0.2)
    shown: list[Tensor] = []
    trainer.game.discriminator.register_forward_hook(lambda _, inputs, __: shown.append(inputs[1]))
    step(trainer, 0, "discriminator")
    labels = torch.cat(shown)
    assert len(labels) == 24  # real, fake, labeled
    assert (labels[16:] >= 0).all()
    assert (labels[:8] == HIDDEN_LABEL).any()


def overlap_in(network: torch.nn.Module) -> float:
    return overlap_of_filters(Play(network, torch.empty(0), torch.empty(0))).item()


def test_orthogonal_regularization_turns_the_generators_filters_apart_and_leaves_their_lengths() -> None:
    layer = torch.nn.Linear(3, 2, bias=False)
    layer.weight.data = torch.tensor([[3.0, 0, 0], [0, 0.5, 0]])
    assert overlap_in(layer) == 0
    layer.weight.data[1] = torch.tensor([1.0, 0, 0])
    assert overlap_in(layer) == pytest.approx(2 * 3.0**2)
    axes: list[dict[str, Any]] = [{"terms": []}, {"terms": [{"name": "orthogonal", "weight": 1.0}]}]
    plain, regular = (play(tiny_trainer("biggan", **terms), 3).game.generator for terms in axes)
    assert overlap_in(regular.network) < overlap_in(plain.network)


def test_weights_are_clipped_after_each_step_of_the_discriminator() -> None:
    game = play(tiny_trainer("wgan", penalties=[{"name": "clipping", "weight": 0.005}]), 2).game
    assert max(weight.abs().max().item() for weight in game.discriminator.parameters()) == pytest.approx(0.005)


def test_the_auxiliary_weight_of_each_player_scales_what_it_learns_beside_the_game() -> None:
    states = []
    for player in ("generator", "discriminator"):
        for weight in (0.0, 5.0):
            axes: dict[str, Any] = {player: {"auxiliary_weight": weight}}
            states.append(play(tiny_trainer("acgan", **axes), 1).engine.state())
    assert changed(states[0], states[1]) >= {"generator"}
    assert "discriminator" not in changed(states[0], states[1])
    assert "discriminator" in changed(states[2], states[3])


def test_a_matching_aware_discriminator_is_shown_real_images_with_wrong_labels() -> None:
    trainer = tiny_trainer(matching_aware=True)
    shown: list[tuple[Tensor, Tensor]] = []
    trainer.game.discriminator.register_forward_hook(lambda _, inputs, __: shown.append(inputs))
    step(trainer, 0, "discriminator")
    (real, right), _, (again, wrong) = shown
    assert torch.equal(real, again)
    assert (right != wrong).all()


def test_real_and_fake_images_are_changed_alike_before_either_player_is_judged() -> None:
    trainer = tiny_trainer("dcgan", augment=["translation"])
    with patch("mintage.games.adversarial.augment", wraps=augment) as changes:
        play(trainer, 1)
    assert [call.args[1] for call in changes.call_args_list] == [("translation",)] * 3
    plain = play(tiny_trainer("dcgan"), 1)
    assert changed(trainer.engine.state(), plain.engine.state()) >= {"generator", "discriminator"}


def test_a_learning_rate_falls_by_half_a_cosine_to_a_tenth_and_stays() -> None:
    rates = [faded(1.0, 0.1, progress(images, 100)) for images in (0, 50, 100, 200)]
    assert rates == pytest.approx([1, 0.55, 0.1, 0.1])
    assert progress(10**9, 0) == 0
    trainer = play(tiny_trainer("dcgan", decay_images=16), 3)
    assert trainer.engine.optimizers["generator"].param_groups[0]["lr"] == pytest.approx(2e-5)


def test_began_plays_with_a_k_that_moves_and_is_part_of_the_state() -> None:
    trainer = play(tiny_trainer("began", k_rate=1.0), 6)
    assert 0 < trainer.engine.state()["objective.k"].item() <= 1


def test_a_discriminator_tells_the_probability_of_each_image_by_itself_and_is_left_as_it_was() -> None:
    trainer = play(tiny_trainer("gan"), 2)
    game, before = trainer.game, copies(trainer.engine.state())
    chances = game.probability(trainer.real.images[:5])
    alone = [game.probability(trainer.real.images[i : i + 1]) for i in range(5)]
    assert chances is not None
    assert ((chances > 0) & (chances < 1)).all()
    torch.testing.assert_close(chances, torch.cat([one for one in alone if one is not None]))
    assert not changed(before, trainer.engine.state())
    assert game.discriminator.training


@pytest.mark.parametrize(
    ("family", "overrides"), [("gan", {"packing": 2}), ("cgan", {}), ("wgan_gp", {}), ("modern", {}), ("began", {})]
)
def test_a_discriminator_whose_score_is_no_probability_of_one_image_tells_none(
    family: str, overrides: dict[str, Any]
) -> None:
    trainer = tiny_trainer(family, **overrides)
    assert trainer.game.probability(trainer.real.images[:4]) is None
