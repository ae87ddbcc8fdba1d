"""How well a model with an encoder reconstructs images, and the baselines that every image shares."""

from collections.abc import Iterable

import torch
from torch import Tensor

from mintage.metrics.pairs import retrieval
from mintage.model_config import ModelConfig


def decoding_condition(config: ModelConfig, labels: Tensor | None, attributes: Tensor | None) -> Tensor | None:
    """The condition to decode images with: their attributes `[N,K]`, their labels `[N]`, or None.

    The mean latent is decoded with the same condition, so only what the encoder says makes a difference.
    """
    return attributes if config.attributes else labels if config.conditional else None


def mean_of(batches: Iterable[Tensor]) -> Tensor:
    """The mean `[...]` of all rows of batches `[n,...]`, which are summed in float64."""
    total, count = torch.zeros(()), 0
    for rows in batches:
        total, count = total + rows.double().sum(0), count + len(rows)
    return (total / count).float()


def reconstruction_figures(decibels: Tensor, features: Tensor, shown: Tensor) -> dict[str, float]:
    """The mean of PSNRs `[N]`, and the share of reconstructions whose nearest image in features is their own.

    `features` `[N,F]` are of the reconstructions, `shown` `[N,F]` of the images. Higher is better for both.
    """
    return {
        "reconstruction_psnr": decibels.double().mean().item(),
        "reconstruction_retrieval": retrieval(features, shown),
    }
