"""Pictures of one size to tensors in [-1,1]."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.common.shards import FloatImages
from stages.images.deep import Planes


def tensors(images: Sequence[Planes], channels: int) -> FloatImages:
    """Pictures of one size as `[N,C,H,W]` float32; `common.pictures.to_uint8` is the inverse.

    0 is -1 and 255 is 1, exactly; what lies outside, as resampling in mode F can overshoot, is clipped.
    """
    pixels: npt.NDArray[Any] = np.moveaxis(np.stack([_in_channels(image, channels) for image in images]), -1, 1)
    values: FloatImages = np.ascontiguousarray(pixels).astype(np.float32)
    values /= np.float32(127.5)
    values -= np.float32(1)
    return np.clip(values, -1, 1, out=values)


def _in_channels(planes: Planes, channels: int) -> npt.NDArray[Any]:
    """`[H,W,C]`; a lone plane as often as there are channels."""
    if len(planes) > 1:
        return np.stack([np.asarray(plane) for plane in planes], -1)
    values = np.asarray(planes[0])
    return values if values.ndim == 3 else np.broadcast_to(values[..., None], (*values.shape, channels))
