"""Groups found without labels, named after classes."""

import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from mintage.metrics.clusters import groups_of, kmeans, names_of


def test_a_group_is_named_after_the_class_that_most_of_its_members_have() -> None:
    groups, labels = torch.tensor([0, 0, 0, 1, 1, 3, 3]), torch.tensor([2, 2, 0, 1, 1, 0, 2])
    assert names_of(groups, labels, 4).tolist() == [2, 1, 2, 0], "an empty one after the most frequent class"


def test_permuted_groups_are_the_classes_again_by_their_names() -> None:
    labels = torch.arange(200) % 10
    shuffled = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    groups = shuffled[labels]
    assert torch.equal(names_of(groups, labels, 10)[groups], labels)


def test_kmeans_finds_clouds_that_lie_apart() -> None:
    means = 20 * torch.eye(5, 8)
    labels = torch.arange(500) % 5
    rows = means[labels] + torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    groups = groups_of(rows, kmeans(rows, 5, seed=0))
    assert torch.equal(names_of(groups, labels, 5)[groups], labels)


def test_kmeans_of_real_digits_is_as_tight_as_that_of_scikit_learn() -> None:
    rows = torch.tensor(load_digits().data, dtype=torch.float32)
    centers = kmeans(rows, 10, seed=0)
    ours = torch.cdist(rows, centers).amin(1).square().sum().item()
    theirs = KMeans(10, n_init=10, random_state=0).fit(rows.numpy()).inertia_
    assert ours == pytest.approx(theirs, rel=0.005)
    assert torch.equal(kmeans(rows, 10, seed=0), centers)


def test_kmeans_of_images_that_are_all_one_gives_that_one_and_of_too_few_is_refused() -> None:
    assert torch.equal(kmeans(torch.ones(6, 3), 2, seed=0), torch.ones(2, 3))
    with pytest.raises(ValueError, match="3 groups of 2 images cannot be found"):
        kmeans(torch.ones(2, 3), 3, seed=0)
