"""Images and the planes of their classes, not joined, for a first layer that can read both separately.

A linear layer's output for image and plane joined is the sum of its outputs for each. There is only one plane a class,
so that part is computed once for each class and not for each image.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Labeled(NamedTuple):
    """A discriminator's input: images, and the class planes to join to them."""

    image: Tensor
    """`[N,C,H,W]`."""
    planes: Tensor
    """`[classes,P,H,W]`, the planes of each class."""
    label: Tensor
    """`[N]`, each image's class."""

    def through(self, layer: nn.Linear) -> Tensor:
        """The layer's output `[N,F]` for each image and the plane of its class, joined as channels and flattened."""
        casts = torch.is_autocast_enabled(self.image.device.type)
        kind = torch.get_autocast_dtype(self.image.device.type) if casts else layer.weight.dtype
        rows = self.image.flatten(1).to(kind), self.planes.flatten(1).to(kind)
        answer: Tensor = _Through.apply(*rows, layer.weight.to(kind), self.label)  # type: ignore[no-untyped-call]
        return answer if layer.bias is None else answer + layer.bias.to(kind)


class _Through(torch.autograd.Function):
    """(images `[N,I]`, planes `[K,J]`, weight `[F,I+J]`, label `[N]`) -> `[N,F]`."""

    @staticmethod
    def forward(context: Any, images: Tensor, planes: Tensor, weight: Tensor, label: Tensor) -> Tensor:
        context.save_for_backward(images, planes, weight, label)
        of_image, of_plane = weight[:, : images.shape[1]], weight[:, images.shape[1] :]
        return linear(images, of_image).add_(linear(planes, of_plane)[label])

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, planes, weight, label = context.saved_tensors
        of_image, of_plane = weight[:, : images.shape[1]], weight[:, images.shape[1] :]
        by_image = gradients[0]
        by_class = by_image.new_zeros(len(planes), len(weight)).index_add(0, label, by_image)
        for_images, for_planes, for_weight, _ = context.needs_input_grad
        return (
            by_image @ of_image if for_images else None,
            by_class @ of_plane if for_planes else None,
            _side_by_side((by_image.T, images), (by_class.T, planes)) if for_weight else None,
            None,
        )


def _side_by_side(*factors: tuple[Tensor, Tensor]) -> Tensor:
    """The products of these pairs of matrices, side by side."""
    if torch.is_grad_enabled():  # a gradient's gradient is wanted
        return torch.cat([one @ other for one, other in factors], dim=1)
    widths = [other.shape[1] for _, other in factors]
    joined = factors[0][0].new_empty(len(factors[0][0]), sum(widths))
    for (one, other), place in zip(factors, torch.split(joined, widths, dim=1), strict=True):
        torch.mm(one, other, out=place)
    return joined
