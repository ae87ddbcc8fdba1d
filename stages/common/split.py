"""A split of the normalized images: labels and attributes are in memory, pixels on the disk till they are asked for."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mintage.dataset import Signature
from stages.common.levels import FloatImages
from stages.common.shards import Labels, ShardReader

BATCH = 512
"""Images that are decoded at a time."""
Numbers = npt.NDArray[np.int64]
"""Of images, counted as they are stored."""


class Split:
    """`data/normalized/train` or `.../holdout`. Raises UserError where a shard cannot be read."""

    def __init__(self, directory: str | Path, column: Literal["image", "partner"] = "image") -> None:
        """With the column "partner" its images are the partners of the others."""
        self.reader = ShardReader(directory)
        self._directory, self._column = directory, column
        self.shape = self.reader.shape if column == "image" else self.reader.partner_shape or self.reader.shape
        self.classes = self.reader.classes

    def __len__(self) -> int:
        return len(self.reader)

    @cached_property
    def labels(self) -> Labels | None:
        """`[N]` in `[0, len(classes))`; None without classes."""
        found = [labels for block in self.reader.blocks if (labels := self.reader.labels(block)) is not None]
        return np.concatenate(found) if found else None

    @cached_property
    def attributes(self) -> FloatImages | None:
        """`[N,K]` on [-1,1]; None without attributes."""
        blocks = self.reader.blocks
        found = [rows for block in blocks if (rows := self.reader.attributes(block)) is not None]
        return np.concatenate(found) if found else None

    @cached_property
    def domain(self) -> Labels | None:
        """`[N]`, 0 or 1; None where images are of one domain."""
        blocks = self.reader.blocks
        found = [domains for block in blocks if (domains := self.reader.domains(block)) is not None]
        return np.concatenate(found) if found else None

    @property
    def signature(self) -> "Signature":
        """What a game must know of the images."""
        from mintage.damage import Damage  # and so torch, which not all who read a split have
        from mintage.dataset import Signature

        reader = self.reader
        classes, attributes, domains = (
            None if names is None else tuple(names)
            for names in (self.classes, reader.attribute_names, reader.domain_names)
        )
        damage = None if reader.damage is None else Damage(*reader.damage)
        return Signature(self.shape, classes, attributes, reader.partner_shape, damage, domains)

    @cached_property
    def partners(self) -> "Split | None":
        """The same rows with their partners as images; None where images have none."""
        return Split(self._directory, "partner") if self.reader.partner_shape else None

    @property
    def keys(self) -> list[str]:
        return [key for block in self.reader.blocks for key in self.reader.keys(block)]

    def batches(self, numbers: Numbers | None = None) -> Iterator[FloatImages]:
        """Images `[n,C,H,W]` in [-1,1], `BATCH` at a time, in the order in which they are stored: all, or `numbers`."""
        wanted = np.arange(len(self)) if numbers is None else np.sort(numbers)
        batch, filled = self._empty(min(BATCH, len(wanted))), 0
        for block in self.reader.blocks:
            first, last = np.searchsorted(wanted, [block.start, block.stop])
            images = self.reader.images(block, self._column) if first < last else None
            while images is not None and first < last:
                stop = min(last, first + len(batch) - filled)
                batch[filled : filled + stop - first] = images[wanted[first:stop] - block.start]
                first, filled = stop, filled + stop - first
                if filled == len(batch):
                    yield batch
                    batch, filled = self._empty(min(BATCH, len(wanted) - first)), 0

    def take(self, numbers: Numbers) -> FloatImages:
        """A few images `[n,C,H,W]`, in the order of their numbers `[n]`."""
        images = self._empty(len(numbers))
        images[np.argsort(numbers)] = np.concatenate([self._empty(0), *self.batches(numbers)])
        return images

    def images(self) -> FloatImages:
        """All of them at once: `[N,C,H,W]`."""
        return np.concatenate(list(self.batches()))

    def _empty(self, count: int) -> FloatImages:
        return np.empty((count, *self.shape), np.float32)
