"""Figures of shapes in voxels `[N,C,D,H,W]` in [-1,1], occupied above 0: compared is where they are, cell by cell.

Two shapes are as alike as their intersection over union, IoU in [0,1]. All figures depend on how many shapes there are:
compare those of equal counts.
"""

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d


def ious(shapes: Tensor, others: Tensor) -> Tensor:
    """The intersection over union of every two: `[N,M]`; 1 of two that are empty."""
    ours, theirs = (_occupied(some).flatten(1).float() for some in (shapes, others))
    both = ours @ theirs.T
    either = ours.sum(1)[:, None] + theirs.sum(1)[None] - both
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def shape_coverage(real: Tensor, fake: Tensor) -> float:
    """The share of real shapes that are the nearest to some fake one, by IoU (Achlioptas et al. 2018, section 3)."""
    return len(torch.unique(ious(fake, real).argmax(1))) / len(real)


def neighbor_accuracy(real: Tensor, fake: Tensor) -> float:
    """How often the nearest other shape by IoU is of the same kind, real or fake (Lopez-Paz and Oquab 2017).

    1/2 where nobody can tell them apart, 1 where everybody can; below 1/2 fakes are copies of the real shapes.
    """
    together = torch.cat([real, fake])
    alike = ious(together, together).fill_diagonal_(-1)
    is_real = torch.arange(len(together)) < len(real)
    return (is_real[alike.argmax(1)] == is_real).double().mean().item()


def largest_parts(shapes: Tensor) -> Tensor:
    """Of each shape the share of its occupied cells that are of its largest connected part: `[N]`; 0 of an empty one.

    Cells are connected where they touch, if only at a corner.
    """
    occupied = _occupied(shapes).any(1, keepdim=True)
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
    """All of these, of as many fake shapes as real ones."""
    return {
        "shape_coverage": shape_coverage(real, fake),
        "neighbor_accuracy": neighbor_accuracy(real, fake),
        "largest_part": largest_parts(fake).mean().item(),
    }


def _occupied(shapes: Tensor) -> Tensor:
    return shapes > 0
