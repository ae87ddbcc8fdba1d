"""More than 8 bits a channel: gray, and the colors of PNG and TIFF, of which Pillow itself keeps only the higher byte.

A deep picture is float32, with black 0 and white 255 as in any other.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor
from PIL.ImageFile import ImageFile

from stages.common.pictures import open_picture

Picture = npt.NDArray[Any]
"""Gray `[H,W]`, or red, green and blue `[H,W,3]`, uint8 or float32; black is 0, white 255."""
_OTHER_END = "L" if sys.byteorder == "big" else "B"
_LOWER = {"16B": "16L", "16L": "16B", "16N": f"16{_OTHER_END}"}
"""The other byte order, in which Pillow takes the lower byte for the higher one."""
_DEEP = {f"{mode};{order}" for mode in ("RGB", "RGBA") for order in _LOWER}
LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""


class NoWhiteError(Exception):
    """The value of white is unknown."""


@dataclass(frozen=True)
class Levels:
    """Which values of a file are black and white; None: those of the type."""

    black: float | None = None
    white: float | None = None

    def of_type(self, whitest: float, reach: float) -> tuple[float, float] | None:
        """Black and white for values up to `reach` whose type has the white `whitest`; None: those of the type.

        A white beyond `reach` is meant for files of another type: then the type's white is used.
        """
        ends = (self.black or 0.0, whitest if self.white is None else self.white)
        unnamed = self.black is None and self.white is None
        return None if unnamed or ends[1] > reach or ends[0] >= ends[1] else ends

    def of_whole(self, whitest: float) -> tuple[float, float] | None:
        """The same for whole numbers up to `whitest`; None if they are 0 and `whitest`."""
        ends = self.of_type(whitest, whitest)
        return None if ends == (0.0, whitest) else ends


AS_TYPED = Levels()


def is_deep_gray(image: Image.Image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def stretched(values: npt.NDArray[Any], ends: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Values scaled to black at 0 and white at 255; values beyond are clipped."""
    black, white = ends
    found: npt.NDArray[np.float64] = np.clip((values - black) / (white - black), 0, 1) * 255
    return found


def deep_gray(image: Image.Image, levels: Levels = AS_TYPED) -> Picture:
    """Gray of 16 bits (white is 65535) or of floating point (white is 1), unless `levels` are given.

    Raises NoWhiteError on a NaN, and on values beyond white, or below 0, without `levels`.
    """
    values = np.asarray(image, np.float64)
    white = 1.0 if image.mode == "F" else 65535.0
    ends = levels.of_type(white, white if image.mode.startswith("I;") else np.inf)
    if ends is not None and np.isfinite(values).all():
        return stretched(values, ends).astype(np.float32)
    if not np.isfinite(values).all():
        raise NoWhiteError("some of its values are no numbers (NaN or infinite): give them one, or leave it out")
    if not ((values >= 0) & (values <= white)).all():
        raise NoWhiteError(
            f"its values (mode {image.mode}) lie outside 0 to {white:.0f}: where white is, is unknown; set "
            "normalize.white (and black) to a number, or to auto"
        )
    scaled: Picture = (values * 255.0 / white).astype(np.float32)
    return scaled


def lower_bytes(image: Image.Image, content: bytes, max_pixels: int) -> Image.Image | None:
    """The lower bytes of 16-bit colors, for an image opened from `content` but not yet read; None for other images."""
    if not isinstance(image, ImageFile) or _DEEP.isdisjoint(map(_raw_mode, image.tile)):
        return None
    lower = open_picture(content, max_pixels)
    assert isinstance(lower, ImageFile)
    lower.tile = [_with_raw_mode(tile, f"{image.mode};{_LOWER[_raw_mode(tile)[-3:]]}") for tile in lower.tile]
    return lower


def deep_color(
    higher: Image.Image, lower: Image.Image, channels: int, background: str, levels: Levels = AS_TYPED
) -> Picture:
    """16-bit RGB, or RGBA over `background`, from both its bytes; gray if `channels` is 1."""
    values = deep_values(higher, lower)
    ends = levels.of_whole(65535.0)
    colors = values[..., :3] * (255 / 65535) if ends is None else stretched(values[..., :3], ends)
    return _over(colors, values[..., 3:] / 65535, channels, background)


def deep_values(higher: Image.Image, lower: Image.Image) -> npt.NDArray[np.float64]:
    """Values `[H,W,3]` or `[H,W,4]`, from 0 to 65535, from both bytes."""
    values: npt.NDArray[np.float64] = np.asarray(higher, np.float64) * 256 + np.asarray(lower)
    return values


def stretched_picture(image: Image.Image, channels: int, background: str, ends: tuple[float, float]) -> Picture:
    """A picture of 8 bits whose black and white are not 0 and 255."""
    if not image.has_transparency_data:
        gray = image.mode in ("1", "L")
        values = np.asarray(image.convert("L" if gray else "RGB"))
        if gray:
            return stretched(values, ends).astype(np.float32)
        return _over(stretched(values, ends), np.empty((*values.shape[:2], 0)), channels, background)
    values = np.asarray(image.convert("RGBA"))
    return _over(stretched(values[..., :3], ends), values[..., 3:] / 255, channels, background)


def _over(colors: npt.NDArray[np.float64], alpha: npt.NDArray[np.float64], channels: int, background: str) -> Picture:
    """Colors `[H,W,3]`, black 0 and white 255, over `background` by `alpha` `[H,W,0 or 1]`."""
    if alpha.size:
        colors = colors * alpha + np.array(ImageColor.getrgb(background)[:3]) * (1 - alpha)
    wanted: Picture = (colors * np.array(LUMINANCE)).sum(-1) if channels == 1 else colors
    return wanted.astype(np.float32)


def _raw_mode(tile: Any) -> str:
    arguments = tile.args
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _with_raw_mode(tile: Any, mode: str) -> Any:
    rest = tile.args[1:] if isinstance(tile.args, tuple) else None
    return tile._replace(args=mode if rest is None else (mode, *rest))
