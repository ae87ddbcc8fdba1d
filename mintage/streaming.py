"""Real images that are not all in memory: a window of them at a time, from all over the data, the next read ahead.

Each epoch shuffles the blocks in which the images are stored, joins blocks to windows, and shuffles the images of each
window. So the order depends only on (seed, images seen), as in `mintage.data.RealImages`. Images may be stored class by
class, and a block may hold many small images. So if a few blocks would fill a window, it has a part of each of
`FEWEST_BLOCKS` blocks instead, which are read again for the next part.
"""

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from mintage.data import RealImages
from mintage.devices import CHANNELS_LAST
from mintage.randomness import stream

FEWEST_BLOCKS = 64
"""Least blocks in a window, if there are enough: ten classes are then within a few percent of their shares."""


@dataclass(frozen=True)
class Blocks:
    """Stored images, in blocks that are each read as a whole."""

    sizes: list[int]
    """The number of images in each block."""
    read: Callable[[int], Tensor]
    """The images `[n,C,H,W]` of a block; called in another thread."""
    sources: Callable[[int], Tensor] | None = None
    """The sources `[n,S,H,W]` of a block likewise; None if sources are not the images' conditions."""
    mixed: bool = False
    """Whether each block has images from all over the data, so that few blocks are enough for a window."""

    def subset(self, numbers: Tensor) -> "Blocks":
        """The images of these numbers `[n]`, in the order of storage; without sources."""
        starts = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        ordered = numbers.cpu().sort().values
        rows = [ordered[(ordered >= first) & (ordered < end)] - first for first, end in pairwise(starts)]
        held = [(block, kept) for block, kept in enumerate(rows) if len(kept)]
        sizes = [len(kept) for _, kept in held]
        return Blocks(sizes, lambda number: self.read(held[number][0])[held[number][1]], mixed=self.mixed)


@dataclass(frozen=True)
class Share:
    """The content of a window: of each of its blocks, part `part` of `parts`."""

    begin: int
    """The window's positions in the epoch are [begin, end)."""
    end: int
    blocks: list[int]
    part: int
    parts: int


@dataclass(frozen=True)
class Window:
    """Images in the order of training."""

    images: Tensor
    numbers: Tensor
    """`[n]`, the images' numbers, counted over all blocks."""
    sources: Tensor | None = None
    """`[n,S,H,W]`."""

    def rows(self, chosen: slice) -> "Window":
        return Window(self.images[chosen], self.numbers[chosen], None if self.sources is None else self.sources[chosen])


