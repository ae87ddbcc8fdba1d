"""Improved precision and recall (Kynkaanniemi et al. 2019, equations 1 and 2)."""

import torch
from torch import Tensor

from mintage.metrics.distances import squared_distances, squared_radii

NEIGHBORS = 3
"""The paper's k."""


def precision_recall(real: Tensor, fake: Tensor, real_radii: Tensor | None = None) -> tuple[float, float]:
    """The share of fake rows `[M, F]` within the real manifold, and of real rows `[N, F]` within the fake one.

    A manifold is the union of closed balls around its rows; a radius is the distance to the third nearest other row.
    `real_radii` are `squared_radii(real, NEIGHBORS)`, if already known. Both figures depend on the number of rows:
    compare equal numbers. Raises ValueError for 3 rows or fewer.
    """
    if real_radii is None:
        real_radii = squared_radii(real, NEIGHBORS)
    return _share_within(fake, real, real_radii), _share_within(real, fake, squared_radii(fake, NEIGHBORS))


def _share_within(rows: Tensor, others: Tensor, radii: Tensor) -> float:
    """The share of rows that lie in any of the others' balls."""
    within = [piece.sub_(radii).amin(1) <= 0 for piece in squared_distances(rows, others)]
    return torch.cat(within).double().mean().item()
