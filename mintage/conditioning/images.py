"""How the discriminator is shown the class with the image: (images `[N,C,H,W]`, labels) -> `[N, channels, H, W]`."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from mintage.conditioning.embedding import EMBEDDING, LOUD, label_embedding

ImageShape = tuple[int, int, int]


class Unlabelled(nn.Module):
    """The image alone."""

    def __init__(self, classes: int, image_shape: ImageShape) -> None:
        super().__init__()
        self.channels, self.height, self.width = image_shape
        self.classes = classes

    def forward(self, image: Tensor, label: Tensor | None) -> Tensor:
        return image


class ConcatPlane(Unlabelled):
    """The label's embedding widened to an H x W plane and joined as a channel."""

    def __init__(self, classes: int, image_shape: ImageShape) -> None:
        super().__init__(classes, image_shape)
        self.embedding = label_embedding(classes, LOUD)
        self.widen = nn.Linear(EMBEDDING, self.height * self.width)
        self.channels += 1

    def forward(self, image: Tensor, label: Tensor | None) -> Tensor:
        plane = self.widen(self.embedding(label)).view(-1, 1, self.height, self.width)
        return torch.cat([image, plane.to(image.dtype)], dim=1)


class Product(Unlabelled):
    """The image multiplied by the label's embedding, widened to its shape; around 1 at the start."""

    def __init__(self, classes: int, image_shape: ImageShape) -> None:
        super().__init__(classes, image_shape)
        self.embedding = label_embedding(classes, LOUD)
        self.widen = nn.Linear(EMBEDDING, self.channels * self.height * self.width)
        nn.init.ones_(self.widen.bias)

    def forward(self, image: Tensor, label: Tensor | None) -> Tensor:
        factor: Tensor = self.widen(self.embedding(label)).view_as(image)
        return image * factor.to(image.dtype)


class Repeat(Unlabelled):
    """The label repeated over the image: a channel a class, one of them all ones."""

    def __init__(self, classes: int, image_shape: ImageShape) -> None:
        super().__init__(classes, image_shape)
        self.channels += classes

    def forward(self, image: Tensor, label: Tensor | None) -> Tensor:
        assert label is not None
        planes = one_hot(label, self.classes).to(image.dtype)[:, :, None, None]
        return torch.cat([image, planes.expand(-1, -1, self.height, self.width)], dim=1)
