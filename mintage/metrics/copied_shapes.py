"""Which shapes in voxels are copies of training shapes, by intersection over union: as `copies` for pictures.

A copy may be rotated by quarter turns about the upright axis, mirrored, and shifted by a cell: if the discriminator
sees such shapes (`augment`), the generator may make them. Only training shapes with the most similar low frequencies,
over all these poses, are compared, since comparing every two shapes in each pose would take hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from mintage.metrics.distances import much_nearer, nearest_rows

IN_CELLS = 0.25
"""A copy's distance, 1 - IoU, to a training shape is at most this share of its distance to the next."""
_CANDIDATES = 16
_FREQUENCIES = 4
_AT_ONCE = 16
_FULL = 255


@dataclass(frozen=True)
class Shapes:
    """The distinct training shapes of which copies are looked for."""

    shares: Tensor
    """`[M,d,h,w]`, uint8: the occupied share of each place, 255 if all of it is."""
    strengths: Tensor
    """`[M,F]`: the strengths of their low frequencies."""
    block: tuple[int, ...]
    """How many cells of a shape are averaged to a place of its thumbnail, along each side."""


def shapes_of(thumbnails: Tensor, block: tuple[int, ...]) -> Shapes:
    """The `Shapes` from thumbnails `[N,d,h,w]` of all training shapes that are neither empty nor full."""
    shares = torch.unique(thumbnails, dim=0)
    return Shapes(shares, _strengths(shares), block)


def copied_in_cells(thumbnails: Tensor, train: Shapes) -> Tensor:
    """Which thumbnails `[N,d,h,w]` are, in some pose, at most `IN_CELLS` as far from one of `train` as from the next.

    Returns `[N]`, bool. The distance is 1 - IoU; for shares in [0,1] it is Tanimoto's, which is equal for 0 and 1.
    """
    near = candidates(_strengths(thumbnails), train.strengths)
    parts = zip(torch.split(thumbnails, _AT_ONCE), torch.split(near, _AT_ONCE), strict=True)
    return torch.cat([much_nearer(_distances(some, which, train), IN_CELLS) for some, which in parts])


def candidates(strengths: Tensor, train: Tensor) -> Tensor:
    """The numbers `[N,k]` of the training images whose strengths `[M,F]` are most similar to each of `[N,F]`."""
    return nearest_rows(strengths, train, min(_CANDIDATES, len(train)))[1]


def low_frequencies(levels: Tensor) -> Tensor:
    """The strengths `[n,F]` of the lowest frequencies of thumbnails `[n,h,w]` or `[n,d,h,w]`."""
    axes = tuple(range(1, levels.ndim))
    waves: Tensor = torch.fft.rfftn(levels, dim=axes).abs()[..., :_FREQUENCIES]
    both_ways = torch.tensor([*range(_FREQUENCIES), *range(1 - _FREQUENCIES, 0)])
    for axis in axes[:-1]:
        waves = waves.index_select(axis, both_ways % waves.shape[axis])
    return waves.flatten(1)


def _distances(thumbnails: Tensor, which: Tensor, train: Shapes) -> Tensor:
    """How far each of `[n,d,h,w]` is, in its best pose, from its candidates `[n,k]`: `[n,k]`, the nearest first."""
    posed = torch.stack([move for pose in _poses(_shares(thumbnails)) for move in _moves(pose, train.block)], 1)
    held, posed = _shares(train.shares[which]).flatten(2), posed.flatten(2)
    both = held @ posed.transpose(1, 2)  # [n, candidates, poses]
    either = held.square().sum(2)[:, :, None] + posed.square().sum(2)[:, None] - both
    return (1 - (both / either.clamp(min=1e-6)).amax(2)).sort(1).values


def _shares(thumbnails: Tensor) -> Tensor:
    return thumbnails.float() / _FULL


def _poses(shares: Tensor) -> Iterator[Tensor]:
    """`[n,d,h,w]` in all quarter turns about the first axis that its sides allow, and each of these mirrored."""
    for quarters in range(4) if shares.shape[2] == shares.shape[3] else (0, 2):
        turned = shares.rot90(quarters, (2, 3))
        yield from (turned, turned.flip(3))


def _moves(shares: Tensor, block: tuple[int, ...]) -> Iterator[Tensor]:
    """`[n,d,h,w]` unchanged, and shifted by a cell along any of the axes; the cells that come in are empty."""
    for steps in product((-1, 0, 1), repeat=3):
        moved = shares
        for axis, (step, cells) in enumerate(zip(steps, block, strict=True), 1):
            moved = _moved(moved, axis, step, cells) if step else moved
        yield moved


def _moved(shares: Tensor, axis: int, step: int, cells: int) -> Tensor:
    """Shares shifted by one of the shape's cells; a place is the average of `cells` cells."""
    size = shares.shape[axis]
    empty = torch.zeros_like(shares.narrow(axis, 0, 1))
    there = [empty, shares.narrow(axis, 0, size - 1)] if step > 0 else [shares.narrow(axis, 1, size - 1), empty]
    return torch.lerp(shares, torch.cat(there, axis), 1 / cells)


def _strengths(thumbnails: Tensor) -> Tensor:
    """Strengths `[N,F]` of the lowest frequencies of `[N,d,h,w]`: means over poses, scaled to length 1."""
    found = []
    for some in torch.split(thumbnails, _AT_ONCE):
        poses = [low_frequencies(pose) for pose in _poses(_shares(some))]
        found.append(F.normalize(torch.stack(poses).mean(0)))
    return torch.cat(found)
