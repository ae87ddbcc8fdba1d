"""The difference hash: known results, the same bits in any batch, near for what looks the same."""

import numpy as np
import pytest

from stages.common.levels import FloatImages
from stages.images.perceptual import difference_hash, gray_cells
from tests.stages.photographs import brighter, encoded_again, from_bytes, photographs

ALL = 2**64 - 1


def ramp(height: int, width: int, channels: int = 1) -> FloatImages:
    """`[1,C,H,W]`: black on the left, white on the right."""
    return np.broadcast_to(np.linspace(-1, 1, width, dtype=np.float32), (1, channels, height, width)).copy()


@pytest.mark.parametrize(("height", "width"), [(8, 9), (8, 8), (28, 28), (5, 31), (64, 48), (1, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_that_brightens_to_the_right_has_every_bit_and_its_mirror_none(
    height: int, width: int, channels: int
) -> None:
    image = ramp(height, width, channels)
    changes = np.diff(gray_cells(image, 8, 9)[0, 0]) > 4
    expected = int("".join("1" if bit else "0" for bit in changes) * 8, 2)
    assert difference_hash(image)[0] == expected
    assert expected == ALL or width < 9
    assert difference_hash(image[..., ::-1])[0] == 0


def test_bits_go_row_by_row_with_the_most_significant_first() -> None:
    image = np.full((1, 1, 8, 9), -1, np.float32)
    image[0, 0, 0, 1] = 1  # up, then down again: the first bit alone
    image[0, 0, 7, 8] = 1  # the last bit
    assert difference_hash(image)[0] == 2**63 + 1


def test_cells_are_averages_by_area_and_luminance() -> None:
    image = np.full((1, 3, 4, 6), -1, np.float32)
    image[0, 0, :, :3], image[0, 1, :2] = 1, 1  # red on the left, green above
    red, green = 0.299 * 255, 0.587 * 255
    assert gray_cells(image, 2, 2)[0] == pytest.approx(np.array([[red + green, green], [red, 0]]))
    assert gray_cells(image, 1, 4)[0, 0] == pytest.approx([red + green / 2] * 2 + [green / 2] * 2)


def test_a_step_within_the_noise_of_a_jpeg_is_no_bit() -> None:
    steps = np.broadcast_to(np.arange(9, dtype=np.float32), (1, 1, 8, 9))
    assert difference_hash(from_bytes(100 + 4 * steps))[0] == 0
    assert difference_hash(from_bytes(100 + 5 * steps))[0] == ALL


@pytest.mark.parametrize("batch", [1, 7, 120])
def test_the_bits_do_not_depend_on_the_batch(batch: int) -> None:
    images = photographs(side=48)
    whole = difference_hash(images)
    parts = [difference_hash(images[start : start + batch]) for start in range(0, len(images), batch)]
    assert (np.concatenate(parts) == whole).all()
    assert len(np.unique(whole)) > len(images) / 2
    assert difference_hash(images[:0]).shape == (0,)


def test_a_photograph_encoded_again_or_brighter_is_near_itself() -> None:
    images = photographs()
    hashes = difference_hash(images)
    for changed in (encoded_again(images, quality=75), brighter(images, 1.1), brighter(images, 0.9)):
        assert (np.bitwise_count(difference_hash(changed) ^ hashes) <= 3).mean() > 0.9


def test_values_that_are_no_numbers_do_no_harm() -> None:
    assert difference_hash(np.full((2, 1, 8, 8), np.nan, np.float32)).tolist() == [0, 0]
