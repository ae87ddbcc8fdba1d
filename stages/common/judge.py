"""Whether the network that judges generated images is itself good enough to be believed."""

from collections.abc import Mapping
from typing import Any

_LEAST = 0.1
"""Share of the way from guessing to all being right, below which a classifier knows hardly any class."""
_MOST_BETTER = 0.3
"""Share of the same way by which it may be better on training images than on held-out ones; also of the variance."""

_DOES = {
    "accuracy": "{} right on them, {} on held-out ones",
    "explained_variance": "it rebuilds {} of their variance, {} of that of held-out ones",
}


def doubt(evaluator: Mapping[str, Any], chance: float | None = None) -> str | None:
    """What the evaluator of metrics/evaluator.json does too badly, as a verb phrase; None where it does well enough.

    `chance` is the share that guessing is right in. Coordinates judge without having learned anything.
    """
    explained, right = evaluator.get("holdout_explained_variance"), evaluator.get("holdout_accuracy")
    if evaluator.get("kind") == "coordinates":
        return None
    if explained is not None and explained < 0:
        return "rebuilds held-out images worse than their mean would"
    if right is not None and chance is not None and right - chance < _LEAST * (1 - chance):
        return f"is right on {100 * right:.1f}% of the held-out images, where guessing is right on {100 * chance:.1f}%"
    return None


def by_heart(evaluator: Mapping[str, Any], chance: float | None = None) -> str | None:
    """How much better the evaluator does on its training images than on held-out ones, as a verb phrase.

    None where it is not by much. Else its features of training images are unlike those of any others, and a floor made
    of them is not what real images reach.
    """
    for name, does in _DOES.items():
        known, held_out = (evaluator.get(f"{split}_{name}") for split in ("train", "holdout"))
        if known is not None and held_out is not None and known - held_out > _MOST_BETTER * (1 - (chance or 0)):
            figures = does.format(f"{100 * known:.1f}%", f"{100 * held_out:.1f}%")
            return f"has memorized its training images ({figures})"
    return None
