"""A label as a vector: 50 wide, as in the most used conditional GANs."""

from torch import nn

EMBEDDING = 50
INIT_STD = 0.02
"""As small as DCGAN's weights. At torch's default of 1 the label drowns z: each class collapses to one image."""


def label_embedding(classes: int, size: int = EMBEDDING) -> nn.Embedding:
    """Labels `[N]` to vectors `[N, size]`."""
    embedding = nn.Embedding(classes, size)
    nn.init.normal_(embedding.weight, 0.0, INIT_STD)
    return embedding
