"""The Frechet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017)."""

import torch
from torch import Tensor


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """`|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))` of features `[N, F]` and `[M, F]`; at least 0.

    Biased upwards for few rows: compare figures of equal counts only. Raises ValueError for
    fewer than 2 rows, other widths, or values that are not finite.
    """
    (mean_a, spread_a), (mean_b, spread_b) = _gaussian(features_a), _gaussian(features_b)
    if len(mean_a) != len(mean_b):
        raise ValueError(f"features are {len(mean_a)} and {len(mean_b)} wide: they must be of one width")
    # With S = D^T D, tr (S_a S_b)^(1/2) is the sum of the singular values of D_a D_b^T: real and at least 0 by
    # construction, even if a covariance is singular.
    overlap = torch.linalg.svdvals(_square(spread_a) @ _square(spread_b).T).sum()
    distance = (mean_a - mean_b).square().sum() + spread_a.square().sum() + spread_b.square().sum() - 2 * overlap
    return max(0.0, float(distance))


def _gaussian(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean `[F]`, and `[N, F]` whose product with itself, `D^T D`, is the unbiased covariance; in float64."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"a covariance needs features [N, F] of at least 2 rows, not {list(features.shape)}")
    if not torch.isfinite(features).all():
        raise ValueError("some features are not finite")
    rows = features.double()
    mean = rows.mean(0)
    return mean, (rows - mean) / (len(rows) - 1) ** 0.5


def _square(spread: Tensor) -> Tensor:
    """`[min(N, F), F]` with the same `D^T D`: the symmetric square root of that, where there are more rows than F."""
    if len(spread) <= spread.shape[1]:
        return spread
    values, vectors = torch.linalg.eigh(spread.T @ spread)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T  # what rounding left below 0 becomes 0
