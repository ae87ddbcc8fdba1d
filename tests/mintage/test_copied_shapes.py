"""Copies of shapes are found in every pose, and other shapes of the same kind are not."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mintage.metrics.copied_shapes import Shapes
from mintage.metrics.copies import copied_in_thumbnails, near_copies, originals
from mintage.metrics.thumbnails import block_of, has_thumbnails, thumbnails

SIDES = [(8, 8, 8), (16, 16, 16), (12, 10, 16), (32, 32, 32)]


def shapes(count: int, sides: tuple[int, ...], seed: int) -> Tensor:
    """Blobs `[N,1,D,H,W]` of chance with an empty edge, alike in no two directions."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 1, 4, 4, 4, generator=random)
    inner = [side - 4 for side in sides]
    blobs = F.interpolate(coarse, inner, mode="trilinear", align_corners=True) > 0.3
    return F.pad(blobs.float(), (2,) * 6) * 2 - 1


def found(images: Tensor, train: Tensor) -> float:
    """The share that is found in cells."""
    among = originals(thumbnails(train), block_of(tuple(train.shape[2:])))
    assert isinstance(among, Shapes)
    return copied_in_thumbnails(thumbnails(images), among).double().mean().item()


def moved(images: Tensor, *by: int) -> Tensor:
    return images.roll(by, (2, 3, 4))


def flipped(images: Tensor, share: float) -> Tensor:
    random = torch.Generator().manual_seed(9)
    return torch.where(torch.rand(images.shape, generator=random) < share, -images, images)


@pytest.mark.parametrize("sides", SIDES)
def test_exact_copies_are_found_and_other_shapes_are_not(sides: tuple[int, ...]) -> None:
    train = shapes(60, sides, 0)
    assert found(train[:20], train) == 1
    assert found(shapes(40, sides, 1), train) == 0


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("by", [(1, 0, 0), (0, -1, 0), (1, 1, -1)])
def test_copies_that_are_moved_by_a_cell_are_found(sides: tuple[int, ...], by: tuple[int, ...]) -> None:
    train = shapes(60, sides, 0)
    assert found(moved(train[:20], *by), train) >= 0.95


@pytest.mark.parametrize("sides", [(8, 8, 8), (16, 16, 16), (10, 16, 16), (32, 32, 32)])
@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_copies_that_are_turned_and_mirrored_are_found(sides: tuple[int, ...], quarters: int, mirrored: bool) -> None:
    train = shapes(60, sides, 0)
    posed = train[:20].rot90(quarters, (3, 4))
    assert found(posed.flip(4) if mirrored else posed, train) == 1


def test_a_base_that_is_no_square_is_turned_by_halves_alone() -> None:
    train = shapes(60, (8, 8, 12), 0)
    assert found(train[:20].rot90(2, (3, 4)).flip(4), train) == 1


def test_copies_lying_on_another_side_are_others() -> None:
    train = shapes(60, (16, 16, 16), 0)
    assert found(train[:20].rot90(1, (2, 3)), train) == 0


def test_a_few_cells_that_differ_hide_no_copy_and_many_make_another_shape() -> None:
    train = shapes(60, (16, 16, 16), 0)
    assert found(flipped(train[:20], 0.005), train) >= 0.95
    assert found(flipped(train[:20], 0.4), train) == 0


def test_equal_training_shapes_hide_no_copy_and_empty_and_full_ones_are_none() -> None:
    train = shapes(30, (8, 8, 8), 0)
    doubled = torch.cat([train, train, train.rot90(1, (3, 4)), torch.full((5, 1, 8, 8, 8), -1.0)])
    assert found(train[:10].flip(4), doubled) == 1
    flat = torch.cat([torch.full((2, 1, 8, 8, 8), -1.0), torch.ones(2, 1, 8, 8, 8)])
    features, made = torch.randn(len(doubled), 12), torch.cat([train[:4], flat])
    among = originals(thumbnails(doubled), (1, 1, 1))
    assert near_copies(torch.randn(8, 12), features, thumbnails(made), among) == 0.5
    assert originals(thumbnails(flat), (1, 1, 1)) is None


def test_thumbnails_are_shares_of_what_is_occupied_in_16_cells_a_side_at_most() -> None:
    image = -torch.ones(1, 2, 33, 8, 32)
    image[0, 1, :3, :, :1] = 1
    small = thumbnails(image)
    assert (block_of((33, 8, 32)), small.shape, small.dtype) == ((3, 1, 2), (1, 11, 8, 16), torch.uint8)
    assert small[0, 0, 0, 0] == 128
    assert int((small > 0).sum()) == 8
    assert has_thumbnails(image)
    assert not has_thumbnails(image[:, :, :7])
