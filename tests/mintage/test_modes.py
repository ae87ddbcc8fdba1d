"""Figures on modes, and densities, against what is known of them."""

import math

import pytest
import torch
from torch import Tensor

from mintage.metrics.modes import mode_figures
from mintage.mixture import Mixture, optimal_discriminator

COUNT = 100_000
AXIS = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])
GRID = Mixture(torch.cartesian_prod(AXIS, AXIS), 0.05)


def draw_points(modes: list[int], std: float = 0.05, count: int = COUNT) -> Tensor:
    """Points around these modes of the grid, each as often as any other."""
    random = torch.Generator().manual_seed(0)
    chosen = torch.tensor(modes)[torch.randint(len(modes), (count,), generator=random)]
    return GRID.centers[chosen] + std * torch.randn(count, 2, generator=random)


def test_a_perfect_sampler_captures_every_mode_in_the_share_of_a_plane_s_gaussian() -> None:
    figures = mode_figures(draw_points(list(range(25))), GRID)
    assert figures.captured == 25
    assert figures.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.002)
    assert figures.reverse_kl == pytest.approx(24 / (2 * COUNT), abs=2e-4)


def test_half_of_the_modes_dropped_costs_their_number_and_the_logarithm_of_two() -> None:
    grid = Mixture(GRID.centers[:24], 0.05)
    figures = mode_figures(draw_points(list(range(12))), grid)
    assert figures.captured == 12
    assert figures.reverse_kl == pytest.approx(math.log(2), abs=1e-3)


def test_all_in_one_mode_is_the_highest_divergence() -> None:
    figures = mode_figures(draw_points([7]), GRID)
    assert figures.captured == 1
    assert figures.reverse_kl == pytest.approx(math.log(25))


def test_noise_over_the_plane_is_as_good_as_the_discs_around_the_modes_are_wide() -> None:
    """It touches every mode, and evenly: the quality alone tells that it is noise."""
    points = torch.rand(COUNT, 2, generator=torch.Generator().manual_seed(0)) * 10 - 5
    figures = mode_figures(points, GRID)
    assert figures.captured == 25
    assert figures.high_quality == pytest.approx(25 * math.pi * 0.15**2 / 100, rel=0.1)
    assert figures.reverse_kl < 0.05


def test_points_far_from_every_mode_capture_none_of_them() -> None:
    figures = mode_figures(torch.ones(10, 2), GRID)
    assert (figures.captured, figures.high_quality) == (0, 0.0)
    assert figures.reverse_kl == pytest.approx(math.log(25))


def test_a_point_at_three_standard_deviations_is_of_high_quality_and_one_beyond_is_not() -> None:
    points = torch.tensor([[4.0, 4.1499], [4.0, 4.1501]])
    assert mode_figures(points, GRID).high_quality == 0.5


def test_a_small_deviation_far_from_the_origin_is_not_lost_in_rounding() -> None:
    far = Mixture(torch.tensor([[1000.0, 1000.0], [1001.0, 1000.0]], dtype=torch.float64), 1e-3)
    points = far.centers.repeat(500, 1) + 1e-3 * torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    assert mode_figures(points, far).high_quality > 0.97


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (torch.zeros(0, 2), "N at least 1"),
        (torch.zeros(5, 3), r"\[N,2\]"),
        (torch.tensor([[0.0, float("nan")]]), "not finite"),
    ],
)
def test_points_that_cannot_be_measured_are_refused(points: Tensor, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        mode_figures(points, GRID)


def test_a_density_is_the_gaussians_mean_and_integrates_to_one() -> None:
    two = Mixture(torch.tensor([[-1.0], [2.0]]), 0.5)
    x = torch.linspace(-6, 7, 10_001, dtype=torch.float64)[:, None]
    parts = [(-2 * (x - mean) ** 2).exp() * (2 / math.pi) ** 0.5 for mean in (-1.0, 2.0)]
    torch.testing.assert_close(two.density(x), ((parts[0] + parts[1]) / 2).squeeze(1))
    assert torch.trapezoid(two.density(x), x.squeeze(1)).item() == pytest.approx(1, abs=1e-6)
    plane = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    cell = (plane[1] - plane[0]) ** 2
    assert (GRID.density(torch.cartesian_prod(plane, plane)).sum() * cell).item() == pytest.approx(1, abs=1e-3)


def test_the_best_discriminator_halves_where_the_densities_agree_and_is_sure_where_only_one_is() -> None:
    real, fake = torch.tensor([0.2, 0.3, 0.0, 0.0, 0.3]), torch.tensor([0.2, 0.0, 0.4, 0.0, 0.1])
    torch.testing.assert_close(optimal_discriminator(real, fake), torch.tensor([0.5, 1.0, 0.0, 0.5, 0.75]))
