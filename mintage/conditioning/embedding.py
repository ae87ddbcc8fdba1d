"""What images are conditioned on, as a vector: the class, or the attributes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from mintage.attribute_names import groups_of

EMBEDDING = 50
"""Width, as in the most used conditional GANs."""
QUIET = 0.02
"""Beside z, as small as DCGAN's weights: at a scale of 1 the label drowns z, and each class collapses to one image."""
LOUD = 1.0
"""Beside an image of values near 1: any smaller, and the discriminator hardly sees the label."""


@dataclass(frozen=True)
class Condition:
    """One of `size` classes, a label `[N]`; or `size` attributes, `[N, size]` on [-1,1], of these names."""

    size: int
    attributes: tuple[str, ...] | None = None

    def embedding(self, std: float, width: int = EMBEDDING) -> nn.Module:
        """From conditions to vectors `[N, width]`, at first normal with this standard deviation."""
        if self.attributes:
            linear = nn.Linear(self.size, width, bias=False)
            nn.init.normal_(linear.weight, 0.0, std / self.size**0.5)
            return linear
        embedding = nn.Embedding(self.size, width)
        nn.init.normal_(embedding.weight, 0.0, std)
        return embedding

    def vector(self, condition: Tensor) -> Tensor:
        """`[N, size]`: a 1 at the class, or the attributes themselves."""
        return condition if self.attributes else one_hot(condition, self.size)

    def loss(self, logits: Tensor, condition: Tensor) -> Tensor:
        """How badly logits `[N, size]` name the class; or the attributes, each its word, bit or number: the mean."""
        if not self.attributes:
            return cross_entropy(logits, condition)
        losses = []
        for places in groups_of(self.attributes).values():
            answered, asked = logits[:, places], condition[:, places]
            # A number is a probability between, and the loss is least where the logit says just that.
            one = binary_cross_entropy_with_logits(answered, (asked + 1) / 2)
            losses.append(one if len(places) == 1 else cross_entropy(answered, asked.argmax(1)))
        return torch.stack(losses).mean()


def attribute_values(logits: Tensor) -> Tensor:
    """The attributes on [-1,1] that logits stand for."""
    return 2 * torch.sigmoid(logits) - 1
