"""Distances against closed forms, brute force, and torchmetrics."""

from itertools import product

import pytest
import torch
from scipy.linalg import sqrtm  # type: ignore[import-untyped]
from torch import Tensor, nn

from mintage.metrics.accuracy import accuracy, share_error
from mintage.metrics.distances import nearest_rows
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.kernel import kernel_distance


def normal(rows: int, width: int, seed: int) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian(mean: Tensor, covariance: Tensor, seed: int = 0) -> Tensor:
    """300 rows of exactly this mean and covariance."""
    rows = normal(300, len(mean), seed)
    rows -= rows.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(rows.T.cov()), rows.T, upper=False).T
    correlated: Tensor = white @ torch.linalg.cholesky(covariance).T + mean
    return correlated


def random_covariance(width: int, seed: int) -> Tensor:
    root = normal(width, width, seed)
    covariance: Tensor = root @ root.T + 0.1 * torch.eye(width)
    return covariance


def test_the_frechet_distance_of_independent_gaussians_is_the_closed_form() -> None:
    a, b = torch.tensor([1.0, 4.0, 0.25]).double(), torch.tensor([9.0, 1.0, 0.25]).double()
    mean_a, mean_b = torch.zeros(3).double(), torch.tensor([3.0, 0.0, 4.0]).double()
    expected = 25 + ((a.sqrt() - b.sqrt()) ** 2).sum().item()  # |m|^2 + sum of (s_a - s_b)^2
    measured = frechet_distance(gaussian(mean_a, a.diag(), 1), gaussian(mean_b, b.diag(), 2))
    assert measured == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_the_frechet_distance_of_correlated_gaussians_is_that_of_a_matrix_square_root(seed: int) -> None:
    a, b = random_covariance(6, seed), random_covariance(6, seed + 100)
    mean = normal(1, 6, seed)[0]
    root = torch.from_numpy(sqrtm((a @ b).numpy()).real)
    expected = (mean @ mean + (a + b - 2 * root).trace()).item()
    measured = frechet_distance(gaussian(torch.zeros(6).double(), a, 1), gaussian(mean, b, 2))
    assert measured == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("of_a", "of_b"), [(3, 5), (3, 60), (60, 5), (12, 13), (60, 70)])
def test_the_frechet_distance_of_few_rows_is_that_of_the_eigenvalues_of_the_product(of_a: int, of_b: int) -> None:
    a, b = normal(of_a, 12, 0), normal(of_b, 12, 1) @ random_covariance(12, 2)
    both = (a.T.cov(), b.T.cov())
    overlap = torch.linalg.eigvals(both[0] @ both[1]).real.clamp(min=0).sqrt().sum()
    expected = (a.mean(0) - b.mean(0)).square().sum() + both[0].trace() + both[1].trace() - 2 * overlap
    assert frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-6)


def test_the_frechet_distance_of_a_set_to_itself_is_zero_and_a_shift_adds_its_square() -> None:
    rows = normal(200, 8, 0) * 100
    shift = torch.arange(8).double()
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-7)
    assert frechet_distance(rows, rows + shift) == pytest.approx((shift @ shift).item(), rel=1e-9)


def test_the_frechet_distance_is_the_same_both_ways() -> None:
    a, b = normal(50, 5, 0), normal(70, 5, 1) @ random_covariance(5, 2)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-10)


def test_singular_covariances_give_a_finite_frechet_distance() -> None:
    few = normal(3, 20, 0)  # fewer rows than dimensions
    doubled = normal(100, 10, 1).repeat(1, 2)  # dimensions that repeat
    constant = torch.ones(10, 20).double()
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(doubled, doubled + 1) == pytest.approx(20, rel=1e-9)
    assert frechet_distance(constant, constant * 3) == pytest.approx(80, rel=1e-12)
    expected = (few.mean(0) - 1).square().sum().item() + few.T.cov().trace().item()
    assert frechet_distance(few, constant) == pytest.approx(expected, rel=1e-9)


def test_float32_features_far_from_zero_lose_no_digits_of_the_frechet_distance() -> None:
    rows = normal(500, 4, 0).float()
    far = (rows + 1000).double()
    assert frechet_distance(far.float(), far.float() + 0.5) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "fragment"),
    [
        (torch.ones(1, 3), torch.ones(5, 3), "at least 2 rows"),
        (torch.ones(5, 3), torch.ones(0, 3), "at least 2 rows"),
        (torch.ones(5, 3), torch.ones(5, 4), "one width"),
        (torch.ones(5, 3), torch.full((5, 3), torch.nan), "not finite"),
    ],
)
def test_features_without_a_covariance_are_refused(a: Tensor, b: Tensor, fragment: str) -> None:
    with pytest.raises(ValueError, match=fragment):
        frechet_distance(a, b)


class AsTheyAre(nn.Module):
    """torchmetrics takes a network; here the "images" are features already."""

    num_features = 6

    def forward(self, rows: Tensor) -> Tensor:
        return rows


