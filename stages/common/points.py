"""Points as images, and back to their own units."""

import torch
from torch import Tensor

from mintage.mixture import Mixture
from stages.common.truth import Truth


def mixture_of(truth: Truth) -> Mixture:
    """What the points are drawn from, in float64 and their own units."""
    return Mixture(torch.tensor(truth.centres, dtype=torch.float64), truth.std)


def to_coordinates(images: Tensor, truth: Truth) -> Tensor:
    """Points as images `[N,1,1,D]` in [-1,1] to their coordinates `[N,D]`."""
    return images.flatten(1).double() * truth.scale
