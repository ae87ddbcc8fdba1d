"""Density and coverage (Naeem et al. 2020, equations 4 and 5)."""

import torch
from torch import Tensor

from mintage.metrics.distances import squared_distances, squared_radii

NEIGHBORS = 5
"""The paper's k."""


def density_coverage(real: Tensor, fake: Tensor, real_radii: Tensor | None = None) -> tuple[float, float]:
    """Density: how many real balls a fake row `[M, F]` is in, over k. Coverage: the share of balls with a fake row.

    The balls are closed, around real rows `[N, F]`; a radius is the distance to the fifth nearest other row. Density is
    1 on average for two draws of one distribution, and can be more. `real_radii` are `squared_radii(real, NEIGHBORS)`,
    if already known. Raises ValueError for 5 real rows or fewer.
    """
    if real_radii is None:
        real_radii = squared_radii(real, NEIGHBORS)
    visits = torch.zeros(len(real), dtype=torch.int64, device=real.device)
    for piece in squared_distances(fake, real):
        visits += (piece <= real_radii).sum(0)
    density = visits.sum().item() / (NEIGHBORS * len(fake))
    return density, (visits > 0).double().mean().item()
