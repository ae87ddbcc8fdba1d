"""Density and coverage (Naeem et al. 2020, equations 4 and 5)."""

import torch
from torch import Tensor

from mintage.metrics.distances import squared_distances, squared_radii

NEIGHBOURS = 5
"""The paper's k."""


def density_coverage(real: Tensor, fake: Tensor, real_radii: Tensor | None = None) -> tuple[float, float]:
    """How many real balls a fake row `[M, F]` lies in, over k; and the share of real balls with a fake row in them.

    The balls are closed, around real rows `[N, F]`, each as wide as the distance to the fifth nearest other. Density is
    1 on average for two draws of one distribution, and can be more. `real_radii` are
    `squared_radii(real, NEIGHBOURS)`, where they are known already. Raises ValueError for 5 real rows or fewer.
    """
    if real_radii is None:
        real_radii = squared_radii(real, NEIGHBOURS)
    visits = torch.zeros(len(real), dtype=torch.int64, device=real.device)
    for piece in squared_distances(fake, real):
        visits += (piece <= real_radii).sum(0)
    density = visits.sum().item() / (NEIGHBOURS * len(fake))
    return density, (visits > 0).double().mean().item()
