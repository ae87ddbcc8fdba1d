"""Squared Euclidean distances, a few rows at a time: a table of 10,000 by 10,000 is never held whole."""

from collections.abc import Iterator

import torch
from torch import Tensor

_ELEMENTS = 2**21
"""Numbers in a piece of the table: 8 MB, which stays in a processor's cache."""
_BLOCK = 2**14
"""Rows of the others that a search uses at once, so that it copies no more of them."""
_GROUP = 64
"""Columns of the table in a group; the minima of groups are computed first."""
_NARROW = 16
"""Features up to which differences are computed directly: exact, while a matrix product rounds."""
_FAR = 100.0
"""How many times the median squared length a row may have, for one rounding error to hold for all rows."""

_CLOSED = 1 + 1e-5
"""Factor that keeps the row on a ball's edge inside the ball, whatever the rounding of its distance."""

TWINS = 3
"""How many nearly equal training images a copy may have at most; equal thumbnails count as one."""


def squared_distances(rows: Tensor, others: Tensor) -> Iterator[Tensor]:
    """Pieces `[n, M]` of the squared distances of rows `[N, F]` to others `[M, F]`, in order; equal rows have 0.

    Raises ValueError if their widths differ, or values are not finite.
    """
    if rows.ndim != 2 or others.ndim != 2 or rows.shape[1] != others.shape[1]:
        raise ValueError(f"features must be [N, F] of one width, not {list(rows.shape)} and {list(others.shape)}")
    if not (torch.isfinite(rows).all() and torch.isfinite(others).all()):
        raise ValueError("some features are not finite")
    pieces = torch.split(rows, max(1, _ELEMENTS // max(1, len(others))))
    if rows.shape[1] <= _NARROW:
        return (torch.cdist(piece, others, compute_mode="donot_use_mm_for_euclid_dist").square_() for piece in pieces)
    return _by_products(pieces, others)


def _by_products(pieces: tuple[Tensor, ...], others: Tensor) -> Iterator[Tensor]:
    """`|a|^2 + |b|^2 - 2 a.b`, around the mean; values within the rounding error become 0, so equal rows have 0."""
    middle = others.mean(0)
    others = others - middle
    norms = others.square().sum(1)
    rounding = 2 * torch.finfo(others.dtype).eps * others.shape[1] ** 0.5
    usual, longest = _FAR * norms.median(), norms.max()
    for piece in pieces:
        near = piece - middle
        own = near.square().sum(1)
        table = torch.addmm(norms, near, others.T, alpha=-2).add_(own[:, None])
        most = torch.maximum(longest, own.max())
        if most <= usual:  # in half the time
            yield torch.threshold_(table, rounding * float(most), 0.0)
        else:  # one error for all would make all other rows equal if one row is far away
            yield table.masked_fill_(table <= rounding * torch.maximum(norms, own[:, None]), 0.0)


def nearest_rows(rows: Tensor, others: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """For each row of `[N, F]` the squared distances `[N, k]` to the k nearest others of `[M, F]`, the nearest first.

    Also returns their indices `[N, k]`. Raises ValueError for fewer than k others, or as `squared_distances` does.
    """
    if len(others) < k:
        raise ValueError(f"the {k} nearest of {len(others)} images cannot be told")
    distances, indices = torch.empty(len(rows), 0), torch.empty(len(rows), 0, dtype=torch.int64)
    for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK]
        found = [_smallest(piece, min(k, len(block))) for piece in squared_distances(rows, block)]
        distances = torch.cat([distances, torch.cat([values for values, _ in found])], 1)
        indices = torch.cat([indices, torch.cat([where for _, where in found]) + start], 1)
        distances, best = distances.topk(min(k, distances.shape[1]), largest=False)
        indices = indices.gather(1, best)
    return distances, indices


def _smallest(table: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest numbers of each row of `[n,M]` and their columns: `[n,k]` each, the smallest first.

    They are in the k groups of columns with the smallest minima, so hardly anything has to be sorted.
    """
    groups, columns = table.shape[1] // _GROUP, table.shape[1]
    if groups <= 2 * k:
        values, where = table.topk(k, largest=False)
        return values, where
    whole = groups * _GROUP
    best = table[:, :whole].view(len(table), groups, _GROUP).amin(2).topk(k, largest=False, sorted=False).indices
    where = (_GROUP * best[:, :, None] + torch.arange(_GROUP)).flatten(1)
    where = torch.cat([where, torch.arange(whole, columns).expand(len(table), -1)], 1)
    values, found = table.gather(1, where).topk(k, largest=False)
    return values, where.gather(1, found)


def squared_radii(rows: Tensor, k: int) -> Tensor:
    """The squared distance `[N]` of each row of `[N, F]` to its k-th nearest other row, times `_CLOSED`.

    Raises ValueError for fewer than k other rows.
    """
    if len(rows) <= k:
        raise ValueError(f"the {k} nearest neighbors need at least {k + 1} images, and there are {len(rows)}")
    distances, _ = nearest_rows(rows, rows, k + 1)
    return distances[:, k] * _CLOSED


def much_nearer(distances: Tensor, share: float) -> Tensor:
    """Whether 1 to `TWINS` nearest rows are at most `share` times as far as the next; `[N,k]`, nearest first."""
    return (distances[:, :-1] <= share * distances[:, 1:])[:, :TWINS].any(1)
