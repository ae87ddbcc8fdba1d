"""Whether the network that judges generated images is itself good enough to be believed."""

from collections.abc import Mapping
from typing import Any

_LEAST = 0.1
"""Share of the way from guessing to all being right, below which a classifier knows hardly any class."""


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
