from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mintage import catalog
from mintage.penalties import clip, dragan, r1, r2, roth, squared_slopes, wgan_gp
from mintage.randomness import stream
from tests.mintage.helpers import play, tiny_trainer

SHAPE = (2, 3, 4)
LINEAR = torch.randn(24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def linear(images: Tensor) -> Tensor:
    """D(x) = w . x + 1, whose slope is |w| everywhere."""
    return images.flatten(1) @ LINEAR + 1


def quadratic(images: Tensor) -> Tensor:
    """D(x) = |x|^2 / 2, whose slope at x is |x|."""
    return images.flatten(1).square().sum(1) / 2


def batch(seed: int, count: int = 7) -> Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("penalty", [wgan_gp, dragan])
def test_a_linear_critics_one_centered_penalty_is_its_slope_less_one_squared(penalty: type) -> None:
    found = penalty(linear, batch(1), batch(2), stream(0, "test"))
    assert found.item() == pytest.approx((LINEAR.norm().item() - 1) ** 2)


@pytest.mark.parametrize("penalty", [r1, r2])
def test_a_linear_critics_zero_centered_penalty_is_half_its_slope_squared(penalty: type) -> None:
    assert penalty(linear, batch(1), batch(2), stream(0, "test")).item() == pytest.approx(
        LINEAR.square().sum().item() / 2
    )


def test_r1_is_taken_at_real_images_and_r2_at_fake_ones() -> None:
    real, fake = batch(1), 3 * batch(2)
    for penalty, images in ((r1, real), (r2, fake)):
        expected = images.flatten(1).square().sum(1).mean() / 2
        assert penalty(quadratic, real, fake, stream(0, "test")).item() == pytest.approx(expected.item())


def test_the_norm_is_of_each_image_and_not_of_the_batch() -> None:
    """A norm over the batch grows with the root of the number of images, and can be 1 where no image's is."""
    images = batch(1, count=5)
    each = torch.stack([squared_slopes(quadratic, image[None])[0] for image in images])
    assert torch.allclose(squared_slopes(quadratic, images), each)
    unit = images / images.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    assert wgan_gp(quadratic, unit, unit, stream(0, "test")).item() == pytest.approx(0, abs=1e-9)


def test_images_judged_together_have_one_slope_together() -> None:
    images = batch(1, count=6)
    packed = squared_slopes(lambda x: quadratic(x.reshape(3, -1, *SHAPE[1:])), images)
    assert torch.allclose(packed, images.reshape(3, -1).square().sum(1))


def test_an_image_judged_by_patches_has_the_slope_of_their_mean() -> None:
    images = batch(1)
    by_row = squared_slopes(lambda x: x.square().sum((1, 3)).flatten() / 2, images)
    assert torch.allclose(by_row, (images / SHAPE[1]).flatten(1).square().sum(1))


@pytest.mark.parametrize("side", [8, 16])
@pytest.mark.parametrize("name", ["wgan_gp", "r1", "roth"])
def test_a_translator_whose_discriminator_judges_patches_trains_under_a_penalty(name: str, side: int) -> None:
    plain: dict[str, Any] = {"normalization": "instance"}
    trainer = tiny_trainer("pix2pix", shape=(1, side, side), penalties=[{"name": name}], discriminator=plain)
    play(trainer, 2)
    assert trainer.summarize()["penalty"] > 0


def test_roths_penalty_also_descends_by_how_sure_the_discriminator_is() -> None:
    slope = LINEAR.clone().requires_grad_(True)

    def penalty(of: Tensor) -> Tensor:
        return roth(lambda images: images.flatten(1) @ of, batch(1), batch(2), stream(0, "test"))

    assert torch.autograd.gradcheck(penalty, slope)


def test_wgan_gp_looks_between_real_and_fake_images_at_a_random_point_of_each_pair() -> None:
    seen: list[Tensor] = []

    def critic(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return linear(images)

    real, fake = torch.ones(50, *SHAPE, dtype=torch.float64), torch.zeros(50, *SHAPE, dtype=torch.float64)
    wgan_gp(critic, real, fake, stream(0, "test"))
    amounts = seen[0].flatten(1)
    assert torch.allclose(amounts, amounts[:, :1].expand_as(amounts))  # one point on the line, not one a pixel
    assert amounts[:, 0].min() < 0.1
    assert amounts[:, 0].max() > 0.9


def test_dragan_looks_only_near_real_images() -> None:
    seen: list[Tensor] = []

    def critic(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return linear(images)

    real = batch(1)
    dragan(critic, real, 1000 + batch(2), stream(0, "test"))
    moved = seen[0] - real
    assert moved.min() >= 0
    assert 0 < moved.max() <= 0.5 * real.std()


@pytest.mark.parametrize("name", ["wgan_gp", "dragan", "r1", "r2", "roth"])
def test_a_step_down_a_penalty_brings_the_slope_nearer_to_its_aim(name: str) -> None:
    loss = catalog.load("penalty", name).loss
    assert loss is not None
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(24, 1), nn.Flatten(0))
    real, fake = batch(1).float(), batch(2).float()
    before = loss(critic, real, fake, stream(0, "test"))
    torch.autograd.backward(before)
    with torch.no_grad():
        for weight in critic.parameters():
            weight.sub_(0.01 * weight.grad if weight.grad is not None else 0)
    assert loss(critic, real, fake, stream(0, "test")) < before


def test_a_dead_critic_gets_a_penalty_without_nan() -> None:
    weight = torch.zeros(24, requires_grad=True)
    penalty = wgan_gp(lambda x: x.flatten(1) @ weight, batch(1).float(), batch(2).float(), stream(0, "test"))
    torch.autograd.backward(penalty)
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


def test_clipping_bounds_every_weight() -> None:
    critic = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5))
    clip(critic, 0.01)
    assert max(weight.abs().max().item() for weight in critic.parameters()) == pytest.approx(0.01)
