"""Convolutions of stride 2 that compute their weights' gradient as a matrix product for small feature maps on a CPU.

oneDNN is slow there: for 64 x 128 x 8 x 8 to 64 x 256 x 4 x 4 the product takes a quarter of its time in bfloat16.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

KERNEL, STRIDE, PADDING = 4, 2, 1
_FEW = 16
"""Places of the smaller feature map up to which the product is faster."""


class Halve(nn.Conv2d):
    """`[N,C,H,W]`, both sides even, to `[N,C',H/2,W/2]`."""

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__(before, after, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        return _convolved(_Halve, self, input) if _few(input, 4 * _FEW) else super().forward(input)


class Double(nn.ConvTranspose2d):
    """`[N,C,H,W]` to `[N,C',2H,2W]`."""

    def __init__(self, before: int, after: int, bias: bool) -> None:
        super().__init__(before, after, KERNEL, STRIDE, PADDING, bias=bias)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return _convolved(_Double, self, input) if _few(input, _FEW) else super().forward(input, output_size)


def convolution(rank: int) -> type[nn.Conv1d | nn.Conv2d | nn.Conv3d]:
    """The class of a convolution over `rank` axes."""
    kinds: dict[int, type[nn.Conv1d | nn.Conv2d | nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
    return kinds[rank]


def halving(before: int, after: int, bias: bool, rank: int) -> nn.Module:
    """`Halve`, over `rank` axes."""
    if rank == 2:
        return Halve(before, after, bias)
    return convolution(rank)(before, after, KERNEL, STRIDE, PADDING, bias=bias)


def doubling(before: int, after: int, bias: bool, rank: int) -> nn.Module:
    """`Double`, over `rank` axes."""
    if rank == 2:
        return Double(before, after, bias)
    kind = nn.ConvTranspose1d if rank == 1 else nn.ConvTranspose3d
    return kind(before, after, KERNEL, STRIDE, PADDING, bias=bias)


def _few(maps: Tensor, places: int) -> bool:
    return maps.device.type == "cpu" and maps.shape[2] * maps.shape[3] <= places


def _convolved(function: Any, layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor) -> Tensor:
    """The layer's output, in the precision that autocast asks for."""
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else maps.dtype
    made: Tensor = function.apply(maps.to(kind), layer.weight.to(kind))
    return made if layer.bias is None else made + layer.bias.to(kind)[:, None, None]


# The gradient of each function is the other, so a gradient's gradient (as gradient penalties need) is fast as well.


class _Halve(torch.autograd.Function):
    """maps `[N,C,H,W]`, weight `[C',C,4,4]` -> `[N,C',H/2,W/2]`."""

    @staticmethod
    def forward(context: Any, maps: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(maps, weight)
        return conv2d(maps, weight, None, STRIDE, PADDING)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        maps, weight = context.saved_tensors
        for_maps, for_weight = context.needs_input_grad
        return (
            _Double.apply(gradients[0], weight) if for_maps else None,  # type: ignore[no-untyped-call]
            _weight_gradient(maps, gradients[0]) if for_weight else None,
        )


class _Double(torch.autograd.Function):
    """maps `[N,C,h,w]`, weight `[C,C',4,4]` -> `[N,C',2h,2w]`."""

    @staticmethod
    def forward(context: Any, maps: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(maps, weight)
        return conv_transpose2d(maps, weight, None, STRIDE, PADDING)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        maps, weight = context.saved_tensors
        for_maps, for_weight = context.needs_input_grad
        return (
            _Halve.apply(gradients[0], weight) if for_maps else None,  # type: ignore[no-untyped-call]
            _weight_gradient(gradients[0], maps) if for_weight else None,
        )


def _weight_gradient(large: Tensor, small: Tensor) -> Tensor:
    """From large maps `[N,C,2h,2w]` and small ones `[N,C',h,w]`: `[C',C,4,4]`, a product of their patches."""
    patches = pad(large.permute(0, 2, 3, 1), (0, 0, *[PADDING] * 4)).unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)
    n, height, width, channels = patches.shape[:4]
    rows = patches.permute(0, 1, 2, 4, 5, 3).reshape(n * height * width, KERNEL * KERNEL * channels)
    product = small.permute(0, 2, 3, 1).reshape(len(rows), -1).T @ rows
    return product.view(-1, KERNEL, KERNEL, channels).permute(0, 3, 1, 2)
