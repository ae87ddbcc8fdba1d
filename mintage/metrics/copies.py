"""How many images are copies of training images, by a ratio of distances (Yoon et al. 2023), in features and in pixels.

The ratio compares an image with the density of the data around it. By short distances alone (the rank test of Meehan et
al. 2020), a generator of few, average or blurred images would count as a copier; but such an image is about equally far
from several training images. Nearly equal training images do not hide a copy of them: what counts is the step from a
few nearest ones to the next.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mintage.metrics.copied_shapes import Shapes, candidates, copied_in_cells, low_frequencies, shapes_of
from mintage.metrics.distances import TWINS, much_nearer, nearest_rows

IN_FEATURES = 1 / 3
"""The paper's ratio: a copy is at most a third as far from one training image as from any other."""
IN_PIXELS = 0.4
"""The ratio for thumbnails: with a third, more of the planted copies with noise are missed (docs/measuring.md)."""
_FLAT = 2.0
"""Standard deviation, in levels of 255, up to which an image counts as flat, and so as no copy."""
_DETAIL = 16
_AT_ONCE = 256
_OF_SHAPES = 4
"""Axes of a batch of shapes' thumbnails."""


@dataclass(frozen=True)
class Originals:
    """The distinct training images, none of them flat, of which copies are looked for: only what is compared."""

    details: Tensor
    """`[M,h,w]`, uint8: thumbnails without their edges, averaged if they are large."""
    strengths: Tensor
    """`[M,F]`: the strengths of their low frequencies."""
    block: tuple[int, int]
    """How many pixels of an image are averaged to a pixel of its thumbnail, down and to the right."""


def originals(thumbnails: Tensor, block: tuple[int, ...]) -> Originals | Shapes | None:
    """What is compared, from thumbnails `[N,h,w]` or `[N,d,h,w]` of all training images; None if all are flat."""
    if thumbnails.ndim == _OF_SHAPES:
        shapes = thumbnails[~flat(thumbnails)]
        return shapes_of(shapes, block) if len(shapes) else None
    varied = (some[~flat(some)] for some in torch.split(thumbnails, _AT_ONCE))
    parts = [(_details(some), _strengths(some)) for some in varied if len(some)]
    if not parts:
        return None
    details, which = torch.unique(torch.cat([part for part, _ in parts]), dim=0, return_inverse=True)
    first = torch.full((len(details),), len(which)).scatter_reduce_(0, which, torch.arange(len(which)), "amin")
    return Originals(details, torch.cat([part for _, part in parts])[first], (block[0], block[1]))


def near_copies(
    features: Tensor, train: Tensor, thumbnails: Tensor | None, found_in: Originals | Shapes | None
) -> float:
    """The share of images that are copies: the larger result of two searches.

    One compares features `[N,F]` with `train` `[M,F]`; the other thumbnails, `[N,h,w]` or `[N,d,h,w]`, if there are
    any. Flat images are no copies. Raises ValueError for fewer than 2 training images.
    """
    found = [copied_in_features(features, train)]
    if thumbnails is not None and found_in is not None:
        found.append(copied_in_thumbnails(thumbnails, found_in))
    varied = True if thumbnails is None else ~flat(thumbnails)
    return max((one & varied).double().mean().item() for one in found)


def copied_in_features(images: Tensor, train: Tensor) -> Tensor:
    """Which rows of `[N,F]` are at most a third as far from the nearest of `train` `[M,F]` as from the next: `[N]`.

    In D dimensions an image is a "copy" by chance with a probability of about 3^-D: compare with the holdout.
    Raises ValueError for fewer than 2 rows of `train`, or no image.
    """
    if len(train) < 2 or len(images) == 0:
        raise ValueError(f"copies need 2 training images and an image, not {len(train)} and {len(images)}")
    distances, _ = nearest_rows(images, train, min(TWINS + 1, len(train)))
    return much_nearer(distances, IN_FEATURES**2)


def copied_in_thumbnails(thumbnails: Tensor, train: Originals | Shapes) -> Tensor:
    """Which thumbnails are copies of one of `train`, by pixels, or by cells for shapes: `[N]`."""
    return copied_in_cells(thumbnails, train) if isinstance(train, Shapes) else copied_in_pixels(thumbnails, train)


def copied_in_pixels(images: Tensor, train: Originals) -> Tensor:
    """Which thumbnails `[N,h,w]` are at most 0.4 times as far from one of `train` as from the next: `[N]`.

    Images are compared at equal brightness and contrast, shifted by up to a pixel. Only training images with the most
    similar strengths of low frequencies are compared; a shift does not change these.
    """
    near = candidates(_strengths(images), train.strengths)
    parts = zip(torch.split(images, _AT_ONCE), torch.split(near, _AT_ONCE), strict=True)
    return torch.cat([much_nearer(_distances(some, which, train), IN_PIXELS**2) for some, which in parts])


def _distances(images: Tensor, which: Tensor, train: Originals) -> Tensor:
    """How far each of `[n,h,w]` is, in its best place, from its candidates `[n,k]`: squared, `[n,k]`, nearest first."""
    likeness = _unit(train.details[which].float()) @ _unit(_moves(images.float(), train.block)).transpose(1, 2)
    return (2 - 2 * likeness.amax(2)).sort(1).values


def flat(thumbnails: Tensor) -> Tensor:
    """Which thumbnails, of pictures or shapes, have almost one brightness: `[N]`."""
    return torch.cat([some.flatten(1).float().std(1) for some in torch.split(thumbnails, _AT_ONCE)]) <= _FLAT


def _strengths(thumbnails: Tensor) -> Tensor:
    """Strengths `[N,F]` of the lowest frequencies of `[N,h,w]`, scaled to length 1."""
    parts = (some.float() for some in torch.split(thumbnails, _AT_ONCE))
    return torch.cat([F.normalize(low_frequencies(some - some.mean((1, 2), keepdim=True))) for some in parts])


def _details(thumbnails: Tensor) -> Tensor:
    """What shifted images are compared with, from thumbnails `[n,h,w]`: without edges, averaged, uint8."""
    return _averaged(thumbnails[:, 1:-1, 1:-1].float()).round().to(torch.uint8)


def _moves(thumbnails: Tensor, block: tuple[int, int]) -> Tensor:
    """`[n,h,w]` unchanged and shifted by a pixel of the image, without edges, each averaged: `[n,9,h,w]`."""
    down, right = 1 / block[0], 1 / block[1]
    moves = [_moved(_moved(thumbnails, dy, 1), dx, 2) for dy in (-down, 0.0, down) for dx in (-right, 0.0, right)]
    return _averaged(torch.stack(moves, 1))


def _moved(thumbnails: Tensor, by: float, side: int) -> Tensor:
    """`[n,h,w]` without the edges of a side, shifted along it by -1 to 1 with linear interpolation."""
    inner = thumbnails.shape[side] - 2
    there = thumbnails.narrow(side, 2 if by > 0 else 0, inner)
    return torch.lerp(thumbnails.narrow(side, 1, inner), there, abs(by))


def _averaged(levels: Tensor) -> Tensor:
    """`[n,...,h,w]` averaged until no side is over 16, so that noise of single pixels counts less."""
    return F.avg_pool2d(levels, [-(-side // _DETAIL) for side in levels.shape[-2:]])


def _unit(images: Tensor) -> Tensor:
    """`[n,k,h,w]` minus their means, scaled to length 1: `[n,k,h*w]`."""
    rows = images.flatten(2)
    return F.normalize(rows - rows.mean(2, keepdim=True), dim=2)
