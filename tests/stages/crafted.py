"""Generators whose figures are known, since they only give real training images back."""

import torch
from torch import Tensor, nn

from mintage.model_config import ModelConfig
from stages.common.split import Split


class Copier(nn.Module):
    """Real images of the class that is asked for, or only the first `kept` of each.

    Of the next class where it lies, of any where it is deaf.
    """

    def __init__(
        self, split: Split, *, lie: bool = False, deaf: bool = False, kept: int | None = None, noise: float = 0.0
    ) -> None:
        super().__init__()
        assert split.labels is not None
        classes = tuple(split.classes or ())
        self.config = ModelConfig("copier", 1, split.shape, classes, 2, "normal", generator_conditioning="concat")
        self.images = nn.Parameter(torch.from_numpy(split.images()), requires_grad=False)
        self.labels, self.lie, self.kept, self.noise = torch.from_numpy(split.labels), lie, kept, noise
        self.deaf = deaf

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        classes = len(self.config.classes or ())
        asked = (label + 1) % classes if self.lie else label
        asked = (latent[:, 1].abs() * 1e4).long() % classes if self.deaf else asked
        chosen = []
        for row, one in zip(latent, asked, strict=True):
            having = (self.labels == one).nonzero()[: self.kept, 0]
            chosen.append(int(having[int(row[0].abs() * 1e4) % len(having)]))
        changed = self.noise * torch.sin(1e3 * latent[:, 1:, None, None] * torch.arange(64).view(8, 8))
        return (self.images[chosen] + changed).clamp(-1, 1)
