"""The classification accuracy score (Ravuri and Vinyals 2019): what a classifier learns from generated images alone."""

from collections.abc import Callable, Iterable

from torch import Tensor

from mintage.data import RealImages
from mintage.evaluator import EvaluatorConfig, Schedule, train_evaluator
from mintage.quality import quality


def classification_accuracy_score(
    shown: RealImages,
    holdout: Iterable[Tensor],
    holdout_labels: Tensor,
    config: EvaluatorConfig,
    schedule: Schedule,
    *,
    progress: Callable[[int], object] = lambda images: None,
) -> float:
    """The accuracy on real held-out images, batches `[n,C,H,W]` and labels `[N]`, of a classifier that learns `shown`.

    Of real training images, as many and by the same schedule, it is what generated ones are compared with.
    Raises ValueError where the classifier would have nothing to tell apart, DivergedError as training does.
    """
    if config.kind != "classifier":
        raise ValueError("there are no two classes of images to tell apart")
    return quality(train_evaluator(config, shown, schedule, progress=progress), holdout, holdout_labels)
