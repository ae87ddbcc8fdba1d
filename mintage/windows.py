"""A sound of any length cut into windows of one length, and processed windows joined again, without seams."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class Windows:
    """Windows that share half of their samples with the next one; a window's weight falls towards its ends.

    With windows side by side, without an overlap, a tone would click where two meet.
    """

    length: int
    """Samples of the sound, above 0."""
    size: int
    """Samples of a window; a shorter sound is padded with silence at its end."""

    @property
    def starts(self) -> list[int]:
        """The first sample of each window; the last window ends where the sound ends."""
        last = max(0, self.length - self.size)
        return [*range(0, last, max(1, self.size // 2)), last]

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, sound: Tensor) -> Tensor:
        """The windows `[W,C,size]` of a sound `[C,T]`."""
        whole = pad(sound, (0, max(0, self.size - self.length)))
        return torch.stack([whole[:, start : start + self.size] for start in self.starts])

    def joined(self, made: Iterable[Tensor]) -> Tensor:
        """The sound `[C,T]` joined from processed windows, `[C,size]` each, in their order.

        Weights are the squares of a sine's half wave, which add up to 1 where two windows share their halves.
        """
        weight = torch.sin(torch.pi * (torch.arange(self.size) + 0.5) / self.size).square()
        total = torch.zeros(max(self.length, self.size))
        sound: Tensor | None = None
        for start, window in zip(self.starts, made, strict=True):
            sound = torch.zeros(len(window), len(total)) if sound is None else sound
            sound[:, start : start + self.size] += window * weight
            total[start : start + self.size] += weight
        assert sound is not None
        return (sound / total)[:, : self.length]
