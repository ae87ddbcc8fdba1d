"""What images are conditioned on, as a vector: the class, or the attributes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from mintage.attribute_names import combination_count, groups_of
from mintage.attributes import combination_shares

EMBEDDING = 50
"""Width of an embedding, as in the most used conditional GANs."""
QUIET = 0.02
"""Scale of an embedding beside z, as small as DCGAN's weights: at 1 the label dominates z, and each class collapses."""
LOUD = 1.0
"""Scale of an embedding beside an image, whose values are near 1: at less the discriminator hardly sees the label."""


@dataclass(frozen=True)
class Condition:
    """A kind of condition: a label `[N]` of `size` classes; or `size` attributes `[N, size]` in [-1,1] with names."""

    size: int
    attributes: tuple[str, ...] | None = None
    joint: bool = False
    """Whether players get which combination of all attributes it is, in place of each attribute by itself."""

    @property
    def vector_size(self) -> int:
        """How many numbers players get: `size`, or the number of combinations."""
        return combination_count(self.attributes) if self.attributes and self.joint else self.size

    def for_players(self, condition: Tensor) -> Tensor:
        """The condition as players get it: if attributes are joint, as `[N, vector_size]` shares of combinations.

        Of a source `[N,S,*S]` the last `size` channels are the attributes; the others stay as they are.
        """
        if not self.attributes or not self.joint:
            return condition
        own, attributes = condition.tensor_split([condition.shape[1] - self.size], dim=1)
        return torch.cat([own, combination_shares(attributes, self.attributes)], dim=1)

    def embedding(self, std: float, width: int = EMBEDDING) -> nn.Module:
        """A layer from what players get to vectors `[N, width]`, at first normal with standard deviation `std`."""
        if self.attributes:
            linear = nn.Linear(self.vector_size, width, bias=False)
            # Of combinations one is 1 and the others are 0; of attributes by themselves each is a number.
            nn.init.normal_(linear.weight, 0.0, std if self.joint else std / self.size**0.5)
            return linear
        embedding = nn.Embedding(self.size, width)
        nn.init.normal_(embedding.weight, 0.0, std)
        return embedding

    def vector(self, condition: Tensor) -> Tensor:
        """`[N, vector_size]`: a 1 at the class; what players get of attributes is such a vector already."""
        return condition if self.attributes else one_hot(condition, self.size)

    def loss(self, logits: Tensor, condition: Tensor) -> Tensor:
        """The loss of logits `[N, size]`: cross entropy of the class, or its mean over the attributes."""
        if not self.attributes:
            return cross_entropy(logits, condition)
        losses = []
        for places in groups_of(self.attributes).values():
            answered, asked = logits[:, places], condition[:, places]
            # A number in [0,1] is taken as a probability: the loss is least where the logit gives just that.
            one = binary_cross_entropy_with_logits(answered, (asked + 1) / 2)
            losses.append(one if len(places) == 1 else cross_entropy(answered, asked.argmax(1)))
        return torch.stack(losses).mean()


def attribute_values(logits: Tensor) -> Tensor:
    """The attributes in [-1,1] that logits stand for."""
    return 2 * torch.sigmoid(logits) - 1
