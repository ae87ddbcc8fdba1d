"""Clusters found without labels, used as a classifier: each is named after its most frequent class."""

import torch
from torch import Tensor

from mintage.metrics.distances import nearest_rows
from mintage.randomness import stream

_STARTS = 5
_ROUNDS = 100


def names_of(groups: Tensor, labels: Tensor, count: int) -> Tensor:
    """The most frequent label `[count]` among the members of each group, from groups `[N]` and labels `[N]`.

    Among equally frequent labels the lowest. A group without members gets the most frequent label of all.
    """
    classes = int(labels.max()) + 1
    members = torch.bincount(groups * classes + labels, minlength=count * classes).reshape(count, classes)
    names = members.argmax(1)
    names[members.sum(1) == 0] = members.sum(0).argmax()
    return names


def kmeans(rows: Tensor, count: int, seed: int) -> Tensor:
    """Centers `[count,F]` of rows `[N,F]` (Lloyd 1982), started by k-means++ (Arthur and Vassilvitskii 2007).

    The best of a few starts, by the squared distances of rows to their centers. Raises ValueError for fewer rows than
    centers.
    """
    if len(rows) < count:
        raise ValueError(f"{count} groups of {len(rows)} images cannot be found")
    found = [_settled(rows, _begun(rows, count, stream(seed, "kmeans", start))) for start in range(_STARTS)]
    centers, _ = min(found, key=lambda one: one[1])
    return centers


def groups_of(rows: Tensor, centers: Tensor) -> Tensor:
    """The index `[N]` of the center that is nearest to each row."""
    return nearest_rows(rows, centers, 1)[1][:, 0]


def _begun(rows: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Rows as first centers, each drawn with its squared distance from the earlier ones as probability."""
    chosen = [int(torch.randint(len(rows), (1,), generator=random))]
    for _ in range(count - 1):
        away = nearest_rows(rows, rows[chosen], 1)[0][:, 0]
        weights = away if away.sum() > 0 else torch.ones_like(away)
        chosen.append(int(torch.multinomial(weights, 1, generator=random)))
    return rows[chosen]


def _settled(rows: Tensor, centers: Tensor) -> tuple[Tensor, float]:
    """Lloyd's iteration: centers that are the means of their nearest rows, and the sum of squared distances."""
    before = None
    for _ in range(_ROUNDS):
        distances, nearest = nearest_rows(rows, centers, 1)
        groups = nearest[:, 0]
        if before is not None and torch.equal(groups, before):
            break
        sums = torch.zeros_like(centers).index_add_(0, groups, rows)
        sizes = torch.bincount(groups, minlength=len(centers)).unsqueeze(1)
        centers = torch.where(sizes > 0, sums / sizes.clamp(min=1), centers)
        before = groups
    return centers, float(distances.double().sum())
