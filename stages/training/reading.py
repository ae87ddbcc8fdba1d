"""The images to train on: all in memory, or, where train.window says so, a window of them at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from gan.data import RealImages
from gan.streaming import Blocks, StreamedImages
from stages.common.errors import UserError
from stages.common.shards import Labels, ShardReader, Split, read_split


@dataclass(frozen=True)
class Stored:
    """A split whose images stay on the disk until they are shown; its labels are in memory."""

    reader: ShardReader
    labels: Labels | None

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.reader.shape

    @property
    def classes(self) -> list[str] | None:
        return self.reader.classes


def read_train(directory: Path, window: int | None) -> Split | Stored:
    """The split to train on. Raises UserError where all of it is asked for, and this machine has not the memory."""
    reader = ShardReader(directory)
    if window is None:
        _require_room(reader.shape, len(reader), psutil.virtual_memory().available, "this machine")
        return read_split(directory)
    labels = [found for block in reader.blocks if (found := reader.labels(block)) is not None]
    return Stored(reader, np.concatenate(labels) if labels else None)


def real_images(
    split: Split | Stored, labels: Tensor | None, window: int | None, seed: int, device: torch.device
) -> RealImages:
    """The split's images for a training, with the labels that it may see."""
    if isinstance(split, Split):
        if device.type == "cuda":
            _require_room(split.shape, len(split.images), torch.cuda.mem_get_info(device)[0], "the GPU")
        return RealImages(torch.from_numpy(split.images), labels, seed, device)
    assert window is not None
    reader = split.reader
    blocks = Blocks(
        [block.stop - block.start for block in reader.blocks],
        lambda number: torch.tensor(reader.images(reader.blocks[number])),
    )
    return StreamedImages(blocks, labels, window, seed, device)


def _require_room(shape: tuple[int, int, int], count: int, free: int, where: str) -> None:
    """A window is twice in memory, and half of what is free is left for the networks."""
    size = 4 * int(np.prod(shape))
    if count * size > free:
        raise UserError(
            f"the images to train on take {count * size / 1e9:,.1f} GB, and {where} has {free / 1e9:,.1f} GB free: "
            f"set train.window to how many to hold at a time, {free // 4 // size:,} at most"
        )
