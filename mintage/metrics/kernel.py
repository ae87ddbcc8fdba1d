"""The kernel distance between two sets of features: MMD^2 with a cubic kernel (Binkowski et al. 2018)."""

import torch
from torch import Tensor

from mintage.randomness import stream

FEWEST_ROWS = 4
"""Two groups of two: without one of the groups, a pair is still left."""
_GROUPS = 20
_PIECE = 2**11
"""Rows of a group that are used at once, so that memory does not grow with the square of their number."""


def kernel_distance(real: Tensor, fake: Tensor, seed: int) -> tuple[float, float]:
    """The unbiased MMD^2 of features `[N, F]` and `[M, F]` over all pairs, and its standard error.

    Around 0, and often below, if both are draws of one distribution. The error is the jackknife's: the spread of the
    estimates without one of 20 random groups of rows, drawn by `seed`. It is up to half too large if the distributions
    are equal, since then only pairs of rows vary. Raises ValueError for fewer than `FEWEST_ROWS` rows or other widths.
    """
    if min(len(real), len(fake)) < FEWEST_ROWS or real.shape[1:] != fake.shape[1:]:
        what = f"not {list(real.shape)} and {list(fake.shape)}"
        raise ValueError(f"a kernel distance needs features of one width and at least {FEWEST_ROWS} rows, {what}")
    count = min(_GROUPS, len(real) // 2, len(fake) // 2)
    reals, fakes = _groups(real, count, seed, "real"), _groups(fake, count, seed, "fake")
    estimates = _mean_within(reals) + _mean_within(fakes) - 2 * _mean_between(reals, fakes)
    spread = (estimates[1:] - estimates[1:].mean()).square().sum() * (count - 1) / count
    return estimates[0].item(), spread.sqrt().item()


def _groups(rows: Tensor, count: int, seed: int, name: str) -> list[Tensor]:
    """The rows in float64, shuffled, in `count` groups of nearly equal size."""
    order = torch.randperm(len(rows), generator=stream(seed, f"kernel/{name}"))
    return list(rows.double()[order.to(rows.device)].tensor_split(count))


def _mean_within(groups: list[Tensor]) -> Tensor:
    """The mean kernel over pairs of distinct rows, `[1 + G]`: with all groups, then without each."""
    sums, sizes = torch.zeros(len(groups), len(groups), dtype=torch.float64), _sizes(groups)
    for i, a in enumerate(groups):
        for j, b in enumerate(groups[: i + 1]):
            sums[i, j] = sums[j, i] = _total(a, b, same=i == j)
    return _leave_out(sums) / _leave_out(sizes.outer(sizes) - sizes.diag())


def _mean_between(groups_a: list[Tensor], groups_b: list[Tensor]) -> Tensor:
    """The mean kernel over pairs of a row of a and a row of b, `[1 + G]`: with all groups, then without each."""
    sums = torch.tensor([[_total(a, b) for b in groups_b] for a in groups_a], dtype=torch.float64)
    return _leave_out(sums) / _leave_out(_sizes(groups_a).outer(_sizes(groups_b)))


def _leave_out(table: Tensor) -> Tensor:
    """The sum of a table `[G, G]`, then the sums without row i and column i: `[1 + G]`."""
    total = table.sum()
    return torch.cat([total[None], total - table.sum(0) - table.sum(1) + table.diagonal()])


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """`(x.y / F + 1)^3` of every row of `a` with every row of `b`."""
    inner = (a @ b.T / a.shape[1]).add_(1)
    return inner * inner * inner


def _total(a: Tensor, b: Tensor, same: bool = False) -> float:
    """The sum of the kernel over pairs of a row of a and a row of b; if both are the `same`, of distinct rows."""
    total = 0.0
    for start in range(0, len(a), _PIECE):
        table = _kernel(a[start : start + _PIECE], b)
        total += float(table.sum() - table.diagonal(start).sum() if same else table.sum())
    return total


def _sizes(groups: list[Tensor]) -> Tensor:
    return torch.tensor([len(group) for group in groups], dtype=torch.float64)
