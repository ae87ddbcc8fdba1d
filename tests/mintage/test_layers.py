"""What a player's layers are made of, where it is not the network's own; a batch in parts; earlier fakes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mintage.games import Scene, Step
from mintage.hardening import Pool
from mintage.players import Generator
from mintage.sampling import samples
from tests.mintage.helpers import CPU, copies, play, tiny_trainer


def generator_of(family: str = "dcgan", **axes: Any) -> Generator:
    generator: Generator = tiny_trainer(family, shape=(1, 17, 9), generator=axes).game.generator
    return generator


def test_hidden_layers_have_the_activation_that_is_asked_for_and_the_last_keeps_its_own() -> None:
    kinds = [type(layer) for layer in generator_of(activation="elu").network.modules()]
    assert nn.ReLU not in kinds
    assert kinds.count(nn.ELU) == kinds.count(nn.Tanh) + 2


def test_first_weights_are_of_the_kind_that_is_asked_for() -> None:
    def first(kind: str) -> Tensor:
        weight: Tensor = (
            tiny_trainer("gan", width=64, generator={"initialization": kind}).game.generator.network.layers[0].weight
        )
        return weight.detach()

    assert first("normal").std().item() == pytest.approx(0.02, rel=0.1)
    assert first("kaiming").std().item() == pytest.approx((2 / (1 + 0.2**2) / 6) ** 0.5, rel=0.15)
    assert first("xavier").abs().max().item() <= (6 / (6 + 64)) ** 0.5
    columns = first("orthogonal")
    assert torch.allclose(columns.T @ columns, torch.eye(6), atol=1e-5)


def test_smooth_resampling_has_no_strided_convolution_and_makes_odd_sizes() -> None:
    trainer = tiny_trainer(
        "dcgan", shape=(1, 17, 9), generator={"resampling": "smooth"}, discriminator={"resampling": "smooth"}
    )
    layers = [*trainer.game.generator.modules(), *trainer.game.discriminator.modules()]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    assert {layer.stride for layer in convolutions} == {(1, 1)}
    assert not any(isinstance(layer, nn.ConvTranspose2d) for layer in convolutions)
    play(trainer, 1)


@pytest.mark.parametrize("hidden", [0, 8])
def test_opposite_corners_are_judged_together_by_a_hidden_layer_alone(hidden: int) -> None:
    """Else what one corner says is added to what the other says, whatever that is."""
    axes = {"normalization": "none", "initialization": "kaiming", "hidden": hidden}
    trainer = tiny_trainer("dcgan", shape=(1, 16, 16), discriminator=axes)
    neither, one, other, both = torch.zeros(4, 1, 16, 16)
    one[..., :3, :3] = both[..., :3, :3] = other[..., -3:, -3:] = both[..., -3:, -3:] = 1
    with torch.no_grad():
        logits = trainer.game.discriminator(torch.stack([neither, one, other, both])).logit.double()
    together = (logits[3] - logits[1] - logits[2] + logits[0]).abs() / logits.std()
    assert (together > 1e-3) == (hidden > 0)


def test_dropout_in_use_is_noise_that_the_seed_decides() -> None:
    axes = {"dropout": 0.5, "dropout_in_use": True}
    average = play(tiny_trainer("pix2pix", shape=(1, 32, 32), latent_size=0, generator=axes), 3).average
    sources = torch.rand(70, 1, 32, 32)

    def made(count: int, seed: int) -> Tensor:
        return torch.cat([images for images, _ in samples(average, count, seed, sources)])

    assert torch.equal(made(70, 0), made(70, 0))
    assert torch.equal(made(70, 0)[:5], made(5, 0))
    assert not torch.equal(made(5, 0), made(5, 1))
    before = torch.random.get_rng_state()
    made(5, 0)
    assert torch.equal(torch.random.get_rng_state(), before)


PLAIN: dict[str, Any] = {
    "penalties": [{"name": "r1"}],
    **{player: {"optimizer": "sgd", "normalization": "none"} for player in ("generator", "discriminator")},
}


def moved(side: str, position: int, size: int, **axes: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """How far each weight of a side moves in one step of that side from its first weights, and the step's columns."""
    trainer = tiny_trainer("gan", **PLAIN, **axes)
    weights = trainer.game.get_submodule(side).state_dict()
    before = copies(weights)
    columns = trainer.engine.step(Scene(Step(0, position, size), (side,), trainer.real, CPU))
    return {name: weights[name] - tensor for name, tensor in before.items()}, columns


@pytest.mark.parametrize("side", ["discriminator", "generator"])
def test_a_batch_in_two_parts_moves_weights_and_has_columns_as_the_mean_of_both(side: str) -> None:
    whole, columns = moved(side, 0, 8, accumulation=2)
    (one, of_one), (other, of_other) = (moved(side, position, 4) for position in (0, 4))
    assert any(change.any() for change in whole.values())
    for name, change in whole.items():
        assert torch.allclose(change, (one[name] + other[name]) / 2, atol=1e-7)
    for name in columns.keys() - {f"{side}_gradient"}:  # the norm of a mean is no mean of norms
        assert torch.allclose(columns[name], (of_one[name] + of_other[name]) / 2)


def test_a_pool_shows_what_was_made_before_in_place_of_about_half() -> None:
    pool, made, earlier, shown_in_all = Pool(20, (1, 2, 2)), list[float](), 0, 0
    for number in range(200):
        fakes = torch.arange(8.0).add(8 * number).view(8, 1, 1, 1).expand(8, 1, 2, 2)
        made += fakes[:, 0, 0, 0].tolist()
        shown = pool(fakes, torch.Generator().manual_seed(number))
        values = shown[:, 0, 0, 0].tolist()
        assert set(values) <= set(made)
        if number < 3:  # it takes what comes until it is full
            assert torch.equal(shown, fakes)
        else:
            earlier += sum(value < 8 * number for value in values)
            shown_in_all += 8
        assert len(set(values)) == 8
    assert earlier / shown_in_all == pytest.approx(0.5, abs=0.05)


def test_a_discriminator_with_a_pool_learns_from_other_fakes_than_without() -> None:
    plain, pooled = (play(tiny_trainer("dcgan", pool=size), 6).engine.state() for size in (0, 8))
    assert not torch.equal(plain["discriminator.head.output.weight"], pooled["discriminator.head.output.weight"])
    assert pooled["pool.images"].any()
