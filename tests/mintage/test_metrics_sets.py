"""Metrics on sets of features with known answers, and against the papers' definitions written out in numpy."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from mintage.metrics.by_class import class_frechet_distances, diversities, mean_pair_distance
from mintage.metrics.classifier_score import classifier_score
from mintage.metrics.density_coverage import density_coverage
from mintage.metrics.distances import nearest_rows, squared_distances, squared_radii
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.precision_recall import precision_recall

Rows = npt.NDArray[np.float64]


def normal(rows: int, width: int, seed: int) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def modes(rows: int, kept: int, seed: int, width: int = 24) -> Tensor:
    """Rows spread evenly over `kept` of ten far Gaussians."""
    return 20 * normal(10, width, 99)[torch.arange(rows) % kept] + normal(rows, width, seed)


def between(a: Rows, b: Rows) -> Rows:
    distances: Rows = np.linalg.norm(a[:, None] - b[None], axis=2)
    return distances


def ball_widths(rows: Rows, k: int) -> Rows:
    """The distance to the k-th nearest other; a row is 0 from itself."""
    widths: Rows = np.sort(between(rows, rows), axis=1)[:, k]
    return widths


def papers(real: Tensor, fake: Tensor) -> list[float]:
    """Precision, recall (k = 3), density, coverage (k = 5) as Kynkaanniemi and Naeem define them."""
    x, y = real.double().numpy(), fake.double().numpy()
    d = between(x, y)
    slack = 1e-9  # a closed ball in floating point
    precision = np.mean([(d[:, j] <= ball_widths(x, 3) + slack).any() for j in range(len(y))])
    recall = np.mean([(d[i] <= ball_widths(y, 3) + slack).any() for i in range(len(x))])
    inside = d <= ball_widths(x, 5)[:, None] + slack
    return [float(precision), float(recall), float(inside.sum() / (5 * len(y))), float(inside.any(1).mean())]


def measured(real: Tensor, fake: Tensor) -> list[float]:
    return [*precision_recall(real, fake), *density_coverage(real, fake)]


@pytest.mark.parametrize("width", [3, 24])
@pytest.mark.parametrize("block", [1, 2, 40, 150])
def test_nearest_rows_are_those_of_all_pairs_however_many_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch, width: int, block: int
) -> None:
    rows, others = normal(20, width, 0), normal(130, width, 1)
    expected = torch.cdist(rows.double(), others.double()).square().topk(4, largest=False)
    monkeypatch.setattr("mintage.metrics.distances._BLOCK", block)
    distances, indices = nearest_rows(rows, others, 4)
    assert torch.equal(indices, expected.indices)
    assert torch.allclose(distances.double(), expected.values, rtol=1e-4)
    assert nearest_rows(others[7:9], others, 1)[0].tolist() == [[0.0], [0.0]]
    with pytest.raises(ValueError, match="the 4 nearest of 3 images cannot be told"):
        nearest_rows(rows, others[:3], 4)


@pytest.mark.parametrize("width", [2, 16, 17, 64])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_precision_recall_density_and_coverage_are_those_of_the_papers(width: int, shift: float) -> None:
    real, fake = normal(150, width, 0), 0.8 * normal(130, width, 1) + shift
    assert measured(real, fake) == pytest.approx(papers(real, fake), abs=1e-12)


@pytest.mark.parametrize("width", [3, 40])
def test_sets_with_duplicates_are_measured_as_the_papers_define(width: int) -> None:
    once = normal(60, width, 0)
    real, fake = once.repeat(7, 1), torch.cat([once[:5].repeat(9, 1), normal(30, width, 1)])
    assert squared_radii(real, 5).max() == 0  # six others stand where each row does
    assert measured(real, fake) == pytest.approx(papers(real, fake), abs=1e-12)


def test_a_set_measured_against_itself_is_within_itself() -> None:
    rows = normal(300, 32, 0)
    precision, recall, density, coverage = measured(rows, rows)
    assert (precision, recall, coverage) == (1, 1, 1)
    assert density == pytest.approx(6 / 5)  # each ball holds its own row and five others


def test_disjoint_sets_have_nothing_in_common() -> None:
    assert measured(normal(200, 20, 0), normal(200, 20, 1) + 100) == [0, 0, 0, 0]


def test_one_row_far_off_does_not_make_the_others_equal() -> None:
    """As of a generator that diverges: it was measured as perfect."""
    random = torch.Generator().manual_seed(0)
    real, fake = torch.randn(300, 64, generator=random), torch.randn(300, 64, generator=random) + 5
    fake[0] = 1e4
    assert precision_recall(real, fake) == (0, 0)
    assert density_coverage(real, fake) == (0, 0)


def test_half_of_the_modes_dropped_halves_recall_and_coverage_and_leaves_precision() -> None:
    real = modes(1000, 10, 0)
    all_of_them, half = measured(real, modes(1000, 10, 1)), measured(real, modes(1000, 5, 2))
    assert half[0] == pytest.approx(all_of_them[0], abs=0.05)
    assert half[1] == pytest.approx(all_of_them[1] / 2, abs=0.05)
    assert half[3] == pytest.approx(all_of_them[3] / 2, abs=0.05)


def test_an_outlier_among_the_real_rows_raises_precision_and_hardly_density() -> None:
    """The reason for density in Naeem et al. 2020, section 3."""
    real, fake = normal(400, 8, 0), normal(400, 8, 1) + 12
    outlier = torch.cat([real, torch.full((1, 8), 12.0)])
    assert precision_recall(real, fake)[0] < 0.05
    assert precision_recall(outlier, fake)[0] > 0.9
    assert density_coverage(outlier, fake)[0] < 0.25


def test_known_radii_of_the_real_rows_change_nothing() -> None:
    real, fake = normal(90, 20, 0), normal(80, 20, 1)
    assert precision_recall(real, fake, squared_radii(real, 3)) == precision_recall(real, fake)
    assert density_coverage(real, fake, squared_radii(real, 5)) == density_coverage(real, fake)


@pytest.mark.parametrize("width", [2, 64])
def test_distances_come_in_pieces_that_together_are_the_whole_table(width: int) -> None:
    rows, others = normal(3000, width, 0) + 50, normal(1500, width, 1) + 50
    pieces = list(squared_distances(rows, others))
    assert len(pieces) > 1
    exact = torch.cdist(rows.double(), others.double()).square()
    assert torch.allclose(torch.cat(pieces).double(), exact, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("width", "others", "k"), [(20, 17_001, 4), (20, 5_000, 16), (3, 900, 5), (20, 70, 60)])
def test_the_nearest_rows_are_those_of_the_whole_table(width: int, others: int, k: int) -> None:
    rows, there = normal(40, width, 0), normal(others, width, 1)
    distances, indices = nearest_rows(rows, there, k)
    exact = torch.cdist(rows.double(), there.double()).square().topk(k, largest=False)
    assert torch.allclose(distances.double(), exact.values, rtol=1e-4, atol=1e-4)
    assert torch.equal(indices, exact.indices)


def test_what_has_no_neighbors_or_no_distance_is_refused() -> None:
    with pytest.raises(ValueError, match="3 nearest neighbors need at least 4 images, and there are 3"):
        precision_recall(normal(9, 2, 0), normal(3, 2, 1))
    with pytest.raises(ValueError, match="need at least 6 images"):
        density_coverage(normal(5, 2, 0), normal(9, 2, 1))
    with pytest.raises(ValueError, match="one width"):
        list(squared_distances(normal(5, 2, 0), normal(9, 3, 1)))


def test_the_classifier_score_is_that_of_its_formula() -> None:
    probabilities = torch.softmax(3 * normal(1000, 7, 0).double(), 1)
    p = probabilities.numpy()
    expected = np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(0))), axis=1)))
    assert classifier_score(probabilities, splits=1) == pytest.approx(float(expected), rel=1e-10)
    parts = [p[start : start + 100] for start in range(0, 1000, 100)]  # the rows are independent, so any ten parts
    of_each = [np.exp(np.mean(np.sum(q * (np.log(q) - np.log(q.mean(0))), axis=1))) for q in parts]
    spread = float(np.std(of_each)) / 10**0.5
    assert classifier_score(probabilities) == pytest.approx(float(np.mean(of_each)), abs=4 * spread)
    assert classifier_score(probabilities) < float(expected), "each part has fewer rows to tell its mean by"


def test_the_classifier_score_is_the_same_in_any_order_of_rows() -> None:
    """Of real digits in the order of their classes it was 1.10, and 7.80 shuffled."""
    labels = torch.arange(500) // 50
    probabilities = torch.softmax(3 * normal(500, 10, 0) + 6 * torch.eye(10)[labels], 1)
    orders = [torch.randperm(500, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    scores = [classifier_score(probabilities[order]) for order in (torch.arange(500), *orders)]
    assert scores == pytest.approx([scores[0]] * 4, rel=1e-12)
    assert scores[0] > 4


def test_the_classifier_score_is_the_number_of_classes_where_all_are_sure_and_1_where_none_is() -> None:
    sure = torch.eye(4).repeat(50, 1)
    assert classifier_score(sure, splits=1) == pytest.approx(4, rel=1e-9)
    assert classifier_score(sure.repeat(100, 1)) == pytest.approx(4, rel=1e-2)  # parts of chance are not quite even
    assert classifier_score(sure[:, [0]].expand(-1, 4) * 0 + 0.25) == pytest.approx(1)
    assert classifier_score(sure[:1].repeat(20, 1)) == pytest.approx(1)  # sure of one class alone
    with pytest.raises(ValueError, match="10 splits need as many images"):
        classifier_score(sure[:9])


def test_the_class_frechet_distance_sees_classes_that_changed_places_where_the_frechet_distance_does_not() -> None:
    rows, labels = modes(600, 2, 0), torch.arange(600) % 2
    other = modes(600, 2, 1)
    right = class_frechet_distances(rows, labels, other, labels, 2)
    swapped = class_frechet_distances(rows, labels, other, 1 - labels, 2)
    assert right == [frechet_distance(rows[k::2], other[k::2]) for k in (0, 1)]
    assert min(swapped) > 100 * max(right)
    with pytest.raises(ValueError, match="class 2 has 0 generated and 0 real images"):
        class_frechet_distances(rows, labels, other, labels, 3)


def test_diversity_is_the_mean_distance_over_pairs_of_a_class() -> None:
    rows, labels = normal(40, 5, 0), torch.arange(40) % 2
    pairs = [(a - b).norm().item() for i, a in enumerate(rows[::2]) for j, b in enumerate(rows[::2]) if i != j]
    found = diversities(rows, labels, 3)
    assert found[0] == pytest.approx(sum(pairs) / len(pairs), rel=1e-5)
    assert found[2] is None
    assert mean_pair_distance(rows[:1].repeat(9, 4)) == 0
    with pytest.raises(ValueError, match="needs 2"):
        mean_pair_distance(rows[:1])


def test_diversity_of_a_gaussian_is_its_known_mean_distance() -> None:
    """|x - y| of two normal rows in D dimensions is sqrt(2) times a chi variable of D degrees."""
    chi = 2**0.5 * torch.exp(torch.lgamma(torch.tensor(32.5)) - torch.lgamma(torch.tensor(32.0)))
    assert mean_pair_distance(normal(3000, 64, 0)) == pytest.approx(2**0.5 * chi.item(), rel=0.005)
