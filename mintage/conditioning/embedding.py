"""A label as a vector: 50 wide, as in the most used conditional GANs."""

from torch import nn

EMBEDDING = 50
QUIET = 0.02
"""Beside z, as small as DCGAN's weights: at a scale of 1 the label drowns z, and each class collapses to one image."""
LOUD = 1.0
"""Beside an image of values near 1: any smaller, and the discriminator hardly sees the label."""


def label_embedding(classes: int, std: float, size: int = EMBEDDING) -> nn.Embedding:
    """Labels `[N]` to vectors `[N, size]`, at first normal with this standard deviation."""
    embedding = nn.Embedding(classes, size)
    nn.init.normal_(embedding.weight, 0.0, std)
    return embedding
