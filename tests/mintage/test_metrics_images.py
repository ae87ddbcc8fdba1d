"""Metrics on images themselves, and the network of standard features."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mintage.inception import CLASSES, Inception, resized
from mintage.metrics.pixels import histogram, histogram_distance
from mintage.metrics.spectrum import ring_power, spectral_distance


def noise(count: int, channels: int = 1, height: int = 16, width: int = 16, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return (0.3 * torch.randn(count, channels, height, width, generator=random)).clamp(-1, 1)


def test_the_pixel_distance_is_how_far_gray_moved() -> None:
    level = 2 / 255
    gray = ((noise(50).clamp(-0.9, 0.4) + 1) / level).round() * level - 1
    assert histogram_distance(histogram(gray), histogram(gray)) == 0
    moved = histogram(gray + 20 * level)
    assert histogram_distance(histogram(gray), moved) == pytest.approx(20 * level, rel=1e-6)
    black, white = histogram(-torch.ones(2, 3, 5, 4)), histogram(torch.ones(2, 3, 5, 4))
    assert black.shape == (3, 256)
    assert histogram_distance(black, white) == pytest.approx(2)


def test_the_pixel_distance_is_scipy_s_wasserstein_distance() -> None:
    from scipy.stats import wasserstein_distance  # type: ignore[import-untyped]

    a, b = (((noise(9, seed=s) * (1 + s) + 1) * 127.5).round() / 127.5 - 1 for s in (0, 1))
    a, b = a.clamp(-1, 1), b.clamp(-1, 1)
    expected = wasserstein_distance(a.flatten().numpy(), b.flatten().numpy())
    assert histogram_distance(histogram(a), histogram(b)) == pytest.approx(expected, rel=1e-5)


def test_histograms_add_up_over_batches() -> None:
    images = noise(40, 3)
    assert torch.equal(histogram(images), histogram(images[:13]) + histogram(images[13:]))
    with pytest.raises(ValueError, match="one shape and not empty"):
        histogram_distance(histogram(images), histogram(noise(40)))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (15, 28), (9, 5)])
def test_white_noise_has_its_variance_at_every_frequency(height: int, width: int) -> None:
    random = torch.Generator().manual_seed(0)
    power = ring_power(0.1 * torch.randn(4000, 2, height, width, generator=random)) / 4000
    assert len(power) == max(height, width) // 2
    assert power.numpy() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("cycles", [1, 3, 8])
def test_a_wave_has_its_power_in_the_ring_of_its_frequency(cycles: int) -> None:
    wave = torch.cos(2 * torch.pi * cycles * torch.arange(16) / 16).expand(1, 1, 16, 16)
    for image in (wave, wave.mT):
        power = ring_power(image + 0.5)
        assert power.argmax().item() == cycles - 1
        assert power[cycles - 1] > 1e6 * (power.sum() - power[cycles - 1])


def test_ten_times_the_power_is_ten_decibels_and_blur_is_seen() -> None:
    images = noise(64)
    power = ring_power(images)
    assert spectral_distance(power, power) == 0
    assert spectral_distance(power, 10 * power) == pytest.approx(10, rel=1e-3)
    blurred = torch.nn.functional.avg_pool2d(images, 3, stride=1, padding=1)
    assert spectral_distance(power, ring_power(blurred)) > 5


def test_points_have_no_spectrum() -> None:
    with pytest.raises(ValueError, match="images of 1 x 2 have no spectrum"):
        ring_power(torch.zeros(5, 1, 1, 2))


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 32, 48), (3, 400, 330)])
def test_images_are_resized_for_inception_as_pil_resizes_them(channels: int, height: int, width: int) -> None:
    levels = torch.randint(256, (2, channels, height, width), generator=torch.Generator().manual_seed(0)).float()
    ours = resized(levels / 127.5 - 1)
    assert ours.shape == (2, 3, 299, 299)
    for image, given in zip(ours, levels, strict=True):
        for plane, source in zip(image, given.expand(3, -1, -1), strict=True):
            large = Image.fromarray(source.numpy()).resize((299, 299), Image.Resampling.BICUBIC)
            expected = (np.asarray(large).clip(0, 255) - 128) / 128
            assert np.abs(plane.numpy() - expected).max() < 1e-4


def test_only_gray_and_rgb_images_go_through_inception() -> None:
    with pytest.raises(ValueError, match="gray or RGB images, not 4"):
        resized(torch.zeros(1, 4, 8, 8))


def test_inception_has_2048_features_and_the_published_number_of_weights() -> None:
    network = Inception().eval()
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert weights - CLASSES * 2049 == 21_785_568  # those of Szegedy et al. 2016 without classes
    with torch.inference_mode():
        assert network(resized(noise(2))).shape == (2, 2048)
