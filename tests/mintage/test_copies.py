"""Copies of training images are found, exact ones and changed ones, and nothing else is."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mintage.metrics.copies import near_copies, originals
from mintage.metrics.thumbnails import block_of, thumbnails

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 40, 24)]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=generator(seed))


def pictures(count: int, shape: tuple[int, int, int], seed: int) -> Tensor:
    """Images `[N,C,H,W]` in [-1,1] of chance, of strong coarse and weak fine detail, as real ones have."""
    _, height, width = shape
    white = torch.randn((count, *shape), generator=generator(seed))
    down, right = torch.fft.fftfreq(height)[:, None] * height, torch.fft.rfftfreq(width) * width
    falling = 1 / (1 + down.square() + right.square()) ** 0.75
    smooth = torch.fft.irfft2(torch.fft.rfft2(white) * falling, s=(height, width))
    images: Tensor = 0.5 * smooth / smooth.std((1, 2, 3), keepdim=True)
    return images.clamp(-1, 1)


def share(images: Tensor, train: Tensor) -> float:
    """What is found in images by features that tell little, and in pixels."""
    shape, few = train.shape[1:], 12
    project = torch.randn(shape.numel(), few, generator=generator(7))
    found_in = originals(thumbnails(train), block_of(shape[1:]))
    return near_copies(images.flatten(1) @ project, train.flatten(1) @ project, thumbnails(images), found_in)


def noisy(images: Tensor, deviation: float) -> Tensor:
    return images + deviation * torch.randn(images.shape, generator=generator(3))


def moved(images: Tensor) -> Tensor:
    """By a pixel down and to the left, with the edge repeated where the image came from."""
    return F.pad(images, (0, 1, 1, 0), mode="replicate")[:, :, :-1, 1:]


def through_jpeg(images: Tensor) -> Tensor:
    found = []
    for levels in ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(levels.squeeze()).save(file, "JPEG", quality=75)
        found.append(np.asarray(Image.open(file)).reshape(levels.shape))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2) / 127.5 - 1


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda images: images,
    "noise of 0.05": lambda images: noisy(images, 0.05),
    "noise of 0.1": lambda images: noisy(images, 0.1),
    "moved by a pixel": moved,
    "brighter by 0.2": lambda images: images + 0.2,
    "1.2 times as bright": lambda images: (images + 1) * 1.2 - 1,
    "less contrast": lambda images: 0.7 * images,
    "JPEG": through_jpeg,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_training_image_is_a_copy(change: str, shape: tuple[int, int, int]) -> None:
    train = pictures(1000, shape, 0)
    assert share(CHANGES[change](train[:100]).clamp(-1, 1), train) >= 0.9


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_that_was_not_trained_on_is_no_copy(shape: tuple[int, int, int]) -> None:
    assert share(pictures(1000, shape, 1), pictures(1000, shape, 0)) <= 0.002


def test_a_move_by_a_pixel_of_a_large_image_is_found_in_its_thumbnail() -> None:
    train = pictures(300, (1, 70, 150), 0)
    assert share(moved(train[:50]), train) == 1


@pytest.mark.parametrize("times", [2, 3, 50])
def test_equal_training_images_do_not_hide_their_copy(times: int) -> None:
    train = pictures(500, (1, 16, 16), 0)
    copies = noisy(train[:50], 0.05).clamp(-1, 1)
    assert share(copies, torch.cat([train, train[:50].repeat(times - 1, 1, 1, 1)])) == 1


def test_nearly_equal_training_images_do_not_hide_their_copy() -> None:
    train = pictures(500, (1, 16, 16), 0)
    twins = torch.cat([train, noisy(train[:50], 0.03).clamp(-1, 1)])
    assert share(noisy(train[:50], 0.05).clamp(-1, 1), twins) >= 0.95


def test_a_copy_of_nearly_equal_rows_is_found_by_features_alone() -> None:
    train = normal(500, 40, 0)
    twins = torch.cat([train, train[:50] + 0.05 * normal(50, 40, 1)])
    assert near_copies(train[:50] + 0.05 * normal(50, 40, 2), twins, None, None) == 1


def test_flat_images_copy_nothing_though_the_training_set_has_flat_ones() -> None:
    flat = torch.linspace(-0.9, 0.9, 40)[:, None, None, None].expand(-1, 1, 16, 16)
    train = torch.cat([pictures(300, (1, 16, 16), 0), flat])
    assert share(flat, train) == 0
    assert share(noisy(flat, 0.1), train) == 0


def test_where_all_training_images_are_flat_nothing_is_a_copy_in_pixels() -> None:
    flat = torch.linspace(-0.9, 0.9, 40)[:, None, None, None].expand(-1, 1, 8, 8)
    assert share(pictures(50, (1, 8, 8), 0), flat) == 0


@pytest.mark.parametrize("width", [12, 64])
def test_a_copy_of_the_training_set_is_found_by_features_and_held_out_rows_are_not(width: int) -> None:
    train, holdout = normal(2000, width, 0), normal(500, width, 1)
    copies = train[:500] + 0.02 * normal(500, width, 2)
    assert near_copies(train[:500], train, None, None) == 1
    assert near_copies(copies, train, None, None) == 1
    assert near_copies(torch.cat([copies, holdout]), train, None, None) == pytest.approx(0.5, abs=0.01)
    assert near_copies(holdout, train, None, None) < 0.01


def test_a_generator_of_average_rows_copies_nothing_though_its_distances_are_short() -> None:
    train, holdout = normal(2000, 32, 0), normal(500, 32, 1)
    average = 0.3 * normal(500, 32, 2)
    assert torch.cdist(average, train).amin(1).median() < 0.8 * torch.cdist(holdout, train).amin(1).median()
    assert near_copies(average, train, None, None) == 0


def test_blurred_means_of_training_images_are_no_copies() -> None:
    train = pictures(1000, (1, 28, 28), 0)
    means = (train[:300] + train[300:600] + train[600:900]) / 3
    assert share(means, train) == 0


def test_too_few_images_and_what_is_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        near_copies(torch.full((5, 2), torch.nan), normal(9, 2, 1), None, None)
    with pytest.raises(ValueError, match="2 training images"):
        near_copies(normal(5, 2, 0), normal(1, 2, 1), None, None)
