"""A 3x3 convolution and the resampling beside it, as one, against the two steps by torch alone."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import avg_pool2d, interpolate
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.flop_counter import FlopCounterMode

from mintage.networks.resampling import convolve_doubled, convolve_halved
from tests.mintage.helpers import tiny_trainer

SIZES = [(8, 8), (10, 16), (16, 9), (9, 16), (13, 11), (2, 6), (1, 80), (80, 1)]
"""Of the larger map: some go one way, some the other."""
Step = Callable[[nn.Conv2d, Tensor], Tensor]
Way = Callable[[tuple[int, int]], tuple[Step, Step, Tensor]]


def layer_of(before: int = 3, after: int = 5, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(before, after, 3, padding=1, bias=bias).double()


def smaller(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // 2), -(-size[1] // 2)


def doubling(size: tuple[int, int]) -> tuple[Step, Step, Tensor]:
    """As one, in two steps, and maps for both."""
    return (
        lambda layer, maps: convolve_doubled(layer, maps, size),
        lambda layer, maps: layer(interpolate(maps, scale_factor=2)[:, :, : size[0], : size[1]]),
        torch.randn(2, 3, *smaller(size), dtype=torch.double, requires_grad=True),
    )


def halving(size: tuple[int, int]) -> tuple[Step, Step, Tensor]:
    return (
        convolve_halved,
        lambda layer, maps: avg_pool2d(layer(maps), 2, ceil_mode=True),
        torch.randn(2, 3, *size, dtype=torch.double, requires_grad=True),
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("way", [doubling, halving])
def test_one_step_gives_the_answer_and_the_gradients_of_two(way: Way, size: tuple[int, int], bias: bool) -> None:
    layer = layer_of(bias=bias)
    one, two, maps = way(size)
    answer, wanted = one(layer, maps), two(layer, maps)
    assert answer.shape[2:] == (size if way is doubling else smaller(size))
    torch.testing.assert_close(answer, wanted, rtol=0, atol=1e-10)
    onto, inputs = torch.randn_like(answer), [maps, *layer.parameters()]
    for mine, theirs in zip(*(torch.autograd.grad(made, inputs, onto) for made in (answer, wanted)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("way", [doubling, halving])
def test_one_step_takes_16_products_for_36(way: Way) -> None:
    layer = layer_of()
    one, two, maps = way((8, 12))
    counts = []
    for steps in (one, two):
        with FlopCounterMode(display=False) as counter:
            steps(layer, maps)
        counts.append(counter.get_flop_counts()["Global"][torch.ops.aten.convolution])
    assert counts[0] / counts[1] == pytest.approx(16 / 36)


@pytest.mark.parametrize("size", [(8, 8), (5, 3)], ids=str)
@pytest.mark.parametrize("way", [doubling, halving])
def test_a_gradient_penalty_can_go_through_a_gradient(way: Way, size: tuple[int, int]) -> None:
    layer, (one, _, maps) = layer_of(after=2), way(size)
    assert gradcheck(lambda maps: one(layer, maps), maps)
    assert gradgradcheck(lambda maps: one(layer, maps), maps)


@pytest.mark.parametrize("side", [6, 34])
@pytest.mark.parametrize("way", [doubling, halving])
def test_in_bfloat16_the_answer_is_that_of_two_steps_but_for_rounding(way: Way, side: int) -> None:
    """Of small maps and of large ones, which go different ways there."""
    one, two, maps = way((side, side))
    layer = layer_of()
    wanted = two(layer, maps)
    layer, maps = layer.float(), maps.detach().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = one(layer, maps)
    torch.autograd.backward(answer.float().square().sum())
    assert answer.dtype == torch.bfloat16
    assert (answer - wanted).abs().max() < 0.02 * wanted.abs().max()
    assert all(weight.grad is not None and weight.grad.dtype == torch.float32 for weight in layer.parameters())


@pytest.mark.parametrize("way", [doubling, halving])
def test_spectral_norm_makes_one_step_of_its_power_iteration(
    way: Way,
) -> None:
    one, two, maps = way((8, 10))
    layers = [layer_of()]
    spectral_norm(layers[0])
    layers.append(deepcopy(layers[0]))
    torch.testing.assert_close(one(layers[0], maps), two(layers[1], maps), rtol=0, atol=1e-10)
    for mine, theirs in zip(layers[0].buffers(), layers[1].buffers(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [(1, 16, 20), (3, 9, 13)], ids=str)
@pytest.mark.parametrize("family", ["sngan_projection", "biggan", "began"])
def test_a_familys_players_are_the_functions_that_two_steps_make(
    family: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    game = tiny_trainer(family, shape=shape).game.double().eval()
    latents, images, labels = torch.randn(4, 6).double(), torch.randn(4, *shape).double(), torch.tensor([0, 1, 2, 0])

    def answers() -> tuple[Tensor, Tensor]:
        return game.generator(latents, labels), game.discriminator(images, labels).logit

    fused = answers()
    monkeypatch.setattr("mintage.networks.resampling._worth", lambda *_: False)
    for one, two in zip(fused, answers(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-6)  # a logit is float32
