"""Real images that are not all in memory: a window of them at a time, from all over the data, the next read ahead.

Each epoch shuffles the blocks in which the images are stored, puts as many of them together as fill a window, and
shuffles the images of a window. So the order depends on (seed, images seen) alone, as in `mintage.data.RealImages`.
Images may be stored one class after the other, and small ones are many in a block. So a window that a few blocks would
fill has a part of each of `FEWEST_BLOCKS` instead, which are read again for the next part.
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
"""Of which a window has images, where there are so many: ten classes are then within a few percent of their shares."""


@dataclass(frozen=True)
class Blocks:
    """Stored images, in pieces that are read at once."""

    sizes: list[int]
    """Images of each block."""
    read: Callable[[int], Tensor]
    """The images `[n,C,H,W]` of a block; called in another thread."""
    sources: Callable[[int], Tensor] | None = None
    """The sources `[n,S,H,W]` of a block likewise, where they are the images' conditions."""
    mixed: bool = False
    """Whether the images of a block are drawn from all, so that a window may have few blocks."""

    def subset(self, numbers: Tensor) -> "Blocks":
        """The images of these numbers `[n]`, in the order in which they are stored; without sources."""
        starts = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        ordered = numbers.cpu().sort().values
        rows = [ordered[(ordered >= first) & (ordered < end)] - first for first, end in pairwise(starts)]
        held = [(block, kept) for block, kept in enumerate(rows) if len(kept)]
        sizes = [len(kept) for _, kept in held]
        return Blocks(sizes, lambda number: self.read(held[number][0])[held[number][1]], mixed=self.mixed)


@dataclass(frozen=True)
class Share:
    """What a window holds: of each of its blocks one part of so many."""

    begin: int
    """Its first position in the epoch, and the last after it."""
    end: int
    blocks: list[int]
    part: int
    parts: int


@dataclass(frozen=True)
class Window:
    """Images in the order in which they are shown."""

    images: Tensor
    numbers: Tensor
    """Which ones they are, counted over all blocks: `[n]`."""
    sources: Tensor | None = None
    """`[n,S,H,W]`."""

    def rows(self, chosen: slice) -> "Window":
        return Window(self.images[chosen], self.numbers[chosen], None if self.sources is None else self.sources[chosen])


class StreamedImages(RealImages):
    """At most two windows are in memory: the one that is shown, and the next; with the sources, where there are any."""

    def __init__(self, blocks: Blocks, conditions: Tensor | None, window: int, seed: int, device: torch.device) -> None:
        """`conditions` are labels or attributes. `window` is in images; it is exceeded by about a block at most."""
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

    def relabelled(self, conditions: Tensor | None, seed: int) -> RealImages:
        """Read again, through windows of their own."""
        return StreamedImages(replace(self._blocks, sources=None), conditions, self._size, seed, self.device)

    def part(self, numbers: Tensor, seed: int) -> RealImages:
        """Through windows of their own, smaller by as much as these images are fewer."""
        size = math.ceil(self._size * len(numbers) / len(self))
        return StreamedImages(self._blocks.subset(numbers), None, size, seed, self.device)

    def take(self, numbers: Tensor) -> Tensor:
        """By their numbers; reads each block that holds one of them."""
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
        """An epoch's windows."""
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
        """Which images of a block are in this part of it."""
        size = self._blocks.sizes[block]
        if parts == 1:
            return torch.arange(size)
        shuffled = torch.randperm(size, generator=stream(self.seed, f"order/parts/{epoch}", block))
        return shuffled.tensor_split(parts)[(part + block) % parts]  # the first parts are the larger: not of all blocks

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
        chosen = [self._rows(epoch, block, share.part, share.parts) for block in share.blocks]
        numbers = torch.cat([self._starts[block] + rows for block, rows in zip(share.blocks, chosen, strict=True)])
        shuffled = torch.randperm(len(numbers), generator=stream(self.seed, f"order/{epoch}", number))
        places = torch.argsort(shuffled)
        rows = list(zip(share.blocks, chosen, strict=True))
        sources = self._blocks.sources
        return Window(
            self._filled(self._blocks.read, rows, places),
            numbers[shuffled],
            None if sources is None else self._filled(sources, rows, places),
        )

    def _filled(self, read: Callable[[int], Tensor], chosen: list[tuple[int, Tensor]], places: Tensor) -> Tensor:
        """The rows of some blocks, each at its place."""
        begin, images = 0, None
        for block, rows in chosen:
            whole = read(block)
            if images is None:
                pinned = self.device.type == "cuda"  # so that no move waits for the device
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
    """All in memory, in the order of `RealImages`; or, where a window is less than that, a window at a time."""
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
