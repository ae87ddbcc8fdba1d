"""How the generator is told its class. Each is a module around any network that makes the network's inputs."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from mintage.conditioning.embedding import EMBEDDING, QUIET, label_embedding

_SHARED_STD = 0.3
"""Larger than an embedding beside z, since the norms that read it start small; at 1 a class is one image."""


class Inputs(NamedTuple):
    """What a generating network runs on."""

    vector: Tensor
    """`[N, latent + vector_size]`."""
    modulation: Tensor | None = None
    """`[N, modulation_size]`, of which its norms make their scale and shift."""
    plane: Tensor | None = None
    """`[N, plane_size]`, which it widens to one more channel of its first feature map."""


class Unconditional(nn.Module):
    """The latent alone; and what every other way adds to that."""

    vector_size = 0
    modulation_size = 0
    plane_size = 0
    modulates = False
    """Whether it reaches the network through its norms."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, latent: Tensor, label: Tensor | None) -> Inputs:
        return Inputs(latent)


class Concat(Unconditional):
    """The label's embedding joined to z (Mirza and Osindero 2014)."""

    vector_size = EMBEDDING

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.embedding = label_embedding(classes, QUIET)

    def forward(self, latent: Tensor, label: Tensor | None) -> Inputs:
        return Inputs(torch.cat([latent, self.embedding(label).to(latent.dtype)], dim=1))


class Plane(Unconditional):
    """The label's embedding as one more channel of the first feature map."""

    plane_size = EMBEDDING

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.embedding = label_embedding(classes, QUIET)

    def forward(self, latent: Tensor, label: Tensor | None) -> Inputs:
        return Inputs(latent, plane=self.embedding(label))


class BatchNorm(Unconditional):
    """Conditional batch norm: a scale and a shift for each class and channel (Dumoulin et al. 2017; Miyato 2018)."""

    modulates = True

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.modulation_size = classes

    def forward(self, latent: Tensor, label: Tensor | None) -> Inputs:
        assert label is not None
        return Inputs(latent, modulation=one_hot(label, self.classes).to(latent.dtype))


class SharedBatchNorm(Unconditional):
    """Conditional batch norm whose layers all read one embedding (Brock et al. 2019)."""

    modulation_size = EMBEDDING
    modulates = True

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.embedding = label_embedding(classes, _SHARED_STD)

    def forward(self, latent: Tensor, label: Tensor | None) -> Inputs:
        return Inputs(latent, modulation=self.embedding(label))
