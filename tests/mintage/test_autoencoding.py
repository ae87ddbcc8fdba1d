"""An encoder beside generator and discriminator: three gradients of one pass, who waits, and a model that encodes."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import softplus

import mintage
from mintage.encoding import Codes, squared_distance
from mintage.games import Step
from mintage.hardening import Equilibrium
from mintage.latents import draw
from mintage.metrics.pairs import psnr
from mintage.model import Model
from mintage.randomness import normal
from mintage.trainer import Trainer
from mintage.training import make_trainer
from tests.mintage.helpers import CPU, assert_goes_on, changed, copies, play, step, tiny_trainer
from tests.mintage.test_translation import strokes

FAMILIES = ("vae_gan", "vae")
SIDES = ("encoder", "generator", "discriminator")
RATE = 1e-3
DESCENT = {"optimizer": "sgd", "learning_rate": RATE}


def descending(likeness_weight: float = 0.1, **changes: Any) -> Trainer:
    """A game whose steps are its gradients, times a rate."""
    plain = {"generator": DESCENT, "discriminator": {**DESCENT, "normalization": "none"}, "margin": 0.0}
    return tiny_trainer("vae_gan", likeness_weight=likeness_weight, **{**plain, **changes})


def moved(trainer: Trainer, *sides: str) -> dict[str, Tensor]:
    """By how much each weight moves when these sides do, in units of the rate."""
    before = {name: weight.detach().clone() for name, weight in trainer.game.named_parameters()}
    step(trainer, 0, *sides)
    return {name: (before[name] - weight.detach()) / RATE for name, weight in trainer.game.named_parameters()}


def part_of(name: str) -> str:
    """The side that a weight belongs to."""
    return "encoder" if name.startswith("generator.encoder") else name.split(".", maxsplit=1)[0]


class Losses(nn.Module):
    """Algorithm 1 of the paper, as it is written there: every loss by itself, of the weights as they are."""

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        game, first = deepcopy(trainer.game), Step(trainer.seed, 0, 8)
        self.weights = dict(game.named_parameters())
        x, _ = trainer.real.batch(*first.rows)
        codes = game.generator.encode(x)
        z = codes.draw(normal(codes.mean.shape, first.random("code")))
        prior = draw(game.config, 8, first.random("latent"))
        rebuilt, samples = game.generator(torch.cat([z, prior])).chunk(2)
        on_x, on_rebuilt, on_samples = (game.discriminator(images) for images in (x, rebuilt, samples))
        self.divergence = codes.divergence()
        self.likeness = (on_rebuilt.features - on_x.features).square().sum(1).mean() / 2
        self.fooled = (softplus(-on_rebuilt.logit).mean() + softplus(-on_samples.logit).mean()) / 2
        on_fakes = (softplus(on_rebuilt.logit).mean() + softplus(on_samples.logit).mean()) / 2
        self.judged = softplus(-on_x.logit).mean() + on_fakes

    def gradient(self, of: str, loss: Tensor) -> dict[str, Tensor]:
        names = [name for name in self.weights if part_of(name) == of]
        found = torch.autograd.grad(loss, [self.weights[name] for name in names], retain_graph=True)
        return dict(zip(names, found, strict=True))


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=2e-3 * other.abs().max().item() + 1e-4)


def test_the_divergence_and_the_distance_are_those_of_normal_distributions() -> None:
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    exact = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert Codes(mean, log_variance).divergence().item() == pytest.approx(exact.item(), rel=1e-5)
    assert Codes(torch.zeros(2, 3), torch.zeros(2, 3)).divergence() == 0
    one, other, far = torch.randn(3, 4, 7).unbind()
    around: Any = Normal(one, 1.0)
    likelihoods = [around.log_prob(images).sum(1).mean().item() for images in (other, far)]
    distances = [squared_distance(images, one).item() for images in (other, far)]
    assert distances[0] - distances[1] == pytest.approx(likelihoods[1] - likelihoods[0], rel=1e-4)


def test_codes_are_drawn_from_their_distribution() -> None:
    codes = Codes(torch.full((50_000, 1), 2.0), torch.full((50_000, 1), -1.0))
    drawn = codes.draw(torch.randn(50_000, 1, generator=torch.Generator().manual_seed(0)))
    assert drawn.mean().item() == pytest.approx(2, abs=0.01)
    assert drawn.var().item() == pytest.approx(torch.tensor(-1.0).exp().item(), rel=0.03)


def test_the_three_gradients_of_one_pass_are_those_of_the_paper() -> None:
    trainer = descending(likeness_weight=0.1)
    paper = Losses(trainer)
    expected = {
        **paper.gradient("encoder", paper.divergence + paper.likeness),
        **paper.gradient("generator", 0.1 * paper.likeness + paper.fooled),
        **paper.gradient("discriminator", paper.judged),
    }
    found = moved(trainer, *SIDES)
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        assert same(found[name], gradient), name


def test_an_encoder_learns_nothing_from_the_game_and_a_discriminator_nothing_from_likeness() -> None:
    usual = moved(descending(0.1), *SIDES)
    of_likeness = moved(descending(10.0), *SIDES)
    of_game = moved(descending(0.1, objective="minimax"), *SIDES)
    for other in (of_likeness, of_game):
        assert {part_of(name) for name in usual if not torch.equal(usual[name], other[name])} == {"generator"}


def test_a_generator_comes_nearer_to_its_images_and_fools_the_discriminator() -> None:
    """The sign of either term is easily wrong (a known mistake of other implementations)."""
    for weight, rate, column in ((1e4, 1e-7, "generator_likeness"), (1e-9, 1.0, "generator_loss")):
        trainer = descending(weight, generator={**DESCENT, "learning_rate": rate})
        before = step(trainer, 0, "generator")[column]
        assert step(trainer, 0, "generator")[column] < before


def test_each_side_moves_alone_and_the_encoder_is_no_part_of_the_generators_step() -> None:
    trainer = tiny_trainer("vae_gan")
    for side in SIDES:
        start = copies(dict(trainer.game.named_parameters()))
        step(trainer, 0, side)
        found = dict(trainer.game.named_parameters())
        assert {part_of(name) for name in start if not torch.equal(start[name], found[name])} == {side}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_game_that_was_killed_goes_on_to_the_same_bits(family: str) -> None:
    assert_goes_on(lambda: tiny_trainer(family), turns=7, stop=4)


def test_without_a_discriminator_nobody_judges() -> None:
    trainer = tiny_trainer("vae")
    start = copies(trainer.engine.state())
    row = play(trainer, 3).summarize()
    assert "discriminator" not in changed(start, trainer.engine.state())
    assert not any("discriminator" in name or name.startswith("d_") for name in row)
    assert trainer.game.probability(torch.zeros(2, 1, 8, 8)) is None


@pytest.mark.parametrize(
    ("real", "fake", "waiting"),
    [
        (0.68, 0.68, None),
        (0.2, 0.68, "discriminator"),
        (0.68, 0.2, "discriminator"),
        (1.2, 0.68, "generator"),
        (0.68, 1.2, "generator"),
        (0.2, 1.2, None),  # both are too far ahead
    ],
)
def test_a_player_that_is_too_far_ahead_waits(real: float, fake: float, waiting: str | None) -> None:
    equilibrium = Equilibrium(0.4)
    logits = torch.tensor([real, fake]).expm1().log()  # softplus of which are these costs
    equilibrium.see(-logits[:1], logits[1:])
    assert equilibrium.costs.tolist() == pytest.approx([real, fake], rel=1e-4)
    found = {side for side in ("discriminator", "generator") if equilibrium.waits(side == "discriminator")}
    assert found == ({waiting} if waiting else set())


@pytest.mark.parametrize(("certainty", "waiting"), [(0.0, set()), (4.0, {"generator"}), (-4.0, {"generator"})])
def test_who_waits_stays_as_it_is_and_the_log_says_so(certainty: float, waiting: set[str]) -> None:
    trainer = tiny_trainer("vae_gan", margin=1.3)
    with torch.no_grad():
        trainer.game.discriminator.head.output.bias += certainty  # it takes all images for real, or none
    start = copies(dict(trainer.game.named_parameters()))
    row = step(trainer, 0, *SIDES)
    found = dict(trainer.game.named_parameters())
    moving = {part_of(name) for name in start if not torch.equal(start[name], found[name])}
    assert moving == set(SIDES) - waiting
    assert {side for side in ("generator", "discriminator") if row[f"{side}_moved"] == 0} == waiting


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Model:
    changes: dict[str, Any] = {
        "width": 8,
        "latent_size": 8,
        "batch_size": 32,
        "ema_half_life": 100.0,
        "prior_weight": 0.1,
    }
    changes |= {"generator": {"learning_rate": 3e-3}, "likeness_weight": 1.0}
    data = mintage.Dataset(strokes(600, side=8))
    trainer = make_trainer(data, request.param, changes, 0, device=CPU, precision="float32")
    return Model(play(trainer, 250).average)


def test_it_learns_to_make_pictures_again_that_it_has_not_seen(model: Model) -> None:
    held_out = strokes(60, side=8, seed=7)
    mean = strokes(200, side=8).mean(0, keepdim=True)
    error = (model.reconstruct(held_out) - held_out).square().mean()
    assert error < 0.3 * (mean - held_out).square().mean()
    assert model.sample(20).std(0).mean() > 0.1  # and makes others of noise


def test_what_comes_back_is_measured_beside_held_out_images_and_what_is_the_same_for_all(model: Model) -> None:
    held_out, train = strokes(60, side=8, seed=7), strokes(60, side=8, seed=8)
    table = mintage.measure(model, mintage.Dataset(held_out), mintage.Dataset(train), evaluator_images=640)
    latents = model.encode(held_out)
    again, of_mean = model.decode(latents), model.decode(latents.mean(0).expand_as(latents))
    own, latent, image = (
        psnr(images, held_out).mean().item() for images in (again, of_mean, train.mean(0).expand_as(held_out))
    )
    decibels, share = table["reconstruction_psnr"], table["reconstruction_retrieval"]
    assert decibels.value == pytest.approx(own, abs=0.02)  # which is of 8 bits
    assert decibels.baseline == pytest.approx(max(latent, image), abs=0.02)
    assert decibels.floor == 100
    assert share.floor == pytest.approx(len(torch.unique(held_out, dim=0)) / 60), (
        "of two that are the same one is found"
    )
    assert 1 / 60 <= (share.baseline or 0) < share.value
    assert decibels.baseline_of == ("mean latent" if latent > image else "mean training image")
    assert f"(real images: 100; {decibels.baseline_of}: {decibels.baseline:#.3g})" in str(decibels)
    assert (table["frechet_distance"].baseline, table["frechet_distance"].baseline_of) == (None, None)
    lines = dict(line.split("  ", 1) for line in str(table).splitlines())
    assert [name.strip() for name in lines] == list(table)
    assert f"(real images: {100 * share.floor:.1f}%; " in str(table)
    assert lines["reconstruction_psnr"].strip() == str(decibels)


def test_an_encoder_is_saved_with_its_generator_and_says_the_same_alone_and_among_others(
    model: Model, tmp_path: Path
) -> None:
    model.save(tmp_path)
    again, images = mintage.load(tmp_path), strokes(70, side=8)
    latents = model.encode(images)
    assert latents.shape == (70, 8)
    assert torch.equal(again.encode(images), latents)
    assert torch.equal(again.encode(images[:5]), latents[:5])
    assert torch.equal(again.decode(latents), model.reconstruct(images))
    assert torch.equal(again.sample(5), model.sample(5))


def test_latents_are_a_tensor_an_array_or_lists(model: Model) -> None:
    latents = torch.randn(2, model.latent_size)
    given = [latents, latents.numpy(), latents.tolist(), list(latents), list(latents.numpy())]
    first, *others = (model.decode(one) for one in given)
    assert all(torch.equal(first, other) for other in others)


def test_what_cannot_be_encoded_or_decoded_is_refused(model: Model) -> None:
    with pytest.raises(ValueError, match="the model's are"):
        model.encode(strokes(3, side=16))
    with pytest.raises(ValueError, match="give its `image`"):
        model.encode(mintage.Dataset(strokes(3, side=8)))
    with pytest.raises(ValueError, match="no tensor"):
        model.encode("face.png")
    with pytest.raises(ValueError, match=r"the model's are \[N, 8\]"):
        model.decode(torch.zeros(2, 9))
    with pytest.raises(ValueError, match="takes no class"):
        model.decode(torch.zeros(2, 8), label=0)
    other = Model(tiny_trainer("dcgan").average)
    with pytest.raises(ValueError, match="no encoder"):
        other.encode(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"call translate\(sources\)"):
        Model(tiny_trainer("pix2pix").average).decode(torch.zeros(1, 6))


def test_a_sound_is_encoded_and_made_again() -> None:
    sounds = torch.rand(16, 1, 64) * 2 - 1
    recipe = {"width": 4, "batch_size": 8}
    model = mintage.train(mintage.Dataset(sounds, rank=1), "vae", 16, recipe, progress=False).model
    assert model.encode(sounds[:, 0]).shape == (16, 32)
    assert model.reconstruct(sounds).shape == sounds.shape
    held_out, train = mintage.Dataset(sounds, rank=1), mintage.Dataset(-sounds, rank=1)
    found = mintage.measure(model, held_out, train, evaluator_images=640)
    assert found["reconstruction_psnr"].floor == 100
