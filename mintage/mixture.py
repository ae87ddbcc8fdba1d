"""Data of known density: equally likely Gaussians, and the discriminator that is optimal against them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """K Gaussians `N(center, std^2 I)` of D dimensions, all equally likely."""

    centers: Tensor
    """`[K,D]`."""
    std: float

    def nearest(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """For each point `[N,D]` the distance to its nearest center, and that center's index: both `[N]`."""
        # No matrix product: its rounding error is as large as a small standard deviation.
        distances = torch.cdist(points.double(), self.centers.double(), compute_mode="donot_use_mm_for_euclid_dist")
        nearest = distances.min(dim=1)
        return nearest.values, nearest.indices

    def density(self, points: Tensor) -> Tensor:
        """p(x) at points `[N,D]`: `[N]`, in float64."""
        dimensions = self.centers.shape[1]
        squared = (points.double()[:, None] - self.centers.double()).square().sum(2)
        height = (2 * math.pi * self.std**2) ** (-dimensions / 2)
        return height * (-squared / (2 * self.std**2)).exp().mean(1)


def optimal_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """D*(x) = p_data / (p_data + p_g) from the two densities at x `[N]` (Goodfellow et al. 2014, proposition 1).

    It is 1/2 where both densities are 0 in floating point: the game never goes there.
    """
    total = real + fake
    return torch.where(total > 0, real / total.clamp(min=torch.finfo(total.dtype).tiny), 0.5)
