"""The Inception Score's formula (Salimans et al. 2016), on any classifier's probabilities."""

import torch
from torch import Tensor

SPLITS = 10


def classifier_score(probabilities: Tensor, splits: int = SPLITS) -> float:
    """`exp(E KL(p(y|x) || p(y)))` of `[N, K]`, as the mean over `splits` runs of rows; from 1 to K.

    Raises ValueError for fewer rows than splits.
    """
    if len(probabilities) < splits:
        raise ValueError(f"{splits} splits need as many images, and there are {len(probabilities)}")
    return torch.stack([_score(part) for part in probabilities.double().tensor_split(splits)]).mean().item()


def _score(probabilities: Tensor) -> Tensor:
    entropy_of_each = -torch.special.xlogy(probabilities, probabilities).sum(1).mean()
    mean = probabilities.mean(0)
    score: Tensor = (-torch.special.xlogy(mean, mean).sum() - entropy_of_each).exp()
    return score
