"""Changes made to real and to fake images alike before they are judged (DiffAugment, Zhao et al. 2020).

D never sees an unchanged image, so G need not learn the changes; few real images last longer. Each is
(images `[N,C,H,W]` in [-1,1], random) -> as many, another draw for each image, and passes gradients on.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from mintage import catalog
from mintage.randomness import integers, uniform_by_image

Change = Callable[[Tensor, torch.Generator], Tensor]


def _corners(images: Tensor, highest: tuple[int, int], random: torch.Generator) -> tuple[Tensor, Tensor]:
    """A row in [0, highest] and a column likewise for each image, `[N,1]`."""
    rows, columns = (integers(0, most + 1, (len(images), 1), random) for most in highest)
    return rows.to(images.device, non_blocking=True), columns.to(images.device, non_blocking=True)


def translation(images: Tensor, random: torch.Generator) -> Tensor:
    """Moved by up to an eighth of each side (rounded half up), the place left filled with 0."""
    count, _, height, width = images.shape
    down, right = (height + 4) // 8, (width + 4) // 8
    top, left = _corners(images, (2 * down, 2 * right), random)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    wide = pad(images, (right, right, down, down)).permute(0, 2, 3, 1)
    picked = torch.arange(count, device=images.device)[:, None, None]
    return wide[picked, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor, random: torch.Generator) -> Tensor:
    """A rectangle of half each side set to 0; its centre may lie anywhere in the image."""
    height, width = images.shape[2:]
    bottom, right = _corners(images, (height - 1, width - 1), random)
    rows = torch.arange(height, device=images.device) - bottom + height // 4
    columns = torch.arange(width, device=images.device) - right + width // 4
    in_rows, in_columns = (rows >= 0) & (rows < height // 2), (columns >= 0) & (columns < width // 2)
    return images * ~(in_rows[:, None, :, None] & in_columns[:, None, None, :])


def colour(images: Tensor, random: torch.Generator) -> Tensor:
    """Brightness shifted by up to 0.5, saturation times 0 to 2, contrast times 0.5 to 1.5."""
    images = images + uniform_by_image(images, random) - 0.5
    grey = images.mean(1, keepdim=True)
    images = torch.lerp(grey, images, 2 * uniform_by_image(images, random))
    level = images.mean((1, 2, 3), keepdim=True)
    return torch.lerp(level, images, 0.5 + uniform_by_image(images, random))


def augment(images: Tensor, names: Sequence[str], random: torch.Generator) -> Tensor:
    """The images after each of the named changes, in the catalog's order and float32; as they are where none is."""
    images = images.float() if names else images
    for name in catalog.names("augment"):
        images = catalog.load("augment", name)(images, random) if name in names else images
    return images
