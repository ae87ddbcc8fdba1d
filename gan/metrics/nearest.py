"""Which real image a generated one is closest to: a generator that copies shows here."""

import torch
from torch import Tensor


def nearest(features: Tensor, among: Tensor) -> Tensor:
    """For each row of `[N, F]` the index `[N]` of the closest row of `[M, F]`, by Euclidean distance."""
    return torch.cdist(features, among).argmin(dim=1)
