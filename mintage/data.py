"""Real images on the device, in an order that depends on (seed, images seen) alone."""

import math
from functools import cached_property

import torch
from torch import Tensor

from mintage.damage import Damage
from mintage.devices import CHANNELS_LAST
from mintage.randomness import integers, stream

HIDDEN_LABEL = -1
"""Stands for a label that training must not see."""


def hide_labels(labels: Tensor, share: float, seed: int) -> Tensor:
    """The labels `[N]`, with all but a `share` of each class (rounded up, drawn by `seed`) hidden."""
    random = stream(seed, "labelled")  # spelled as ever: the draws depend on it
    shown = torch.full_like(labels, HIDDEN_LABEL)
    for label in torch.unique(labels).tolist():
        of_class = (labels == label).nonzero().squeeze(1)
        count = max(1, math.ceil(round(share * len(of_class), 9)))  # 0.07 of 100 is a little above 7
        kept = of_class[torch.randperm(len(of_class), generator=random)][:count]
        shown[kept] = label
    return shown


def wrong_labels(labels: Tensor, classes: int, random: torch.Generator) -> Tensor:
    """For each label `[N]` another label; all others are equally likely."""
    return (labels + integers(1, classes, labels.shape, random, labels.device)) % classes


def wrong_in_one(conditions: Tensor, channels: int) -> Tensor:
    """Wrong conditions `[N,S+K,*S]` for the discriminator: S `channels` of source, then K of attributes.

    Every other row gets its neighbor's source, the rows between their neighbor's attributes. If both were wrong at
    once, the discriminator would need only the easier one, and learn less of the other (docs/music.md).
    """
    wrong, own = conditions.roll(1, 0), conditions.clone()
    own[::2, :channels], own[1::2, channels:] = wrong[::2, :channels], wrong[1::2, channels:]
    return own


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on the device; images channels last, the fastest layout for convolutions."""
    layout = CHANNELS_LAST.get(tensor.ndim)
    return tensor.to(device) if layout is None else tensor.to(device, memory_format=layout)


class RealImages:
    """Images, each with its condition, in an endless order: each epoch is a new permutation of all images.

    Conditions are labels `[N]`, attributes `[N,K]`, sources `[N,S,*S]`, or None.
    """

    labels: Tensor | None = None
    """Classes `[N]`, if the conditions are domains and the game also learns from classes."""
    damage: Damage | None = None
    """Makes the sources of each batch from its images, in place of stored sources."""

    def __init__(self, images: Tensor, conditions: Tensor | None, seed: int, device: torch.device) -> None:
        self.device = device
        self.images = on_device(images, device)
        self.conditions = None if conditions is None else on_device(conditions, device)
        self.seed = seed
        self._epochs: dict[int, Tensor] = {}
        self._groups: dict[int, RealImages] = {}

    def __len__(self) -> int:
        return len(self.images)

    def relabeled(self, conditions: Tensor | None, seed: int) -> "RealImages":
        """The same images, not copied, with other labels or attributes and in the order of another seed."""
        return RealImages(self.images, conditions, seed, self.device)

    @cached_property
    def labeled(self) -> "RealImages":
        """The images whose label is not hidden, in memory and in their own order; all images if no label is hidden."""
        assert self.conditions is not None
        numbers = (self.conditions != HIDDEN_LABEL).nonzero().squeeze(1)
        if len(numbers) == len(self):
            return self
        return RealImages(self.take(numbers), self.conditions[numbers], self.seed, self.device)

    def group(self, number: int) -> "RealImages":
        """The images of one condition, such as one domain, in their own endless order; with `labels`, if any.

        Each group has its own seed. With one seed, groups stored as pairs would come in the same order, as pairs.
        """
        if number not in self._groups:
            assert self.conditions is not None
            seed = int(torch.randint(2**31, (), generator=stream(self.seed, "order/group", number)))
            numbers = (self.conditions == number).nonzero().squeeze(1)
            self._groups[number] = self.part(numbers, seed)
            if self.labels is not None:
                self._groups[number].conditions = self.labels.to(self.device)[numbers]
        return self._groups[number]

    def part(self, numbers: Tensor, seed: int) -> "RealImages":
        """The images of these numbers `[n]`, not copied, without conditions."""
        return _Part(self.images, numbers, seed, self.device)

    def batch(self, position: int, size: int) -> tuple[Tensor, Tensor | None]:
        """`size` images `[size,C,*S]` and conditions `[size,...]` of the order, from number `position` on."""
        parts = [self._between(start, stop) for start, stop in self._spans(position, position + size)]
        images, conditions = parts[0] if len(parts) == 1 else _joined(parts)
        return images, self.damage.sources(images, self.seed, position) if self.damage else conditions

    def take(self, numbers: Tensor) -> Tensor:
        """The images `[N,C,*S]` of these numbers `[N]`, in the order of storage."""
        return self.images[numbers.to(self.device, non_blocking=True)]

    def conditions_of(self, numbers: Tensor) -> Tensor | None:
        """The conditions `[N,...]` of these numbers."""
        return None if self.conditions is None else self.conditions[numbers.to(self.device, non_blocking=True)]

    def _between(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Images and conditions at the positions [start, stop) of one epoch."""
        chosen = self._order(start, stop).to(self.device, non_blocking=True)
        return self.take(chosen), self.conditions_of(chosen)

    def _spans(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Cut [start, stop) where an epoch ends."""
        ends = list(range((start // len(self) + 1) * len(self), stop, len(self)))
        return list(zip([start, *ends], [*ends, stop], strict=True))

    def _order(self, start: int, stop: int) -> Tensor:
        epoch = start // len(self)
        if epoch not in self._epochs:
            self._epochs = {epoch: torch.randperm(len(self), generator=stream(self.seed, "order", epoch))}
        return self._epochs[epoch][start - epoch * len(self) : stop - epoch * len(self)]


def _joined(parts: list[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    images, conditions = zip(*parts, strict=True)
    return torch.cat(images), None if conditions[0] is None else torch.cat(conditions)


class _Part(RealImages):
    """Some of the images of a `RealImages`."""

    def __init__(self, images: Tensor, numbers: Tensor, seed: int, device: torch.device) -> None:
        super().__init__(images, None, seed, device)
        self._numbers = numbers.to(device)

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, numbers: Tensor) -> Tensor:
        return super().take(self._numbers[numbers.to(self.device, non_blocking=True)])


class Unpaired(RealImages):
    """Images of one domain; each has, in place of a source, an unrelated image of the other domain."""

    def __init__(self, real: RealImages, others: RealImages) -> None:
        self.device, self.seed, self.conditions = real.device, real.seed, None
        self._real, self._others = real, others

    def __len__(self) -> int:
        return len(self._real)

    def batch(self, position: int, size: int) -> tuple[Tensor, Tensor | None]:
        return self._real.batch(position, size)[0], self._others.batch(position, size)[0]

    def take(self, numbers: Tensor) -> Tensor:
        return self._real.take(numbers)

    def conditions_of(self, numbers: Tensor) -> Tensor | None:
        return self._others.take(numbers % len(self._others))
