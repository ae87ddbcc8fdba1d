"""The Inception Score's formula (Salimans et al. 2016), on any classifier's probabilities."""

import torch
from torch import Tensor

from mintage.randomness import stream

SPLITS = 10


def classifier_score(probabilities: Tensor, splits: int = SPLITS) -> float:
    """`exp(E KL(p(y|x) || p(y)))` of `[N, K]`, as the mean over `splits` random parts of the rows; from 1 to K.

    The order of rows does not matter: they are sorted, then shuffled by a fixed seed (as torch-fidelity does by
    default). Without that, images that come class by class would score as if each part had only one class.
    Raises ValueError for fewer rows than splits.
    """
    if len(probabilities) < splits:
        raise ValueError(f"{splits} splits need as many images, and there are {len(probabilities)}")
    parts = _shuffled(probabilities.double()).tensor_split(splits)
    return torch.stack([_score(part) for part in parts]).mean().item()


def _shuffled(rows: Tensor) -> Tensor:
    """The rows in an order that depends only on the rows `[N, K]` themselves."""
    random = stream(0, "classifier score")
    own_order = torch.argsort(rows @ torch.rand(rows.shape[1], generator=random, dtype=rows.dtype))
    return rows[own_order[torch.randperm(len(rows), generator=random)]]


def _score(probabilities: Tensor) -> Tensor:
    entropy_of_each = -torch.special.xlogy(probabilities, probabilities).sum(1).mean()
    mean = probabilities.mean(0)
    return (-torch.special.xlogy(mean, mean).sum() - entropy_of_each).exp()
