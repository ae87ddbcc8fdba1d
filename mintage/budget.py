"""How long an evaluator learns: as long as suits the training that it judges. Imports nothing."""

FULL, LEAST = 120_000, 12_000
"""Images that an evaluator is trained on: beside a usual training, and at least, for features that are of use."""
USUAL = 200_000
"""Images of a training from which on its evaluator learns in full, and no longer."""


def images_beside(training: int) -> int:
    """Images to train an evaluator on, beside a training of `training` images: 3/5 of these, so as to cost less."""
    return min(FULL, max(LEAST, 3 * training // 5))
