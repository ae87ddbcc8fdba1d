"""Mode collapse on data of known modes, by the protocol of PacGAN (Lin et al. 2018, section 4.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mintage.mixture import Mixture

_HIGH_QUALITY = 3.0
"""Standard deviations from a mode up to which a point is of high quality."""


@dataclass(frozen=True)
class ModeFigures:
    captured: int
    """How many modes are the nearest mode of a high-quality point."""
    high_quality: float
    """Share of points within three standard deviations of their nearest mode."""
    reverse_kl: float
    """KL(generated || true) over the modes, in nats; generated shares count the high-quality points of each mode."""


def mode_figures(points: Tensor, truth: Mixture) -> ModeFigures:
    """The figures of points `[N,D]`. Real points of two dimensions are of high quality in 98.9% (1 - exp(-4.5)).

    The reverse KL of N real points is about (K - 1) / 2N for K modes. Its maximum is log K, if all points are in one
    mode or none is of high quality.
    Raises ValueError if there is no point, or the points have other dimensions or are not finite.
    """
    modes, dimensions = truth.centers.shape
    if points.ndim != 2 or len(points) == 0 or points.shape[1] != dimensions:
        raise ValueError(f"points must be [N,{dimensions}] with N at least 1, not {list(points.shape)}")
    if not torch.isfinite(points).all():
        raise ValueError("some points are not finite")
    distance, nearest = truth.nearest(points)
    good = distance <= _HIGH_QUALITY * truth.std
    counts = torch.bincount(nearest[good], minlength=modes).double()
    shares = counts / counts.sum()
    reverse_kl = (
        torch.special.xlogy(shares, shares * modes).sum().clamp(min=0) if good.any() else torch.tensor(modes).log()
    )
    return ModeFigures(int((counts > 0).sum()), good.double().mean().item(), reverse_kl.item())
