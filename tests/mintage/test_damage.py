"""Holes, noise and salt: once, or anew at every step of a training."""

from typing import Any

import pytest
import torch
from torch import Tensor

import mintage
from mintage.damage import KINDS, Damage
from mintage.data import RealImages
from mintage.dataset import Signature
from mintage.families import resolve
from mintage.rules import refusal
from mintage.streaming import Blocks, StreamedImages
from stages.common.levels import floats
from stages.images.partners import made
from tests.mintage.helpers import CPU, assert_goes_on, copies, step, tiny_trainer
from tests.stages.source_files import normalize_params


def images(count: int = 40) -> Tensor:
    return torch.rand(count, 3, 8, 10, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_for_an_image_depends_on_its_position_alone(kind: str) -> None:
    """So neither on the size of a batch nor on how many processes share it."""
    damage, shown = Damage(kind), images()
    whole = damage.sources(shown, 3, 100)
    parts = [damage.sources(part, 3, 100 + 10 * number) for number, part in enumerate(torch.split(shown, 10))]
    assert torch.equal(whole, torch.cat(parts))
    assert not torch.equal(whole, damage.sources(shown, 3, 101))
    assert not torch.equal(whole, damage.sources(shown, 4, 100))


@pytest.mark.parametrize("kind", KINDS)
def test_redrawn_sources_are_distributed_as_those_of_normalize(kind: str) -> None:
    """Of one flat image, many times."""
    flat = torch.full((400, 3, 8, 10), 0.5)
    params = normalize_params(partner=kind, channels=3, damage={"deviation": 0.2, "salt": 0.3})
    strength = 0.3 if kind == "salt" else 0.2
    stored = torch.from_numpy(floats(made(params, flat.numpy(), [hash_of(row) for row in range(len(flat))])))
    drawn = Damage(kind, strength).sources(flat, 0, 0)
    assert stored.shape == drawn.shape
    for statistic in (Tensor.mean, Tensor.std):
        of_places = [statistic(values, dim=0) for values in (stored, drawn)]
        assert (of_places[0] - of_places[1]).abs().max() < 0.25
        assert of_places[0].mean().item() == pytest.approx(of_places[1].mean().item(), abs=0.02)
    if kind != "noisy":
        assert torch.allclose(torch.unique(drawn[:, -1]), torch.unique(stored[:, -1]))


def hash_of(row: int) -> int:
    return (row + 1) * 0x9E3779B97F4A7C15 % 2**64


def test_a_hole_is_of_half_the_sides_wherever_it_is_and_its_mask_says_where() -> None:
    sources = Damage("masked").sources(torch.ones(200, 1, 9, 12), 0, 0)
    hole = sources[:, 1:] > 0
    assert (hole.sum((1, 2, 3)) == 5 * 6).all()
    assert (sources[:, :1][hole].abs() < 0.01).all()
    assert (sources[:, :1][~hole] == 1).all()
    assert hole.float().mean(0).min() > 0  # every pixel is missing at times
    assert len(torch.unique(hole.flatten(1), dim=0)) == 5 * 7


def test_batches_are_damaged_anew_from_all_memory_or_a_window_and_held_sources_stay() -> None:
    shown = images(60)
    damage = Damage("noisy", 0.5)
    stored = damage.sources(shown, 0, 0)
    pieces, of_sources = torch.split(shown, 10), torch.split(stored, 10)
    blocks = Blocks([10] * 6, lambda block: pieces[block], lambda block: of_sources[block])
    for real in (RealImages(shown, stored, 1, CPU), StreamedImages(blocks, None, 20, 1, CPU)):
        real.damage = damage
        for position in (0, 25, 55):
            batch, sources = real.batch(position, 16)
            assert sources is not None
            assert torch.equal(sources, damage.sources(batch, 1, position))
        held = real.conditions_of(torch.tensor([3, 50]))
        assert held is not None
        assert torch.equal(held, stored[[3, 50]])


def test_a_resumed_training_draws_the_same_holes_and_ends_in_the_same_bits() -> None:
    assert_goes_on(lambda: tiny_trainer("context_encoder"), turns=6, stop=3)


def test_the_library_damages_images_once_or_at_every_step() -> None:
    shown = images(64)
    data = mintage.Dataset(image=shown, source=Damage("salt", 0.2))
    again = mintage.Dataset(image=shown, source=Damage("salt", 0.2))
    assert data.source is not None
    assert again.source is not None
    assert torch.equal(data.source, again.source)
    recipes: list[dict[str, Any]] = [{"width": 4}, {"width": 4, "redrawn": True}]
    once, anew = (mintage.train(data, "pix2pix", images=192, recipe=one, progress=False).model for one in recipes)
    assert not torch.equal(once.translate(data.source), anew.translate(data.source))
    assert data.rows(torch.arange(3)).damage == Damage("salt", 0.2)


@pytest.mark.parametrize("wrong", [("masks", 0.1), ("noisy", 0.0), ("salt", 1.5)])
def test_damage_that_cannot_be_is_refused(wrong: tuple[Any, float]) -> None:
    with pytest.raises(ValueError, match=r"name one of|give a number above 0"):
        Damage(*wrong)


@pytest.mark.parametrize(
    ("family", "changes", "damage", "masked", "sentence"),
    [
        ("context_encoder", {}, Damage("masked"), True, None),
        ("context_encoder", {"redrawn": False}, None, True, None),
        ("context_encoder", {}, None, True, "by chance"),
        ("context_encoder", {"redrawn": False}, None, False, "no mask"),
        ("pix2pix", {"redrawn": True}, Damage("noisy"), False, None),
        ("pix2pix", {"pretrain_images": 100, "terms": []}, None, False, "before the game"),
    ],
)
def test_what_is_redrawn_and_seen_must_be_there(
    family: str, changes: dict[str, Any], damage: Damage | None, masked: bool, sentence: str | None
) -> None:
    real = Signature((3, 16, 16), source_shape=(3 + masked, 16, 16), damage=damage)
    reason = refusal(resolve(family, changes), real)
    assert reason is None if sentence is None else sentence in str(reason)


def test_the_discriminator_of_a_context_encoder_sees_the_hole_alone() -> None:
    trainer = tiny_trainer("context_encoder")
    shown, sources = trainer.real.batch(0, 8)
    assert sources is not None
    hole = (sources[:, -1:] > 0).expand_as(shown)
    judge = trainer.game.discriminator.eval()
    with torch.no_grad():
        before = judge(shown, sources).logit
        outside, inside = torch.where(hole, shown, -shown), torch.where(hole, -shown, shown)
        assert torch.equal(judge(outside, sources).logit, before)
        assert not torch.equal(judge(inside, sources).logit, before)


def test_before_the_game_the_generator_learns_by_its_terms_alone_and_the_discriminator_nothing() -> None:
    trainer = tiny_trainer("srgan", pretrain_images=16, generator={"learning_rate": 1e-2})
    before = copies(trainer.game.discriminator.state_dict())
    players = dict(trainer.game.named_children())
    start = copies(players["generator"].state_dict())
    first = step(trainer, 0, "discriminator", "generator")
    assert first["discriminator_gradient"] == 0
    weights = {name for name, _ in players["discriminator"].named_parameters()}
    assert all(torch.equal(before[name], trainer.game.discriminator.state_dict()[name]) for name in weights)
    assert any(not torch.equal(start[name], one) for name, one in players["generator"].state_dict().items())
    later = step(trainer, 16, "discriminator", "generator")
    assert later["discriminator_gradient"] > 0
    assert first.keys() == later.keys()
