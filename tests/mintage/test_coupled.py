"""Two domains without pairs, of which one latent makes an image each: what is shared, the game, and its model."""

from typing import Any

import pytest
import torch
from torch import Tensor

import mintage
from mintage.games import Scene, Step
from mintage.games.adversarial import Batch
from mintage.layers import Layers
from mintage.networks import cogan
from mintage.training import make_trainer
from tests.mintage.helpers import CPU, assert_goes_on, play
from tests.mintage.test_translation import strokes

SMALL: dict[str, Any] = {"width": 4, "latent_size": 6, "batch_size": 8, "discriminator": {"width": 4}}


def bright_and_dark(count: int = 60) -> mintage.Dataset:
    """Strokes of two kinds, which are no pairs."""
    images = torch.cat([strokes(count, side=8, seed=0), -strokes(count, side=8, seed=1)])
    labels = torch.arange(2 * count) % 3
    return mintage.Dataset(images, labels, domain=[0] * count + [1] * count, domains=("bright", "dark"))


def trained(turns: int, data: mintage.Dataset | None = None) -> Any:
    made = make_trainer(data or bright_and_dark(), "cogan", SMALL, 0, device=CPU, precision="float32")
    return play(made, turns)


@pytest.fixture(scope="module")
def model() -> mintage.Model:
    return mintage.Model(trained(6).average)


def gradients(player: torch.nn.Module, output: Tensor) -> set[str]:
    """The names of the weights on which an output depends."""
    player.zero_grad(set_to_none=True)
    torch.autograd.backward(output.square().sum())
    return {name for name, weight in player.named_parameters() if weight.grad is not None and weight.grad.any()}


def test_the_generator_shares_its_first_layers_and_the_discriminator_its_last() -> None:
    """PyTorch-GAN#62: there both players share their first ones."""
    game = trained(0).game
    latents, images = torch.randn(4, 6), torch.rand(4, 1, 8, 8)
    for domain in (0, 1):
        domains, other = torch.full((4,), domain), f".own.layers.{1 - domain}."
        of_images = gradients(game.generator, game.generator(latents, domains))
        of_scores = gradients(game.discriminator, game.discriminator(images, domains).logit)
        for player, used in ((game.generator, of_images), (game.discriminator, of_scores)):
            names = {name for name, _ in player.named_parameters()}
            assert {name for name in names if ".own." in name} - used == {n for n in names if other in n}
            assert all(".own.layers." in name for name in names - used if "bias" not in name)
    named = [[name for name, _ in player.named_parameters()] for player in (game.generator, game.discriminator)]
    assert named[0][0].startswith("network.stem.")
    assert named[0][-1].startswith("network.own.layers.1.")
    assert named[1][0].startswith("network.own.layers.0.")
    assert named[1][-1].startswith("head.output.")


def test_at_the_authors_widths_the_sizes_of_layers_are_theirs() -> None:
    """net_cogan_mnistedge.py: 1024, 512, 256 and 128 channels, then 1; 1, 20 and 50 channels, then 500 units."""
    generator = cogan.Generator(100, (1, 28, 28), 128, Layers("batch"), domains=2)
    ups = [w.shape[1] for name, w in generator.shared.named_parameters() if "convolution.weight" in name]
    assert generator.stem.base == (1024, 4, 4)
    assert ups == [512, 256, 128]
    assert [tuple(w.shape[:2]) for name, w in generator.own.named_parameters() if "weight" in name] == [(1, 128)] * 2
    discriminator = cogan.Discriminator((3, 28, 28), 20, Layers("none"), domains=2)
    convolutions = [layer for layer in discriminator.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert [tuple(layer.weight.shape) for layer in convolutions] == [(20, 1, 5, 5)] * 2 + [(50, 20, 5, 5)]
    assert discriminator.feature_size == 500


def test_a_step_shows_as_many_images_of_either_domain_and_fakes_of_both_of_the_same_latents() -> None:
    trainer = trained(0)
    batch: Batch = trainer.game.draw(Scene(Step(0, 0, 8), ("discriminator",), trainer.real, CPU))
    assert batch.condition is not None
    assert batch.condition.tolist() == [0] * 8 + [1] * 8
    assert batch.images[:8].mean() < 0 < batch.images[8:].mean()
    assert torch.equal(batch.latents[:8], batch.latents[8:])
    assert not torch.equal(batch.fakes[:8], batch.fakes[8:])


def test_in_training_an_image_of_one_domain_depends_on_no_other_domain_s_layer() -> None:
    trainer = trained(2)
    latents = torch.randn(4, 6)
    network = trainer.average.network
    before = [trainer.average(latents, torch.full((4,), domain)) for domain in (0, 1)]
    torch.nn.init.constant_(network.own.layers[1].weight, 0.3)
    after = [trainer.average(latents, torch.full((4,), domain)) for domain in (0, 1)]
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_resumed_in_the_middle_it_ends_in_the_same_bits() -> None:
    assert_goes_on(lambda: trained(0), turns=6, stop=3)


def test_the_same_seed_gives_both_images_of_the_same_latents(model: mintage.Model) -> None:
    assert model.domains == model.classes == ("bright", "dark")
    pairs = [model.sample(5, seed=3, label=domain) for domain in model.domains]
    latents = torch.randn(5, model.latent_size)
    made = [model.decode(latents, label=domain) for domain in model.domains]
    assert pairs[0].shape == pairs[1].shape == made[0].shape == (5, 1, 8, 8)
    assert not torch.equal(pairs[0], pairs[1])
    assert torch.equal(model.sample(9, seed=3, label="dark")[:5], pairs[1])
    with pytest.raises(ValueError, match="images from noise"):
        model.translate(pairs[0], to="dark")


def test_it_is_measured_by_domain(model: mintage.Model) -> None:
    data = bright_and_dark()
    table = mintage.measure(model, data, data, evaluator_images=640, to="dark")
    assert {"frechet_distance", "conditional_accuracy"} <= table.keys()
    assert table["frechet_distance"].value > table["frechet_distance"].floor
    assert table["frechet_distance"].baseline is None
    with pytest.raises(ValueError, match="say which domain"):
        mintage.measure(model, data, data)
    with pytest.raises(ValueError, match="did you mean 'dark'"):
        mintage.measure(model, data, data, to="darc")


def test_saved_and_loaded_it_makes_the_same(model: mintage.Model, tmp_path: Any) -> None:
    model.save(tmp_path)
    again = mintage.load(tmp_path)
    assert again.domains == model.domains
    assert torch.equal(again.sample(4, label="dark"), model.sample(4, label="dark"))
