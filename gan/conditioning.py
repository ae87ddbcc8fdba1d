"""How a label reaches a player: the original cGAN's embedding (Mirza and Osindero 2014), 50 wide.

Each is a module around any network: it makes the network's input from (latent or image, label).
Labels are `[N]` int64 in `[0, classes)`.
"""

import torch
from torch import Tensor, nn

EMBEDDING = 50
INIT_STD = 0.02
"""As small as DCGAN's weights. At torch's default of 1 the label drowns z: each class collapses to one image."""


def label_embedding(classes: int) -> nn.Embedding:
    """Labels `[N]` to vectors `[N, 50]`."""
    embedding = nn.Embedding(classes, EMBEDDING)
    nn.init.normal_(embedding.weight, 0.0, INIT_STD)
    return embedding


class LatentEmbedding(nn.Module):
    """Joins the label's embedding to z: `[N, latent]` -> `[N, latent + 50]`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = label_embedding(classes)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        return torch.cat([latent, self.embedding(label).to(latent.dtype)], dim=1)


class ImagePlane(nn.Module):
    """Widens the label's embedding to an H x W plane and joins it as a channel: `[N,C,H,W]` -> `[N,C+1,H,W]`."""

    def __init__(self, classes: int, height: int, width: int) -> None:
        super().__init__()
        self.embedding = label_embedding(classes)
        self.widen = nn.Linear(EMBEDDING, height * width)
        self.height, self.width = height, width

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        plane = self.widen(self.embedding(label)).view(-1, 1, self.height, self.width)
        return torch.cat([image, plane.to(image.dtype)], dim=1)
