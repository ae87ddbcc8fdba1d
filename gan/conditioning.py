"""How a label reaches a player: the original cGAN's embedding (Mirza and Osindero 2014), 50 wide.

Each is a module around any network: it makes the network's input from (latent or image, label).
Labels are `[N]` int64 in `[0, classes)`.
"""

import torch
from torch import Tensor, nn

EMBEDDING = 50


class LatentEmbedding(nn.Module):
    """Joins the label's embedding to z: `[N, latent]` -> `[N, latent + 50]`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, EMBEDDING)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        return torch.cat([latent, self.embedding(label).to(latent.dtype)], dim=1)


class ImagePlane(nn.Module):
    """Widens the label's embedding to an H x W plane and joins it as a channel: `[N,C,H,W]` -> `[N,C+1,H,W]`."""

    def __init__(self, classes: int, height: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, EMBEDDING)
        self.widen = nn.Linear(EMBEDDING, height * width)
        self.height, self.width = height, width

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        plane = self.widen(self.embedding(label)).view(-1, 1, self.height, self.width)
        return torch.cat([image, plane.to(image.dtype)], dim=1)
