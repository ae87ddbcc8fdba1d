"""Metrics within each class: the Frechet distance, and the diversity of images."""

import torch
from torch import Tensor

from mintage.metrics.distances import squared_distances
from mintage.metrics.frechet import frechet_distance


def class_frechet_distances(
    real: Tensor, real_labels: Tensor, fake: Tensor, fake_labels: Tensor, classes: int
) -> list[float]:
    """The Frechet distance of each class's features, `[N, F]` and `[M, F]` by labels `[N]` and `[M]`.

    Raises ValueError, naming the class, if it has fewer than 2 real or 2 fake rows.
    """
    distances = []
    for label in range(classes):
        ours, theirs = real[real_labels == label], fake[fake_labels == label]
        if min(len(ours), len(theirs)) < 2:
            counts = f"{len(theirs)} generated and {len(ours)} real images"
            raise ValueError(f"class {label} has {counts}, and a covariance needs 2 of each")
        distances.append(frechet_distance(ours, theirs))
    return distances


def diversities(features: Tensor, labels: Tensor, classes: int) -> list[float | None]:
    """The mean distance between two rows of each class; None for a class of fewer than 2 rows."""
    return [
        mean_pair_distance(rows) if len(rows) > 1 else None for rows in (features[labels == k] for k in range(classes))
    ]


def mean_pair_distance(features: Tensor) -> float:
    """The mean Euclidean distance over pairs of distinct rows of `[N, F]`. Raises ValueError for fewer than 2."""
    count = len(features)
    if count < 2:
        raise ValueError(f"a distance between images needs 2 of them, and there is {count}")
    total = sum(piece.sqrt_().sum(dtype=torch.float64).item() for piece in squared_distances(features, features))
    return total / (count * (count - 1))
