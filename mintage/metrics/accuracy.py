"""How often a class that was asked for is the class that was seen."""

from torch import Tensor


def accuracy(predicted: Tensor, asked: Tensor) -> float:
    """The share of labels `[N]` that agree; of generated images, this is the conditional accuracy.

    Raises ValueError where there are none, or not as many of both.
    """
    if len(predicted) == 0 or predicted.shape != asked.shape:
        raise ValueError(
            f"labels [N] must be as many as were asked, not {list(predicted.shape)} of {list(asked.shape)}"
        )
    return (predicted == asked).double().mean().item()
