"""Does what is encoded come back? How images are, encoded and made again, and what is the same for all of them."""

from collections.abc import Iterable

import torch
from torch import Tensor

from mintage.metrics.pairs import retrieval
from mintage.model_config import ModelConfig


def told(config: ModelConfig, labels: Tensor | None, attributes: Tensor | None) -> Tensor | None:
    """What a generator of noise is told to make images again: their attributes `[N,K]`, their labels `[N]`, or nothing.

    It is told the same beside the mean of their latents, so that only what the encoder says makes a difference.
    """
    return attributes if config.attributes else labels if config.conditional else None


def mean_of(batches: Iterable[Tensor]) -> Tensor:
    """The mean `[...]` of all rows of batches `[n,...]`, which are summed in float64."""
    total, count = torch.zeros(()), 0
    for rows in batches:
        total, count = total + rows.double().sum(0), count + len(rows)
    return (total / count).float()


def reconstruction_figures(decibels: Tensor, features: Tensor, shown: Tensor) -> dict[str, float]:
    """Of images in the place of others: the mean of their PSNR `[N]`, and the share nearest to their own in features.

    `features` `[N,F]` are theirs, `shown` `[N,F]` those of the others. The larger each, the better.
    """
    return {
        "reconstruction_psnr": decibels.double().mean().item(),
        "reconstruction_retrieval": retrieval(features, shown),
    }
