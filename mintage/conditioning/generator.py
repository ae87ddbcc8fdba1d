"""How the generator gets its class, attributes or source: (latent, condition) to a network's inputs."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mintage.conditioning.embedding import EMBEDDING, QUIET, Condition


class Inputs(NamedTuple):
    """The inputs of a network that makes images."""

    vector: Tensor
    """`[N, latent + vector_size]`."""
    modulation: Tensor | None = None
    """`[N, modulation_size]`, from which its norms make their scale and shift."""
    plane: Tensor | None = None
    """`[N, plane_size]`, which it widens to one more channel of its first feature map."""


class OfDomain(NamedTuple):
    """The inputs of a network that makes images of several domains."""

    vector: Tensor
    modulation: Tensor | None
    plane: Tensor | None
    domain: Tensor
    """`[N, domains]`: a 1 at the domain whose layers draw the image."""


class Translation(NamedTuple):
    """The inputs of a network that translates."""

    source: Tensor
    """`[N,S,H,W]`."""
    vector: Tensor
    """`[N, latent]`."""


class Unconditional(nn.Module):
    """The latent alone. The other classes add a condition to it."""

    takes: str | None = None
    """What its condition is: the "label" of an image, or its attributes in place of that; its "source" `[N,S,H,W]`; or
    the "domain" of the image to make."""
    vector_size = 0
    modulation_size = 0
    plane_size = 0
    modulates = False
    """Whether it reaches the network through its norms."""

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self.condition = condition

    def forward(self, latent: Tensor, condition: Tensor | None) -> Inputs | OfDomain | Translation:
        return Inputs(latent)


class Embedded(Unconditional):
    """An embedding of the label, which each class below gives to another part of the network."""

    takes = "label"
    std = QUIET
    """Scale of the embedding's first values."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition)
        self.embedding = condition.embedding(self.std)


class Concat(Embedded):
    """The label's embedding joined to z (Mirza and Osindero 2014)."""

    vector_size = EMBEDDING

    def forward(self, latent: Tensor, condition: Tensor | None) -> Inputs:
        return Inputs(torch.cat([latent, self.embedding(condition).to(latent.dtype)], dim=1))


class Plane(Embedded):
    """The label's embedding as one more channel of the first feature map."""

    plane_size = EMBEDDING

    def forward(self, latent: Tensor, condition: Tensor | None) -> Inputs:
        return Inputs(latent, plane=self.embedding(condition))


class BatchNorm(Unconditional):
    """Conditional batch norm: a scale and a shift for each class and channel (Dumoulin et al. 2017; Miyato 2018)."""

    takes = "label"
    modulates = True

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition)
        self.modulation_size = condition.vector_size

    def forward(self, latent: Tensor, condition: Tensor | None) -> Inputs:
        assert condition is not None
        return Inputs(latent, modulation=self.condition.vector(condition).to(latent.dtype))


class SharedBatchNorm(Embedded):
    """Conditional batch norm whose layers all read one embedding (Brock et al. 2019)."""

    modulation_size = EMBEDDING
    modulates = True
    std = 0.3
    """Larger, since the norms that read it start small; at 1 each class collapses."""

    def forward(self, latent: Tensor, condition: Tensor | None) -> Inputs:
        return Inputs(latent, modulation=self.embedding(condition))


class Source(Unconditional):
    """The image to translate, whole: the network begins with it (Isola et al. 2017)."""

    takes = "source"

    def forward(self, latent: Tensor, condition: Tensor | None) -> Translation:
        assert condition is not None
        return Translation(condition, latent)


class Domain(Unconditional):
    """The domain's number, which chooses the network's last layer (Liu and Tuzel 2016)."""

    takes = "domain"

    def forward(self, latent: Tensor, condition: Tensor | None) -> OfDomain:
        assert condition is not None
        return OfDomain(latent, None, None, self.condition.vector(condition).to(latent.dtype))
