"""Pictures of one size to images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.common.levels import Images, compact, in_range
from stages.images.deep import Picture


def tensors(pictures: Sequence[Picture], channels: int) -> Images:
    """Pictures of one size as `[N,C,H,W]`: levels if none has more than 8 bits, else floats in [-1,1].

    0 is -1 and 255 is 1, exactly; values outside, from resampling of deep pictures, are clipped.
    """
    pixels: npt.NDArray[Any] = np.stack([_in_channels(picture, channels) for picture in pictures])
    images: Images = np.ascontiguousarray(np.moveaxis(pixels, -1, 1))
    return images if images.dtype == np.uint8 else compact(np.clip(in_range(images), -1, 1))


def _in_channels(picture: Picture, channels: int) -> Picture:
    """A picture as `[H,W,C]`; gray is repeated in all channels."""
    return picture if picture.ndim == 3 else np.broadcast_to(picture[..., None], (*picture.shape, channels))
