"""The Frechet distance between two sets of features, each taken as a Gaussian (Heusel et al. 2017)."""

import torch
from torch import Tensor


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """`|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))` of features `[N, F]` and `[M, F]`; at least 0.

    Biased upwards for few rows: compare figures of equal counts only. Raises ValueError for
    fewer than 2 rows, other widths, or values that are not finite.
    """
    mean_a, covariance_a = _gaussian(features_a)
    mean_b, covariance_b = _gaussian(features_b)
    if len(mean_a) != len(mean_b):
        raise ValueError(f"features are {len(mean_a)} and {len(mean_b)} wide: they must be of one width")
    # tr (S_a S_b)^(1/2) is the sum of the singular values of S_a^(1/2) S_b^(1/2): real and
    # at least 0 by construction, even if a covariance is singular.
    overlap = torch.linalg.svdvals(_root(covariance_a) @ _root(covariance_b)).sum()
    distance = (mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * overlap
    return max(0.0, float(distance))


def _gaussian(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean `[F]` and unbiased covariance `[F, F]`, in float64."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"a covariance needs features [N, F] of at least 2 rows, not {list(features.shape)}")
    if not torch.isfinite(features).all():
        raise ValueError("some features are not finite")
    rows = features.double()
    return rows.mean(0), torch.cov(rows.T).reshape(rows.shape[1], rows.shape[1])


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root; eigenvalues that rounding left below 0 become 0."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
