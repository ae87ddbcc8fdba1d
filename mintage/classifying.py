"""The discriminator as a classifier.

It classifies by the classes it was trained on (Salimans et al. 2016, Odena et al. 2017), or by the categories of an
information code, which were learned without labels (Chen et al. 2016).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mintage.conditioning.heads import Judgment
from mintage.data import RealImages
from mintage.learning import Schedule, learn
from mintage.model_config import ModelConfig
from mintage.players import Discriminator, build_players


class Classifier(nn.Module):
    """Images `[N,C,H,W]` in [-1,1] to logits `[N,K]` of the classes, or of the code's categories."""

    def __init__(self, discriminator: Discriminator, config: ModelConfig) -> None:
        super().__init__()
        self.discriminator, self.categories = discriminator, config.code_categories

    def forward(self, images: Tensor) -> Tensor:
        judgment: Judgment = self.discriminator(images)
        if judgment.class_logits is not None:
            return judgment.class_logits
        assert judgment.code is not None
        return judgment.code[:, : self.categories]


def train_classifier(
    config: ModelConfig,
    shown: RealImages,
    schedule: Schedule,
    *,
    progress: Callable[[int], object] = lambda images: None,
) -> Classifier:
    """The discriminator's own network, trained as a plain classifier of labeled images.

    Raises DivergedError if its weights are no longer finite.
    """
    _, discriminator = build_players(config, schedule.seed)
    network = Classifier(discriminator, config)
    learn(network, shown, schedule, config.condition, what="the classifier", progress=progress)
    return network


@torch.inference_mode()
def predictions(network: nn.Module, shown: RealImages, count: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """The likeliest class or category of the first `count` images shown, and their labels: both `[count]`.

    A discriminator's batch norm keeps no statistics, so an output depends on the batch. Batches are therefore as large
    as in its training, in the seeded order; the last one is filled up from the next epoch.
    """
    found, labels = [], []
    for first in range(0, count, batch_size):
        images, conditions = shown.batch(first, batch_size)
        assert conditions is not None
        found.append(network(images).argmax(1)[: count - first].cpu())
        labels.append(conditions[: count - first].cpu())
    return torch.cat(found), torch.cat(labels)