def test_the_frechet_distance_is_that_of_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    real, fake = normal(400, 6, 0), normal(300, 6, 1) @ random_covariance(6, 2) + 1
    theirs = FrechetInceptionDistance(feature=AsTheyAre(), normalize=False).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    assert frechet_distance(real, fake) == pytest.approx(theirs.compute().item(), rel=1e-6)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")
@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_the_kernel_distance_is_that_of_torchmetrics_on_one_subset_of_all_rows(shift: float) -> None:
    from torchmetrics.image.kid import KernelInceptionDistance

    real, fake = normal(300, 6, 0), normal(300, 6, 1) + shift
    theirs = KernelInceptionDistance(feature=AsTheyAre(), subsets=1, subset_size=300, coef=1.0).set_dtype(torch.float64)
    theirs.update(real, real=True)
    theirs.update(fake, real=False)
    ours, _ = kernel_distance(real, fake, seed=0)
    assert ours == pytest.approx(theirs.compute()[0].item(), rel=1e-4, abs=1e-6)


def test_the_kernel_distance_is_the_mean_over_all_pairs_of_distinct_rows() -> None:
    real, fake = normal(9, 3, 0), normal(7, 3, 1)

    def mean(a: Tensor, b: Tensor) -> float:
        pairs = [(x, y) for (i, x), (j, y) in product(enumerate(a), enumerate(b)) if a is not b or i != j]
        return sum(float(x @ y / 3 + 1) ** 3 for x, y in pairs) / len(pairs)

    expected = mean(real, real) + mean(fake, fake) - 2 * mean(real, fake)
    assert kernel_distance(real, fake, seed=0)[0] == pytest.approx(expected, rel=1e-10)


def test_the_kernel_distance_of_draws_of_one_distribution_is_zero_on_average() -> None:
    distances = torch.tensor([kernel_distance(normal(60, 4, i), normal(40, 4, 1000 + i), 0)[0] for i in range(100)])
    assert distances.min() < 0 < distances.max()
    assert abs(distances.mean().item()) < 3 * distances.std().item() / 100**0.5


@pytest.mark.parametrize(("shift", "least", "most"), [(0.0, 1.0, 1.7), (0.5, 0.8, 1.2)])
def test_the_kernel_distance_s_error_is_how_far_repeated_draws_lie_apart(
    shift: float, least: float, most: float
) -> None:
    draws = [kernel_distance(normal(100, 4, i), normal(120, 4, 1000 + i) + shift, 0) for i in range(150)]
    distances, errors = torch.tensor(draws).T
    assert least < errors.square().mean().sqrt().item() / distances.std().item() < most


def test_the_seed_draws_the_groups_of_the_error_and_leaves_the_kernel_distance_as_it_is() -> None:
    real, fake = normal(100, 4, 0), normal(90, 4, 1) + 1
    first, again, other = (kernel_distance(real, fake, seed) for seed in (0, 0, 1))
    assert first == again
    assert first[0] == pytest.approx(other[0], rel=1e-10)
    assert first[1] != other[1]


def test_a_kernel_distance_needs_four_rows_of_one_width() -> None:
    assert kernel_distance(normal(4, 2, 0), normal(4, 2, 1), 0)[1] >= 0
    for real, fake in [(3, 9), (9, 3)]:
        with pytest.raises(ValueError, match="at least 4 rows"):
            kernel_distance(normal(real, 2, 0), normal(fake, 2, 1), 0)
    with pytest.raises(ValueError, match="one width"):
        kernel_distance(normal(9, 2, 0), normal(9, 3, 1), 0)


def test_the_error_of_a_share_is_that_of_its_draws_and_never_0() -> None:
    drawn = torch.rand(2000, 400, generator=torch.Generator().manual_seed(0)) < 0.3
    assert share_error(0.3, 400) == pytest.approx(drawn.double().mean(1).std().item(), rel=0.05)
    assert share_error(1, 400) == share_error(0, 400) > 0.003


def test_accuracy_is_the_share_of_labels_that_agree() -> None:
    assert accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])) == 0.75
    for wrong in (torch.tensor([1]), torch.tensor([])):
        with pytest.raises(ValueError, match="labels"):
            accuracy(torch.tensor([]), wrong)


def test_the_kernel_distance_is_the_same_however_many_rows_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, fake = normal(130, 8, 0), normal(90, 8, 1)
    whole = kernel_distance(real, fake, 0)
    monkeypatch.setattr("mintage.metrics.kernel._PIECE", 3)
    assert kernel_distance(real, fake, 0) == pytest.approx(whole, rel=1e-9)


def test_the_nearest_row_of_a_slightly_moved_row_is_that_row() -> None:
    among = normal(50, 8, 0) * 10
    chosen = torch.tensor([7, 0, 49, 7])
    _, nearest = nearest_rows(among[chosen] + 0.01 * normal(4, 8, 1), among, 1)
    assert nearest[:, 0].tolist() == chosen.tolist()
