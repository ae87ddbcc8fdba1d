"""A feature map doubled before a 3x3 convolution, or halved after it: both as one convolution of stride 2.

A pixel repeated 2 x 2 gives several of the kernel's weights the same value, so one product with the weights' sum is
enough: 16 products in place of 36. The same is true of a mean of four outputs. Results differ only by rounding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, avg_pool2d, avg_pool3d, conv2d, conv_transpose2d, interpolate

Size = tuple[int, ...]
_SHIFTS = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
"""`[4,3]`, along one axis: each of the 4 new weights is the sum of the 3 old ones that have a 1 in its row."""
_DOWN = torch.kron(_SHIFTS, _SHIFTS) / 4
_UP = torch.kron(_SHIFTS.flip(1), _SHIFTS.flip(1))
"""`[16,9]`, for both axes: `_DOWN` for means of four; `_UP` mirrored, as a transposed convolution reads its kernel."""
_PLACES, _PLACES_IN_BFLOAT16 = 64, 512
"""Places of the larger map from which a single convolution is faster, in float32 and in bfloat16."""


def doubled(maps: Tensor, size: Size) -> Tensor:
    """Each pixel repeated twice along each axis, cut to exactly `size`."""
    return cut(interpolate(maps, scale_factor=2, mode="nearest"), size)


def cut(maps: Tensor, size: Size) -> Tensor:
    """The first `size` places along each axis."""
    return maps[:, :, *[slice(side) for side in size]]


def halved(maps: Tensor) -> Tensor:
    """The mean of each 2 x 2 pixels, of any number of axes; an odd side is rounded up, with fewer pixels at its end."""
    pools = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}
    return pools[maps.ndim - 2](maps, 2, ceil_mode=True)


def convolve_doubled(layer: nn.Module, maps: Tensor, size: Size) -> Tensor:
    """`layer(doubled(maps, size))` for a 3x3 layer: `[N,C,h,w]` to `[N,C',*size]`, each side 2h or 2h - 1."""
    if not isinstance(layer, nn.Conv2d) or not _worth(maps, size):
        return layer(doubled(maps, size))
    kernel = _summed(layer.weight, _UP).transpose(0, 1)
    if layer.bias is None:
        return conv_transpose2d(maps, kernel, None, stride=2, padding=1)
    made = conv_transpose2d(maps, kernel, layer.bias.detach(), stride=2, padding=1)
    return _BiasGradient.apply(made, layer.bias)  # type: ignore[no-untyped-call]


def convolve_halved(layer: nn.Module, maps: Tensor) -> Tensor:
    """`halved(layer(maps))` for a 3x3 layer: `[N,C,H,W]` to `[N,C',H/2,W/2]`, rounded up."""
    if not isinstance(layer, nn.Conv2d) or not _worth(maps, maps.shape[2:]):
        return halved(layer(maps))
    return conv2d(maps, _summed(layer.weight, _DOWN), layer.bias, stride=2, padding=1)


def _worth(maps: Tensor, larger: Size) -> bool:
    """Whether a single convolution is faster and gives the same, which it does if the larger map's sides are even."""
    if maps.device.type != "cpu" or larger[0] % 2 or larger[1] % 2:
        return False
    narrow = maps.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")
    return larger[0] * larger[1] >= (_PLACES_IN_BFLOAT16 if narrow else _PLACES)


def _summed(weight: Tensor, sums: Tensor) -> Tensor:
    """The kernel `[C',C,4,4]` for stride 2, made from a kernel `[C',C,3,3]`; both channels last."""
    after, before = weight.shape[:2]
    kernel = sums.to(weight.dtype) @ weight.permute(0, 2, 3, 1).reshape(after, 9, before)
    return kernel.view(after, 4, 4, before).permute(0, 3, 1, 2)


class _BiasGradient(torch.autograd.Function):
    """Give a bias `[C]`, already added to maps `[N,C,H,W]`, its gradient; oneDNN would take ten times as long."""

    @staticmethod
    def forward(context: Any, maps: Tensor, bias: Tensor) -> Tensor:
        return maps.view_as(maps)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        return gradients[0], gradients[0].sum((0, 2, 3))
