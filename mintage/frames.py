"""Videos as pairs: the source of each frame is the frames before it (Mathieu et al. 2016).

In a source's channels the latest frame comes first. The untouched source, the baseline of a translation, is then the
frame before.
"""

from typing import Any

import torch
from torch import Tensor

from mintage.arguments import checked
from mintage.dataset import Dataset, images_in_range


@checked
def next_frames(videos: Any, past: int) -> Dataset:
    """Every frame with `past` frames before it, which are its source.

    Args:
        videos: `[N,T,C,H,W]`, a tensor or an array: floats in [-1,1], or 8-bit levels in [0,255].
        past: How many frames a source has.

    Raises:
        ValueError: Videos have no more than `past` frames, or shapes and ranges do not fit.

    Example:
        >>> import torch
        >>> from mintage.frames import next_frames
        >>> data = next_frames(torch.zeros(5, 8, 1, 16, 16), past=4)
        >>> len(data), data.shape, tuple(data.source.shape[1:])
        (20, (1, 16, 16), (4, 16, 16))
    """
    frames = torch.as_tensor(videos)
    if frames.ndim != 5:
        raise ValueError(f"videos are {list(frames.shape)}: give [N,T,C,H,W]")
    count, channels = frames.shape[1:3]
    if not 1 <= past < count:
        raise ValueError(f"past = {past}, of videos with {count} frames: give 1 to {count - 1}")
    if past * channels == channels + 1:
        raise ValueError("two gray frames would be taken for a picture and its mask: give past=1, or 3 and more")
    frames = images_in_range(frames.flatten(0, 1)).reshape(frames.shape)
    sources = torch.cat([as_source(frames[:, end - past : end]) for end in range(past, count)])
    return Dataset(image=frames[:, past:].transpose(0, 1).flatten(0, 1), source=sources)


def as_source(frames: Tensor) -> Tensor:
    """Frames `[N,k,C,H,W]`, the latest last, as a source `[N,k C,H,W]`, the latest first."""
    return frames.flip(1).flatten(1, 2)
