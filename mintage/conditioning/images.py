"""How a condition is joined to the discriminator's image: (images `[N,C,*S]`, condition) to `[N,channels,*S]`."""

import math

import torch
from torch import Tensor, nn

from mintage.conditioning.embedding import EMBEDDING, LOUD, Condition
from mintage.networks.labeled import Labeled
from mintage.sources import Shape, enlarged


class Unlabeled(nn.Module):
    """The image alone."""

    takes: str | None = None
    """What is joined: the image's "label", or its attributes instead; its "source" `[N,S,H,W]`; or its "domain"."""

    def __init__(self, condition: Condition, image_shape: Shape, source_shape: Shape | None = None) -> None:
        super().__init__()
        own, *self.size = image_shape
        self.condition = condition
        self.channels = own + self.joined(source_shape)

    def joined(self, source_shape: Shape | None) -> int:
        """How many channels are joined to the image's own."""
        return 0

    def forward(self, image: Tensor, condition: Tensor | None) -> Tensor:
        return image

    def apart(self, image: Tensor, condition: Tensor | None) -> Labeled | None:
        """Image and class planes, not yet joined; None if there are no class planes, or more of them than images."""
        return None


class ConcatPlane(Unlabeled):
    """The label's embedding, widened to a plane of the image's size and joined as a channel."""

    takes = "label"

    def __init__(self, condition: Condition, image_shape: Shape, source_shape: Shape | None = None) -> None:
        super().__init__(condition, image_shape)
        self.embedding = condition.embedding(LOUD)
        self.widen = nn.Linear(EMBEDDING, math.prod(self.size))

    def joined(self, source_shape: Shape | None) -> int:
        return 1

    def forward(self, image: Tensor, condition: Tensor | None) -> Tensor:
        return torch.cat([image, self._plane(self.embedding(condition)).to(image.dtype)], dim=1)

    def apart(self, image: Tensor, condition: Tensor | None) -> Labeled | None:
        if condition is None or not isinstance(self.embedding, nn.Embedding) or len(image) < self.condition.size:
            return None
        return Labeled(image, self._plane(self.embedding.weight), condition)

    def _plane(self, embedded: Tensor) -> Tensor:
        plane: Tensor = self.widen(embedded)
        return plane.view(-1, 1, *self.size)


class Product(Unlabeled):
    """The image multiplied by the label's embedding, which is widened to its shape and near 1 at the start."""

    takes = "label"

    def __init__(self, condition: Condition, image_shape: Shape, source_shape: Shape | None = None) -> None:
        super().__init__(condition, image_shape)
        self.embedding = condition.embedding(LOUD)
        self.widen = nn.Linear(EMBEDDING, math.prod(image_shape))
        nn.init.ones_(self.widen.bias)

    def forward(self, image: Tensor, condition: Tensor | None) -> Tensor:
        factor: Tensor = self.widen(self.embedding(condition)).view_as(image)
        return image * factor.to(image.dtype)


class Repeat(Unlabeled):
    """The label as more channels: one for each class, all 1 at the image's class; or one for each number of the
    attributes or of their combinations."""

    takes = "label"

    def joined(self, source_shape: Shape | None) -> int:
        return self.condition.vector_size

    def forward(self, image: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is not None
        planes = self.condition.vector(condition).to(image.dtype)[:, :, *[None] * len(self.size)]
        return torch.cat([image, planes.expand(-1, -1, *self.size)], dim=1)


class Domain(Repeat):
    """The domain's number as channels in the same way; it chooses the network's first layer (Liu and Tuzel 2016)."""

    takes = "domain"


class Beside(Unlabeled):
    """The source, resized to the image, as more channels (Isola et al. 2017)."""

    takes = "source"

    def joined(self, source_shape: Shape | None) -> int:
        assert source_shape is not None
        return source_shape[0]

    def forward(self, image: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is not None
        return torch.cat([image, enlarged(condition, self.size).to(image.dtype)], dim=1)


class Hole(Unlabeled):
    """Only the image inside the source's hole, black around it, and the source's mask (Pathak et al. 2016, 3.2)."""

    takes = "source"

    def joined(self, source_shape: Shape | None) -> int:
        return 1

    def forward(self, image: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is not None
        mask = condition[:, -1:].to(image.dtype)
        return torch.cat([torch.where(mask > 0, image, -1), mask], dim=1)
