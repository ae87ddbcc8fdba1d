"""Two domains without pairs: their images, the game, and a model of both directions."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mintage
from mintage.data import RealImages
from mintage.layers import Layers
from mintage.metrics.pairs import absolute_error
from mintage.model import Model
from mintage.networks import encoder_decoder, resnet_translator
from mintage.streaming import Blocks, StreamedImages
from mintage.terms import Between, Play, cycle, cycle_squares, identity
from mintage.training import make_trainer
from tests.mintage.helpers import CPU, assert_goes_on, changed, copies, play, step, tiny_trainer
from tests.mintage.test_translation import strokes

FAMILIES = ("cyclegan", "discogan")
SMALL: dict[str, Any] = {"width": 4, "batch_size": 8, "pool": 8}


def day_and_night(day: int = 120, night: int = 90, seed: int = 0) -> mintage.Dataset:
    """Bright strokes on dark ground, and dark ones on bright ground, which are no pairs."""
    images = torch.cat([strokes(day, side=8, seed=seed), -strokes(night, side=8, seed=seed + 1)])
    return mintage.Dataset(image=images, domain=[0] * day + [1] * night, domains=("day", "night"))


@pytest.fixture(scope="module")
def model() -> Model:
    trainer = make_trainer(
        day_and_night(),
        "discogan",
        {
            **SMALL,
            "ema_half_life": 100.0,
            "generator": {"learning_rate": 5e-3},
            "discriminator": {"learning_rate": 5e-3},
        },
        0,
        device=CPU,
        precision="float32",
    )
    return Model(play(trainer, 120).average)


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"domain": [0, 1, 0]}, "one for each of 4"),
        ({"domain": [0, 0, 0, 0]}, "no image is of the domain '1'"),
        ({"domain": [1, 1, 1, 1], "domains": ("photo", "drawing")}, "no image is of the domain 'photo'"),
        ({"domain": [0, 1, 2, 0]}, "give 0 or 1"),
        ({"domain": [0, 1, 0, 1], "domains": ("a", "b", "c")}, "name two"),
        ({"domain": [0, 1, 0, 1], "domains": ("a", "a")}, "name two"),
        ({"domain": ["a", "a", "b", "c"]}, "name two"),
        ({"domain": ["a", "a", "photos", "a"], "domains": ("a", "photo")}, "did you mean 'photo'"),
        ({"domains": ("a", "b")}, "give `domain` too"),
        ({"domain": [0, 1, 0, 1], "source": torch.zeros(4, 1, 8, 8)}, "no sources"),
    ],
)
def test_domains_that_do_not_fit_are_refused_with_what_would(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        mintage.Dataset(image=torch.zeros(4, 1, 8, 8), **wrong)


def test_a_domain_is_found_by_its_name_with_its_labels() -> None:
    data = mintage.Dataset(
        torch.zeros(4, 1, 8, 8), [0, 1, 1, 0], domain=[0, 1, 1, 1], domains=("photo", "drawing"), classes=["cat", "dog"]
    )
    drawings = data.of_domain("drawing")
    assert drawings.label is not None
    assert (drawings.label.tolist(), drawings.classes) == ([1, 1, 0], ("cat", "dog"))
    with pytest.raises(ValueError, match="did you mean 'drawing'"):
        data.of_domain("drawings")


def test_domains_may_be_given_by_name() -> None:
    data = mintage.Dataset(torch.zeros(4, 1, 8, 8), domain=["photo", "drawing", "photo", "photo"])
    assert data.domain is not None
    assert (data.domains, data.domain.tolist()) == (("drawing", "photo"), [1, 0, 1, 1])


def numbered(counts: tuple[int, ...], window: int | None) -> RealImages:
    """Images that are their own numbers, those of several groups in turn; in memory, or a window at a time."""
    groups = torch.cat([torch.full((count,), group) for group, count in enumerate(counts)])
    groups = groups[torch.randperm(len(groups), generator=torch.Generator().manual_seed(0))]
    images = torch.arange(len(groups)).float().view(-1, 1, 1, 1)
    if window is None:
        return RealImages(images, groups, 0, CPU)
    pieces = torch.split(images, 7)
    return StreamedImages(Blocks([len(one) for one in pieces], pieces.__getitem__), groups, window, 0, CPU)


@pytest.mark.parametrize("window", [None, 20])
def test_each_group_has_an_endless_order_of_its_own_without_an_image_left_over(window: int | None) -> None:
    real = numbered((40, 25), window)
    assert real.conditions is not None
    for number, count in enumerate((40, 25)):
        group = real.group(number)
        own = (real.conditions == number).nonzero().squeeze(1)
        epochs = [group.batch(epoch * count, count)[0].flatten().long() for epoch in range(3)]
        assert len(group) == count
        assert all(torch.equal(shown.sort().values, own) for shown in epochs)
        assert not torch.equal(epochs[0], epochs[1])
        assert torch.equal(group.batch(count - 5, 10)[0].flatten().long(), torch.cat(epochs)[count - 5 : count + 5])
        assert torch.equal(group.take(torch.tensor([3, 0])).flatten().long(), own[[3, 0]])


def test_groups_that_happen_to_be_pairs_are_not_shown_as_pairs() -> None:
    images = torch.arange(60).float().view(-1, 1, 1, 1)
    real = RealImages(images, torch.arange(60) % 2, 0, CPU)
    one, other = (real.group(number).batch(0, 30)[0].flatten() for number in (0, 1))
    assert ((other - one) == 1).float().mean() < 0.3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_game_that_was_killed_goes_on_to_the_same_bits(family: str) -> None:
    assert_goes_on(lambda: tiny_trainer(family, pool=8), turns=7, stop=4)


def test_both_generators_move_together_and_then_both_discriminators() -> None:
    trainer = tiny_trainer("cyclegan", pool=8)
    assert trainer.game.schedule(0, 8) == [("generator", "discriminator")]
    start = copies(trainer.engine.state())
    step(trainer, 0, "generator")
    after = copies(trainer.engine.state())
    assert changed(start, after) == {"generator"}
    for direction in ("generator.network", "generator.back.network"):
        assert any(not torch.equal(start[name], after[name]) for name in start if name.startswith(direction))
    step(trainer, 8, "discriminator")
    found = trainer.engine.state()
    assert changed(after, found) == {"discriminator", "pools"}
    for domain in ("discriminator.0", "discriminator.1"):
        assert any(not torch.equal(after[name], found[name]) for name in after if name.startswith(domain))


def test_a_discriminator_sees_earlier_fakes_of_its_own_domain() -> None:
    trainer = play(tiny_trainer("cyclegan", pool=8), 3)
    shown: list[Tensor] = []
    trainer.game.discriminator[1].register_forward_pre_hook(lambda _, given: shown.append(given[0].detach().clone()))
    kept = trainer.game.pools[1].images.clone()
    trainer.turn()
    fakes = shown[-1]  # behind those that the generator is judged by, and the real ones
    earlier = [any(torch.equal(fake, one) for one in kept) for fake in fakes]
    assert 0 < sum(earlier) < len(fakes)


class Negative(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return -images


def test_nothing_is_lost_by_a_translation_that_its_way_back_undoes() -> None:
    sources, images = torch.rand(5, 1, 8, 8), torch.rand(5, 1, 8, 8)

    def played(back: Any) -> Play:
        return Play(nn.Identity(), images, -sources, Between(sources, Negative(), back))

    assert cycle(played(Negative())) == 0
    assert cycle(played(nn.Identity())).item() == pytest.approx(2 * sources.abs().mean().item(), rel=1e-6)
    assert cycle_squares(played(nn.Identity())).item() == pytest.approx(4 * sources.square().mean().item(), rel=1e-6)
    assert identity(played(Negative())).item() == pytest.approx(2 * images.abs().mean().item(), rel=1e-6)


@pytest.mark.parametrize("network", [resnet_translator, encoder_decoder])
@pytest.mark.parametrize(("size", "vector_size"), [((8, 8), 0), ((28, 28), 3), ((20, 13), 3), ((64, 64), 0)])
def test_a_translator_makes_an_image_of_any_size(network: Any, size: tuple[int, int], vector_size: int) -> None:
    made = network.Generator(vector_size, (3, *size), 4, Layers("instance"), (1, *size))
    images = made(torch.rand(2, 1, *size), torch.randn(2, vector_size))
    assert images.shape == (2, 3, *size)
    assert images.abs().max() <= 1


@pytest.mark.parametrize(("side", "blocks"), [(28, 3), (128, 6), (256, 9)])
def test_larger_images_have_more_residual_blocks_as_in_the_paper(side: int, blocks: int) -> None:
    assert resnet_translator.blocks(side, side) == blocks


def test_it_learns_without_a_single_pair_to_translate_pictures_it_has_not_seen(model: Model) -> None:
    held_out = strokes(40, side=8, seed=7)
    for to, given in (("night", held_out), ("day", -held_out)):
        made = model.translate(given, to=to)
        assert absolute_error(made, -given).mean() < 0.35 * absolute_error(given, -given).mean()


def test_a_model_says_between_which_domains_it_translates_and_wants_one_of_them(model: Model) -> None:
    assert model.domains == ("day", "night")
    images = strokes(3, side=8)
    for wrong, part in (
        ({}, "to='night' or to='day'"),
        ({"to": "nigth"}, "did you mean 'night'"),
        ({"to": "night", "sources": strokes(3, side=16)}, "the model's are"),
    ):
        with pytest.raises(ValueError, match=part):
            model.translate(**{"sources": images, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="translate"):
        model.sample(2)


def test_a_model_of_pairs_is_of_no_domains() -> None:
    images = strokes(20, side=8)
    pairs = mintage.Dataset(images, source=-images)
    other = mintage.train(pairs, "pix2pix", images=64, recipe={"width": 4}, progress=False).model
    assert other.domains is None
    with pytest.raises(ValueError, match="leave out `to`"):
        other.translate(images, to="day")


def test_both_directions_are_saved_and_load_again(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = mintage.load(tmp_path)
    images = strokes(70, side=8)
    for to in ("day", "night"):
        made = model.translate(images, to=to)
        assert torch.equal(again.translate(images, to=to), made)
        assert torch.equal(again.translate(images[:5], to=to), made[:5])  # the same alone and among others


def test_each_direction_is_measured_beside_its_floor_and_beside_no_translation(model: Model) -> None:
    train, holdout = day_and_night(), day_and_night(80, 80, seed=10)
    for to in ("day", "night"):
        with pytest.warns(UserWarning, match="light where their sources are dark"):
            table = mintage.measure(model, holdout, train, to=to, evaluator_images=1_000)
        distance = table["frechet_distance"]
        assert distance.baseline is not None
        assert distance.floor < distance.value < distance.baseline
        assert 0 < table["cycle_error"].value < 1
        assert table["luminance_correlation"].value < 0  # which is what night is
    with pytest.raises(ValueError, match="say which"):
        mintage.measure(model, holdout, train)
    with pytest.raises(ValueError, match="the model's domains"):
        mintage.measure(model, mintage.Dataset(strokes(80, side=8)), to="day")
