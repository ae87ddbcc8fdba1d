"""Metrics of shapes in voxels `[N,C,D,H,W]` in [-1,1], occupied above 0, which are compared cell by cell.

The similarity of two shapes is their intersection over union, IoU in [0,1]. All metrics depend on the number of shapes:
compare equal numbers.
"""

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d


def ious(shapes: Tensor, others: Tensor) -> Tensor:
    """The intersection over union of each pair: `[N,M]`; 1 for two empty shapes."""
    ours, theirs = ((some > 0).flatten(1).float() for some in (shapes, others))
    both = ours @ theirs.T
    either = ours.sum(1)[:, None] + theirs.sum(1)[None] - both
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def shape_coverage(real: Tensor, fake: Tensor) -> float:
    """The share of real shapes that are nearest, by IoU, to some fake one (Achlioptas et al. 2018, section 3)."""
    return len(torch.unique(ious(fake, real).argmax(1))) / len(real)


def neighbor_accuracy(real: Tensor, fake: Tensor) -> float:
    """How often the nearest other shape by IoU is of the same kind, real or fake (Lopez-Paz and Oquab 2017).

    1/2 if both kinds are alike, 1 if they are separate; below 1/2 if fakes are copies of the real shapes.
    """
    together = torch.cat([real, fake])
    alike = ious(together, together).fill_diagonal_(-1)
    is_real = torch.arange(len(together)) < len(real)
    return (is_real[alike.argmax(1)] == is_real).double().mean().item()


def largest_parts(shapes: Tensor) -> Tensor:
    """The share of each shape's occupied cells in its largest connected part: `[N]`; 0 for an empty shape.

    Cells that touch are connected, even if only at a corner.
    """
    occupied = (shapes > 0).any(1, keepdim=True)
    cells = occupied[0].numel()
    numbers = torch.arange(1.0, cells + 1).view(occupied.shape[1:]) * occupied  # below 2^24: exact in float32
    while True:  # each cell takes the highest number that touches it, until none changes
        spread = max_pool3d(numbers, 3, 1, 1) * occupied
        if torch.equal(spread, numbers):
            break
        numbers = spread
    sizes = torch.stack([torch.bincount(one, minlength=cells + 1)[1:].max() for one in numbers.flatten(1).long()])
    return sizes / occupied.flatten(1).sum(1).clamp(min=1)


def shape_figures(real: Tensor, fake: Tensor) -> dict[str, float]:
    """All these metrics, for equal numbers of fake and real shapes."""
    return {
        "shape_coverage": shape_coverage(real, fake),
        "neighbor_accuracy": neighbor_accuracy(real, fake),
        "largest_part": largest_parts(fake).mean().item(),
    }
