"""More than 8 bits a channel: grey, and the colours of PNG and TIFF, of which Pillow itself keeps only the higher byte.

A deep picture is of float32, in which black is 0 and white 255 like in any other.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor
from PIL.ImageFile import ImageFile

from stages.common.pictures import open_picture

Picture = npt.NDArray[Any]
"""Grey `[H,W]`, or red, green and blue `[H,W,3]`, of uint8 or float32; black is 0, white 255."""
_OTHER_END = "L" if sys.byteorder == "big" else "B"
_LOWER = {"16B": "16L", "16L": "16B", "16N": f"16{_OTHER_END}"}
"""The order of bytes in which Pillow takes the lower one for the higher."""
_DEEP = {f"{mode};{order}" for mode in ("RGB", "RGBA") for order in _LOWER}
LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""


class NoWhiteError(Exception):
    """Values of which nobody knows where white is."""


def is_deep_grey(image: Image.Image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def deep_grey(image: Image.Image) -> Picture:
    """Grey of 16 bits (white is 65535) or of floating point (white is 1).

    Raises NoWhiteError on values beyond white, or below 0.
    """
    values = np.asarray(image, np.float64)
    white = 1.0 if image.mode == "F" else 65535.0
    if not ((values >= 0) & (values <= white)).all():  # a NaN fails too
        raise NoWhiteError(f"its values (mode {image.mode}) lie outside 0 to {white:.0f}: where white is, is unknown")
    scaled: Picture = (values * 255.0 / white).astype(np.float32)
    return scaled


def lower_bytes(image: Image.Image, content: bytes, max_pixels: int) -> Image.Image | None:
    """The lower bytes of 16-bit colours, of an image that was opened from `content` and not read; None of any other."""
    if not isinstance(image, ImageFile) or _DEEP.isdisjoint(map(_raw_mode, image.tile)):
        return None
    lower = open_picture(content, max_pixels)
    assert isinstance(lower, ImageFile)
    lower.tile = [_with_raw_mode(tile, f"{image.mode};{_LOWER[_raw_mode(tile)[-3:]]}") for tile in lower.tile]
    return lower


def deep_colour(higher: Image.Image, lower: Image.Image, channels: int, background: str) -> Picture:
    """16-bit RGB, or RGBA over `background`, from both its bytes; grey where `channels` is 1."""
    values = (np.asarray(higher, np.float64) * 256 + np.asarray(lower)) * (255 / 65535)
    colours, alpha = values[..., :3], values[..., 3:] / 255
    if alpha.size:
        colours = colours * alpha + np.array(ImageColor.getrgb(background)[:3]) * (1 - alpha)
    wanted: Picture = (colours * np.array(LUMINANCE)).sum(-1) if channels == 1 else colours
    return wanted.astype(np.float32)


def _raw_mode(tile: Any) -> str:
    arguments = tile.args
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _with_raw_mode(tile: Any, mode: str) -> Any:
    rest = tile.args[1:] if isinstance(tile.args, tuple) else None
    return tile._replace(args=mode if rest is None else (mode, *rest))
