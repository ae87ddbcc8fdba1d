"""Real images to learn from: all in memory, or, where a `window` in params says so, so many at a time."""

from collections.abc import Iterator

import psutil
import torch
from torch import Tensor

from mintage.data import RealImages
from mintage.streaming import Blocks, images_of
from stages.common.errors import UserError
from stages.common.split import Split


def real_images(
    split: Split, labels: Tensor | None, window: int | None, seed: int, device: torch.device, *, param: str
) -> RealImages:
    """The split's images with the labels `[N]` that may be seen; `param` is what the user knows the window as.

    Raises UserError as `require_room` does.
    """
    blocks = split.reader.blocks
    stored = Blocks(
        [block.stop - block.start for block in blocks], lambda number: torch.tensor(split.reader.images(blocks[number]))
    )
    require_room(split, window, device, param)
    return images_of(stored, labels, window, seed, device)


def require_room(split: Split, window: int | None, device: torch.device, param: str) -> None:
    """Raises UserError where as many images as the split's are to be in memory at once, and there is not the room."""
    if window is not None and window < len(split):
        return
    _require_room(split, psutil.virtual_memory().available, "this machine", param)
    if device.type == "cuda":
        _require_room(split, torch.cuda.mem_get_info(device)[0], "the GPU", param)


def _require_room(split: Split, free: int, where: str, param: str) -> None:
    """A window is twice in memory, and half of what is free is left for the networks."""
    size = 4 * torch.Size(split.shape).numel()
    needed = len(split) * size
    if needed > free:
        raise UserError(
            f"the images to train on take {needed / 1e9:,.1f} GB, and {where} has {free / 1e9:,.1f} GB free: "
            f"set {param} to how many to hold at a time, {free // 4 // size:,} at most"
        )


def batches_of(split: Split) -> Iterator[Tensor]:
    """All images, a batch `[n,C,H,W]` at a time."""
    return map(torch.from_numpy, split.batches())


def labels_of(split: Split) -> Tensor | None:
    return None if split.labels is None else torch.from_numpy(split.labels)
