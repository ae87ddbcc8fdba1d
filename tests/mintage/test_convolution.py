from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import conv2d, conv_transpose2d

from mintage.networks.convolution import Double, Halve

LAYERS: dict[type[Halve] | type[Double], Callable[..., Tensor]] = {Halve: conv2d, Double: conv_transpose2d}
SIDES = {Halve: (8, 4), Double: (4, 2)}
"""Height and width of maps for which a layer takes the matrix product."""


def made(kind: type[Halve] | type[Double], before: int = 3, after: int = 5) -> tuple[Halve | Double, Tensor]:
    torch.manual_seed(0)
    layer = kind(before, after, bias=True).double()
    return layer, torch.randn(2, before, *SIDES[kind], dtype=torch.double, requires_grad=True)


@pytest.mark.parametrize("kind", LAYERS)
def test_small_maps_give_the_answer_and_the_gradients_of_torch(kind: type[Halve] | type[Double]) -> None:
    layer, maps = made(kind)
    wanted = LAYERS[kind](maps, layer.weight, layer.bias, 2, 1)
    answer = layer(maps)
    onto = torch.randn_like(answer)
    torch.testing.assert_close(answer, wanted)
    inputs = [maps, *layer.parameters()]
    for mine, theirs in zip(*(torch.autograd.grad(made, inputs, onto) for made in (answer, wanted)), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_gradient_penalty_can_go_through_a_gradient(kind: type[Halve] | type[Double]) -> None:
    layer, maps = made(kind, before=2, after=2)
    assert gradcheck(layer, maps)
    assert gradgradcheck(layer, maps)


@pytest.mark.parametrize("kind", LAYERS)
def test_autocast_is_heard_and_weights_get_gradients_of_their_own_kind(kind: type[Halve] | type[Double]) -> None:
    layer, maps = made(kind)
    layer, maps = layer.float(), maps.detach().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = layer(maps)
    answer.float().square().sum().backward()
    assert answer.dtype == torch.bfloat16
    assert all(weight.grad is not None and weight.grad.dtype == torch.float32 for weight in layer.parameters())
