"""Which shapes in voxels are copies of training shapes, by intersection over union: what `copies` asks of pixels.

A copy may be turned by quarters about the upright axis, mirrored, and moved by a cell: where the discriminator sees
shapes so (`augment`), the generator may make them so. Candidates are those whose low frequencies are as strong, over
all these poses, since comparing every two in each pose would take hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from mintage.metrics.distances import much_nearer, nearest_rows

IN_CELLS = 0.25
"""A copy's distance, 1 - IoU, to one training shape is at most a quarter of that to another."""
_CANDIDATES = 16
_FREQUENCIES = 4
_AT_ONCE = 16
_FULL = 255


@dataclass(frozen=True)
class Shapes:
    """The training shapes in which copies are looked for, none twice."""

    shares: Tensor
    """`[M,d,h,w]`, uint8: how far each place is occupied."""
    strengths: Tensor
    """`[M,F]`: of their low frequencies."""
    block: tuple[int, ...]
    """How many cells of a shape a place of its thumbnail averages, along each side."""


def shapes_of(thumbnails: Tensor, block: tuple[int, ...]) -> Shapes:
    """Of thumbnails `[N,d,h,w]` of all training shapes that are neither empty nor full."""
    shares = torch.unique(thumbnails, dim=0)
    return Shapes(shares, _strengths(shares), block)


def copied_in_cells(thumbnails: Tensor, train: Shapes) -> Tensor:
    """Which of `[N,d,h,w]` are in some pose at most a quarter as far from one of `train` as from the next: `[N]`.

    The distance is 1 - IoU; of shares in [0,1] it is Tanimoto's, which is the same where they are 0 and 1.
    """
    _, near = nearest_rows(_strengths(thumbnails), train.strengths, min(_CANDIDATES, len(train.shares)))
    found = []
    for some, which in zip(torch.split(thumbnails, _AT_ONCE), torch.split(near, _AT_ONCE), strict=True):
        posed = torch.stack([move for pose in _poses(_shares(some)) for move in _moves(pose, train.block)], 1).flatten(
            2
        )
        held = _shares(train.shares[which]).flatten(2)
        both = held @ posed.transpose(1, 2)  # [n, candidates, poses]
        either = held.square().sum(2)[:, :, None] + posed.square().sum(2)[:, None] - both
        likeness = (both / either.clamp(min=1e-6)).amax(2)
        found.append(much_nearer((1 - likeness).sort(1).values, IN_CELLS))
    return torch.cat(found)


def _shares(thumbnails: Tensor) -> Tensor:
    return thumbnails.float() / _FULL


def _poses(shares: Tensor) -> Iterator[Tensor]:
    """Turned about the first axis of `[n,d,h,w]` as far as its sides allow, and each of these mirrored."""
    for quarters in range(4) if shares.shape[2] == shares.shape[3] else (0, 2):
        turned = shares.rot90(quarters, (2, 3))
        yield from (turned, turned.flip(3))


def _moves(shares: Tensor, block: tuple[int, ...]) -> Iterator[Tensor]:
    """`[n,d,h,w]` as they are and moved by a cell along each axis and between them; what comes in is empty."""
    for steps in product((-1, 0, 1), repeat=3):
        moved = shares
        for axis, (step, cells) in enumerate(zip(steps, block, strict=True), 1):
            moved = _moved(moved, axis, step, cells) if step else moved
        yield moved


def _moved(shares: Tensor, axis: int, step: int, cells: int) -> Tensor:
    """By a cell, where a place averages so many."""
    size = shares.shape[axis]
    empty = torch.zeros_like(shares.narrow(axis, 0, 1))
    there = [empty, shares.narrow(axis, 0, size - 1)] if step > 0 else [shares.narrow(axis, 1, size - 1), empty]
    return torch.lerp(shares, torch.cat(there, axis), 1 / cells)


def _strengths(thumbnails: Tensor) -> Tensor:
    """Those of the lowest frequencies of `[N,d,h,w]`, the mean over their poses, of length 1: `[N,F]`."""
    found = []
    for some in torch.split(thumbnails, _AT_ONCE):
        poses = [_low_frequencies(pose) for pose in _poses(_shares(some))]
        found.append(F.normalize(torch.stack(poses).mean(0)))
    return torch.cat(found)


def _low_frequencies(shares: Tensor) -> Tensor:
    waves: Tensor = torch.fft.rfftn(shares, dim=(1, 2, 3)).abs()[..., :_FREQUENCIES]
    both_ways = [*range(_FREQUENCIES), *range(1 - _FREQUENCIES, 0)]
    return waves[:, both_ways][:, :, both_ways].flatten(1)
