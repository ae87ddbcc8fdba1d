"""Encoded bytes of any kind of picture to grey or RGB, upright, black 0 and white 255."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.common.pictures import TooManyPixelsError, open_picture

_LONGEST_REASON = 200


class UndecodableError(Exception):
    """Bytes that are no picture; the text is the reason, without the image's name."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture, and what it was."""

    image: Image.Image
    """Mode L or RGB, or F where the source has more than 8 bits: black is 0 and white 255 in all of them."""
    mode: str
    """Pillow's name of the kind of picture that the bytes hold: 1, L, P, RGBA, I;16, CMYK, ..."""
    channels: int
    height: int
    width: int


def decode(content: bytes, channels: int, max_pixels: int) -> Picture:
    """Decode a picture (of an animation, the first frame) to grey (`channels` 1) or RGB (3).

    Turned upright by its EXIF orientation; transparent parts over white; grey by ITU-R 601 luminance;
    16-bit grey keeps its depth. Raises UndecodableError.
    """
    try:
        image = open_picture(content, max_pixels)
        mode, (width, height) = image.mode, image.size
        ImageOps.exif_transpose(image, in_place=True)
        return Picture(_converted(image, channels), mode, len(image.getbands()), height, width)
    except (UndecodableError, TooManyPixelsError) as error:
        raise UndecodableError(str(error)) from None
    except UnidentifiedImageError:  # its text holds a memory address, which differs from run to run
        raise UndecodableError("its content is no image of a known format") from None
    except Exception as error:  # Pillow raises nearly anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UndecodableError(reason[:_LONGEST_REASON]) from None


def _converted(image: Image.Image, channels: int) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep_grey(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    if image.mode not in ("1", "L"):
        image = image.convert("RGB")
    image = image.convert("L" if channels == 1 else "RGB")
    image.load()
    return image


def _deep_grey(image: Image.Image) -> Image.Image:
    """Grey of 16 bits (white is 65535) or of floating point (white is 1) as mode F with white at 255."""
    values = np.asarray(image, np.float64)
    white = 1.0 if image.mode == "F" else 65535.0
    if not ((values >= 0) & (values <= white)).all():  # a NaN fails too
        raise UndecodableError(
            f"its values (mode {image.mode}) lie outside 0 to {white:.0f}: where white is, is unknown"
        )
    return Image.fromarray((values * 255.0 / white).astype(np.float32))
