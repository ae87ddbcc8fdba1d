"""The classification accuracy score (Ravuri and Vinyals 2019): what a classifier learns from generated images alone."""

from collections.abc import Callable, Iterable

from torch import Tensor

from mintage.data import RealImages
from mintage.evaluator import EvaluatorConfig
from mintage.learning import Schedule, train_evaluator
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
    """The accuracy of a classifier that learns from `shown`, on the holdout: batches `[n,C,H,W]` and labels `[N]`.

    With `shown` as many real training images, on the same schedule, it is the floor of generated images.
    Raises ValueError if there are no two classes, DivergedError as training does.
    """
    if config.kind != "classifier":
        raise ValueError("there are no two classes of images to tell apart")
    return quality(train_evaluator(config, shown, schedule, progress=progress), holdout, holdout_labels)