class StreamedImages(RealImages):
    """Images with at most two windows in memory, the current and the next; with their sources, if there are any."""

    def __init__(self, blocks: Blocks, conditions: Tensor | None, window: int, seed: int, device: torch.device) -> None:
        """`conditions` are labels or attributes. A window has about `window` images, at most a block more."""
        self.device, self.seed = device, seed
        self.conditions = None if conditions is None else conditions.to(device)
        self._blocks, self._size = blocks, window
        self._starts = torch.tensor([0, *blocks.sizes]).cumsum(0).tolist()
        self._ahead: dict[tuple[int, int], Future[Window]] = {}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="window")
        self.plan = lru_cache(maxsize=2)(self._drawn_plan)
        self._groups = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    def relabeled(self, conditions: Tensor | None, seed: int) -> RealImages:
        """The same images, read again through separate windows."""
        return StreamedImages(replace(self._blocks, sources=None), conditions, self._size, seed, self.device)

    def part(self, numbers: Tensor, seed: int) -> RealImages:
        """The images of these numbers, through separate windows that are smaller in proportion."""
        size = math.ceil(self._size * len(numbers) / len(self))
        return StreamedImages(self._blocks.subset(numbers), None, size, seed, self.device)

    def take(self, numbers: Tensor) -> Tensor:
        """Images by their numbers; reads each block that has one of them."""
        return self._gathered(self._blocks.read, numbers)

    def conditions_of(self, numbers: Tensor) -> Tensor | None:
        sources = self._blocks.sources
        return super().conditions_of(numbers) if sources is None else self._gathered(sources, numbers)

    def _gathered(self, read: Callable[[int], Tensor], numbers: Tensor) -> Tensor:
        blocks = torch.searchsorted(torch.tensor(self._starts), numbers.cpu(), right=True) - 1
        found: Tensor | None = None
        for block in torch.unique(blocks).tolist():
            chosen = blocks == block
            images = read(block)[numbers.cpu()[chosen] - self._starts[block]]
            found = images.new_empty((len(numbers), *images.shape[1:])) if found is None else found
            found[chosen] = images
        assert found is not None
        return found.to(self.device)

    def _between(self, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
        epoch, first = divmod(start, len(self))
        last, parts = first + stop - start, []
        for number, share in enumerate(self.plan(epoch)):
            if first < share.end and share.begin < last:
                window = self._window(epoch, number)
                rows = slice(max(first, share.begin) - share.begin, min(last, share.end) - share.begin)
                parts.append(window.rows(rows))
        images = self._moved([part.images for part in parts])
        if parts[0].sources is None:
            return images, super().conditions_of(torch.cat([part.numbers for part in parts]))
        return images, self._moved([part.sources for part in parts if part.sources is not None])

    def _moved(self, parts: list[Tensor]) -> Tensor:
        whole = torch.cat(parts) if len(parts) > 1 else parts[0]
        return whole.to(self.device, non_blocking=True, copy=True)

    def _drawn_plan(self, epoch: int) -> list[Share]:
        """The windows of an epoch, in order."""
        sizes, plan, begin = self._blocks.sizes, list[Share](), 0
        fill = math.ceil(self._size * len(sizes) / len(self))
        together = fill if self._blocks.mixed else max(fill, FEWEST_BLOCKS)
        order = torch.randperm(len(sizes), generator=stream(self.seed, "order/blocks", epoch))
        for drawn in order.tensor_split(math.ceil(len(sizes) / together)):
            blocks = drawn.tolist()
            held = [sizes[block] for block in blocks]
            parts = max(1, math.ceil((sum(held) - max(held)) / self._size))
            for part in range(parts):
                count = sum(len(self._rows(epoch, block, part, parts)) for block in blocks)
                if count:
                    plan.append(Share(begin, begin + count, blocks, part, parts))
                    begin += count
        return plan

    def _rows(self, epoch: int, block: int, part: int, parts: int) -> Tensor:
        """The numbers, within the block, of the images in this part of it."""
        size = self._blocks.sizes[block]
        if parts == 1:
            return torch.arange(size)
        shuffled = torch.randperm(size, generator=stream(self.seed, f"order/parts/{epoch}", block))
        return shuffled.tensor_split(parts)[(part + block) % parts]  # rotated, since the first parts are larger

    def _window(self, epoch: int, number: int) -> Window:
        following = (epoch, number + 1) if number + 1 < len(self.plan(epoch)) else (epoch + 1, 0)
        wanted = [(epoch, number), following]
        for key in [key for key in self._ahead if key not in wanted]:
            self._ahead.pop(key).cancel()
        for key in wanted:
            if key not in self._ahead:
                self._ahead[key] = self._reader.submit(self._read, self.plan(key[0])[key[1]], *key)
        return self._ahead[wanted[0]].result()

    def _read(self, share: Share, epoch: int, number: int) -> Window:
        rows = [(block, self._rows(epoch, block, share.part, share.parts)) for block in share.blocks]
        numbers = torch.cat([self._starts[block] + chosen for block, chosen in rows])
        shuffled = torch.randperm(len(numbers), generator=stream(self.seed, f"order/{epoch}", number))
        places = torch.argsort(shuffled)
        sources = self._blocks.sources
        return Window(
            self._filled(self._blocks.read, rows, places),
            numbers[shuffled],
            None if sources is None else self._filled(sources, rows, places),
        )

    def _filled(self, read: Callable[[int], Tensor], chosen: list[tuple[int, Tensor]], places: Tensor) -> Tensor:
        """The chosen rows of these blocks, each at its place in the window."""
        begin, images = 0, None
        for block, rows in chosen:
            whole = read(block)
            if images is None:
                pinned = self.device.type == "cuda"  # so that no copy waits for the device
                shape = (len(places), *whole.shape[1:])
                layout = CHANNELS_LAST.get(len(shape), torch.contiguous_format)
                images = torch.empty(shape, pin_memory=pinned, memory_format=layout)
            images[places[begin : begin + len(rows)]] = whole[rows]
            begin += len(rows)
        assert images is not None
        return images


def open_images(
    blocks: Blocks, asked: Tensor | None, window: int | None, seed: int, device: torch.device
) -> RealImages:
    """All images in memory, in the order of `RealImages`; or a window at a time, if that is smaller."""
    count = sum(blocks.sizes)
    if window is not None and window < count:
        return StreamedImages(blocks, asked, window, seed, device)
    conditions = asked if blocks.sources is None else _whole(blocks.sources, blocks.sizes)
    return RealImages(_whole(blocks.read, blocks.sizes), conditions, seed, device)


def _whole(read: Callable[[int], Tensor], sizes: list[int]) -> Tensor:
    first = read(0)
    images, filled = first.new_empty((sum(sizes), *first.shape[1:])), 0
    for number, size in enumerate(sizes):
        images[filled : filled + size] = read(number) if number else first
        filled += size
    return images
