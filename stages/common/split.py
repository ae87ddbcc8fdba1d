"""A split of the normalized images, or one domain of it: labels and attributes in memory, pixels on the disk."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mintage.dataset import Signature
from stages.common.levels import FloatImages
from stages.common.shards import Block, Labels, ShardReader

BATCH = 512
"""Images that are decoded at a time."""
Numbers = npt.NDArray[np.int64]
"""Numbers of images, counted in the order of storage."""
Column = TypeVar("Column", Labels, FloatImages)


class Split:
    """`data/normalized/train` or `.../holdout`. Raises UserError if a shard cannot be read."""

    def __init__(
        self, directory: str | Path, column: Literal["image", "partner"] = "image", rows: Numbers | None = None
    ) -> None:
        """With the column "partner", its images are the partners; with `rows` `[N]`, it has only these rows."""
        self.reader = ShardReader(directory)
        self.rows = rows
        """The numbers of its images in the shards, in order; None means all images."""
        self._directory, self._column = directory, column
        self.shape = self.reader.shape if column == "image" else self.reader.partner_shape or self.reader.shape
        self.classes = self.reader.classes

    def __len__(self) -> int:
        return len(self.reader) if self.rows is None else len(self.rows)

    @cached_property
    def labels(self) -> Labels | None:
        """Labels `[N]` in `[0, len(classes))`; None without classes."""
        return self._column_of_all(self.reader.labels)

    @cached_property
    def attributes(self) -> FloatImages | None:
        """Attributes `[N,K]` in [-1,1]; None without attributes."""
        return self._column_of_all(self.reader.attributes)

    @cached_property
    def domain(self) -> Labels | None:
        """Domains `[N]`, 0 or 1; None if there is only one domain."""
        return self._column_of_all(self.reader.domains)

    @property
    def signature(self) -> "Signature":
        """What a game must know about the images."""
        from mintage.damage import Damage  # imports torch, which not every user of a split has
        from mintage.dataset import Signature

        reader = self.reader
        classes, attributes, domains, vocabulary = (
            None if names is None else tuple(names)
            for names in (self.classes, reader.attribute_names, reader.domain_names, reader.alphabet)
        )
        damage = None if reader.damage is None else Damage(*reader.damage)
        return Signature(self.shape, classes, attributes, reader.partner_shape, damage, domains, vocabulary)

    @cached_property
    def partners(self) -> "Split | None":
        """The same rows with their partners as images; None without partners."""
        return Split(self._directory, "partner", self.rows) if self.reader.partner_shape else None

    def with_attributes(self, attributes: FloatImages | None = None) -> "JoinedSplit":
        """The same images, with attributes `[N,K]`, their own or others, as more channels of their partners."""
        own = self.attributes if attributes is None else attributes
        assert own is not None
        return JoinedSplit(self._directory, own, self.rows)

    @property
    def domains(self) -> tuple[str, ...]:
        """The names of the two domains; empty if there is only one."""
        return tuple(self.reader.domain_names or ())

    def of_domain(self, name: str) -> "Split":
        """Only the images of one of the `domains`."""
        assert self.domain is not None
        return Split(self._directory, self._column, np.flatnonzero(self.domain == self.domains.index(name)))

    def of_other_domain(self, name: str) -> "Split":
        """The images of the other domain, from which images of this one can be made."""
        return self.of_domain(next(other for other in self.domains if other != name))

    @property
    def keys(self) -> list[str]:
        keys = [key for block in self.reader.blocks for key in self.reader.keys(block)]
        return keys if self.rows is None else [keys[row] for row in self.rows]

    def batches(self, numbers: Numbers | None = None) -> Iterator[FloatImages]:
        """Images `[n,C,H,W]` in [-1,1], `BATCH` at a time, in the order of storage: all, or those in `numbers`."""
        wanted = np.arange(len(self)) if numbers is None else np.sort(numbers)
        wanted = wanted if self.rows is None else self.rows[wanted]
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
        """All images at once: `[N,C,H,W]`."""
        return np.concatenate(list(self.batches()))

    def partners_in(self, block: Block) -> FloatImages:
        """The partners `[n,S,h,w]` of a block of the shards."""
        return self.reader.images(block, "partner")

    def _column_of_all(self, read: Callable[[Block], Column | None]) -> Column | None:
        """A column for all images, a row each; None if there is no such column."""
        found = [rows for block in self.reader.blocks if (rows := read(block)) is not None]
        if not found:
            return None
        whole = np.concatenate(found)
        return whole if self.rows is None else whole[self.rows]

    def _empty(self, count: int) -> FloatImages:
        return np.empty((count, *self.shape), np.float32)


class JoinedSplit(Split):
    """Images whose partners have their attributes as more channels (`mintage.sources.with_attributes`)."""

    def __init__(self, directory: str | Path, asked: FloatImages, rows: Numbers | None = None) -> None:
        super().__init__(directory, rows=rows)
        self.asked = asked
        """Attributes `[N,K]` in [-1,1]."""

    @cached_property
    def partners(self) -> "Split | None":
        return _JoinedPartners(self._directory, self.asked, self.rows)

    def partners_in(self, block: Block) -> FloatImages:
        numbers = np.arange(block.start, block.stop)
        rows = numbers if self.rows is None else np.searchsorted(self.rows, numbers)
        return _joined(super().partners_in(block), self.asked[rows])


class _JoinedPartners(Split):
    """The partners of a `JoinedSplit`, as images."""

    def __init__(self, directory: str | Path, asked: FloatImages, rows: Numbers | None) -> None:
        super().__init__(directory, "partner", rows)
        self._asked = asked
        channels, *sides = self.shape
        self.shape = (channels + asked.shape[1], *sides)

    def batches(self, numbers: Numbers | None = None) -> Iterator[FloatImages]:
        wanted, first = np.arange(len(self)) if numbers is None else np.sort(numbers), 0
        for images in Split(self._directory, "partner", self.rows).batches(wanted):
            yield _joined(images, self._asked[wanted[first : first + len(images)]])
            first += len(images)


def _joined(images: FloatImages, asked: FloatImages) -> FloatImages:
    sides = images.shape[2:]
    channels = np.broadcast_to(asked[:, :, *[None] * len(sides)], (*asked.shape, *sides))
    return np.concatenate([images, channels], axis=1)
