"""The classification accuracy score (Ravuri and Vinyals 2019): what a classifier learns from generated images alone."""

from collections.abc import Callable

import torch
from torch import Tensor

from gan.evaluator import EvaluatorConfig, Schedule, quality, train_evaluator


def classification_accuracy_score(
    images: Tensor,
    labels: Tensor,
    holdout: tuple[Tensor, Tensor],
    config: EvaluatorConfig,
    schedule: Schedule,
    *,
    device: torch.device,
    progress: Callable[[int], object] = lambda images: None,
) -> float:
    """The accuracy on real held-out images and labels of a classifier trained on `[N,C,H,W]` and `[N]`.

    Of real training images, as many and by the same schedule, it is what generated ones are compared with.
    Raises ValueError where the classifier would have nothing to tell apart, DivergedError as training does.
    """
    if config.kind != "classifier":
        raise ValueError("there are no two classes of images to tell apart")
    return quality(train_evaluator(config, images, labels, schedule, device=device, progress=progress), *holdout)
