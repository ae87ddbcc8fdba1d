"""Changes made to real and to fake images alike before they are judged (DiffAugment, Zhao et al. 2020).

D sees only changed images, so G need not learn the changes, and few real images last longer. Each change is
(images `[N,C,*S]` in [-1,1], random) -> as many images, with a new draw for each; gradients pass through it.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from mintage import catalog
from mintage.randomness import integers, uniform_by_image

Change = Callable[[Tensor, torch.Generator], Tensor]


def _corners(images: Tensor, highest: Sequence[int], random: torch.Generator) -> list[Tensor]:
    """Along each axis a random place in [0, highest] for each image, `[N,1]`."""
    return [integers(0, most + 1, (len(images), 1), random, images.device) for most in highest]


def windows(images: Tensor, corners: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """The part of this size of each image `[N,C,*S]` that begins at the image's corner, `[N,1]` along each axis."""
    rank, device = len(size), images.device
    chosen = [torch.arange(len(images), device=device).view(-1, *[1] * rank)]
    for axis, (corner, side) in enumerate(zip(corners, size, strict=True)):
        along = corner + torch.arange(side, device=device)
        chosen.append(along[:, *[None] * axis, :, *[None] * (rank - 1 - axis)])
    return images.movedim(1, -1)[tuple(chosen)].movedim(-1, 1)


def random_shift(images: Tensor, random: torch.Generator, still: Sequence[int] = ()) -> Tensor:
    """Each image `[N,C,*S]` shifted at random by up to 1 pixel, or 2 if all sides have 16; edges are repeated.

    It is not shifted along the sides in `still`; words are not shifted at all.
    """
    count, _, *size = images.shape
    if min(size) == 1:
        return images
    reach = reach_of(size)
    corners = torch.randint(2 * reach + 1, (len(size), count, 1), generator=random)
    corners[list(still)] = reach
    return shifted(images, list(corners))


def reach_of(size: Sequence[int]) -> int:
    """By how many pixels at most images of these sides are shifted."""
    return 2 if min(size) >= 16 else 1


def shifted(images: Tensor, corners: Sequence[Tensor]) -> Tensor:
    """Images `[N,C,*S]` shifted with repeated edges; a corner `[N,1]` for each side, from 0 to twice the reach."""
    _, _, *size = images.shape
    begin = [corner.to(images.device, non_blocking=True) for corner in corners]
    return windows(pad(images, [reach_of(size)] * 2 * len(size), mode="replicate"), begin, size)


def translation(images: Tensor, random: torch.Generator) -> Tensor:
    """Shift images by up to an eighth of each side (rounded half up), and fill the rest with 0."""
    size = images.shape[2:]
    reach = [(side + 4) // 8 for side in size]
    corners = _corners(images, [2 * most for most in reach], random)
    return windows(pad(images, [most for most in reversed(reach) for _ in (0, 1)]), corners, size)


def cutout(images: Tensor, random: torch.Generator) -> Tensor:
    """Set a box of half each side to 0; its center may lie anywhere in the image."""
    size = images.shape[2:]
    inside = torch.ones((len(images), 1, *[1] * len(size)), dtype=torch.bool, device=images.device)
    for axis, (corner, side) in enumerate(
        zip(_corners(images, [side - 1 for side in size], random), size, strict=True)
    ):
        places = torch.arange(side, device=images.device) - corner + side // 4
        along = (places >= 0) & (places < side // 2)
        inside = inside & along[:, None, *[None] * axis, :, *[None] * (len(size) - 1 - axis)]
    return images * ~inside


def turns(images: Tensor, random: torch.Generator) -> Tensor:
    """Rotate images by quarter turns in the plane of the last two axes; a volume turns about its upright axis.

    Half the images do not change, so that the generator need not make rotated ones (Karras et al. 2020, section 2.2).
    """
    drawn = integers(0, 6, (len(images),), random, images.device)
    quarters = torch.where(drawn < 4, drawn, 0)
    turned = torch.stack([images.rot90(quarter, (-2, -1)) for quarter in range(4)])
    return turned[quarters, torch.arange(len(images), device=images.device)]


def mirrors(images: Tensor, random: torch.Generator) -> Tensor:
    """Mirror a quarter of the images, left and right; the others do not change."""
    drawn = integers(0, 4, (len(images), *[1] * (images.ndim - 1)), random, images.device)
    return torch.where(drawn == 0, images.flip(-1), images)


def color(images: Tensor, random: torch.Generator) -> Tensor:
    """Shift brightness by up to 0.5, multiply saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    images = images + uniform_by_image(images, random) - 0.5
    gray = images.mean(1, keepdim=True)
    images = torch.lerp(gray, images, 2 * uniform_by_image(images, random))
    level = images.mean((1, 2, 3), keepdim=True)
    return torch.lerp(level, images, 0.5 + uniform_by_image(images, random))


def augment(images: Tensor, names: Sequence[str], random: torch.Generator) -> Tensor:
    """The images after each of the named changes, in the catalog's order and in float32; unchanged without a name."""
    images = images.float() if names else images
    for name in catalog.names("augment"):
        images = catalog.load("augment", name)(images, random) if name in names else images
    return images
