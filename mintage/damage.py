"""Sources made at random from their images: a hole, noise, salt and pepper; anew at every step, or once."""

from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from mintage.randomness import stream

KINDS = ("masked", "noisy", "salt")
_FLAT = 128 / 127.5 - 1
"""Mid gray, the color of a hole."""


@dataclass(frozen=True)
class Damage:
    """How a source `[S,H,W]` is made from an image `[C,H,W]`.

    Args:
        kind: "masked": a gray hole of half the sides, and its mask (1 in it, -1 around it) as one more channel;
            "noisy": Gaussian noise; "salt": some pixels are black or white in all channels.
        strength: The noise's standard deviation (black to white is 2), or the share of such pixels. A hole has none.

    Example:
        >>> import torch, mintage
        >>> data = mintage.Dataset(image=torch.rand(64, 1, 16, 16) * 2 - 1, source=mintage.Damage("noisy", 0.3))
        >>> run = mintage.train(data, "pix2pix", images=640, recipe={"width": 4, "redrawn": True}, progress=False)
        >>> run.model.translate(data.source[:3]).shape
        torch.Size([3, 1, 16, 16])
    """

    kind: str
    strength: float = 0.3

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no damage {self.kind!r}: name one of {', '.join(KINDS)}")
        most = 1 if self.kind == "salt" else 4
        if self.kind != "masked" and not (isinstance(self.strength, Real) and 0 < self.strength <= most):
            raise ValueError(f"strength = {self.strength!r}: give a number above 0, {most} at most")

    def sources(self, images: Tensor, seed: int, position: int) -> Tensor:
        """Sources `[N,S,H,W]` of images `[N,C,H,W]`; the first image is shown at this position of a training.

        An image's draw depends only on the seed and its own position, not on the rest of the batch.
        """
        drawn = [stream(seed, "damage", position + row) for row in range(len(images))]
        if self.kind == "masked":
            return _masked(images, drawn)
        if self.kind == "noisy":
            noise = torch.stack([torch.randn(images.shape[1:], generator=random) for random in drawn])
            return in_8_bits(images + self.strength * noise.to(images.device, non_blocking=True))
        chance = torch.stack([torch.rand(1, *images.shape[2:], generator=random) for random in drawn])
        chance = chance.to(images.device, non_blocking=True)
        white = torch.where(chance < self.strength, 1.0, images)
        return torch.where(chance < self.strength / 2, -1.0, white)


def _masked(images: Tensor, drawn: list[torch.Generator]) -> Tensor:
    height, width = images.shape[2:]
    high, wide = (height + 1) // 2, (width + 1) // 2
    tops, lefts = (
        torch.stack([torch.randint(room + 1, (1, 1, 1), generator=random) for random in drawn]).to(
            images.device, non_blocking=True
        )
        for room in (height - high, width - wide)
    )
    rows = torch.arange(height, device=images.device).view(-1, 1)
    columns = torch.arange(width, device=images.device)
    hole = (rows >= tops) & (rows < tops + high) & (columns >= lefts) & (columns < lefts + wide)
    return torch.cat([torch.where(hole, _FLAT, images), hole.to(images) * 2 - 1], dim=1)


def in_8_bits(images: Tensor) -> Tensor:
    """Images as files have them: cut to [-1,1], and rounded to 8 bits."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
