"""How often the predicted class is the class that was asked for."""

from math import sqrt

from torch import Tensor


def accuracy(predicted: Tensor, asked: Tensor) -> float:
    """The share of labels `[N]` that agree; for generated images, this is the conditional accuracy.

    Raises ValueError if there are none, or the numbers of both differ.
    """
    if len(predicted) == 0 or predicted.shape != asked.shape:
        raise ValueError(
            f"labels [N] must be as many as were asked, not {list(predicted.shape)} of {list(asked.shape)}"
        )
    return (predicted == asked).double().mean().item()


def share_error(share: float, count: int) -> float:
    """The standard error of a share measured on `count` images.

    As if two more were right and two more wrong (Agresti and Coull 1998), so that it is not 0 if all are right.

    Example:
        >>> round(share_error(0.5, 96), 3), round(share_error(1.0, 96), 3)
        (0.05, 0.014)
    """
    right, of = share * count + 2, count + 4
    return sqrt(right * (of - right) / of**3)
