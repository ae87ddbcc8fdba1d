"""Encoded bytes of any kind of picture to grey or RGB, upright, black 0 and white 255."""

from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from stages.common.pictures import TooManyPixelsError, open_picture
from stages.images.colour import NoWhiteError, deep_grey, in_srgb, is_deep, on_background

_LONGEST_REASON = 200
_MAY_BE_TURNED = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
"""Where a file says how it is to be turned; TIFF has a tag of its own. To look there costs more than to look here."""


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


def decode(content: bytes, channels: int, max_pixels: int, background: str = "#ffffff") -> Picture:
    """Decode a picture (of an animation, the first frame) to grey (`channels` 1) or RGB (3).

    Turned upright by its EXIF orientation; colours to sRGB by its ICC profile; transparent parts over `background`;
    grey by ITU-R 601 luminance. 16-bit grey keeps its depth; of 16-bit colours Pillow reads the higher 8 bits.
    Raises UndecodableError.
    """
    try:
        image = open_picture(content, max_pixels)
        mode, (width, height), bands = image.mode, image.size, len(image.getbands())
        image.load()
        if image.format == "TIFF" or not _MAY_BE_TURNED.isdisjoint(image.info):
            ImageOps.exif_transpose(image, in_place=True)
        return Picture(_converted(image, channels, background), mode, bands, height, width)
    except (NoWhiteError, TooManyPixelsError) as error:
        raise UndecodableError(str(error)) from None
    except UnidentifiedImageError:  # its text holds a memory address, which differs from run to run
        raise UndecodableError("its content is no image of a known format") from None
    except Exception as error:  # Pillow raises nearly anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UndecodableError(reason[:_LONGEST_REASON]) from None


def _converted(image: Image.Image, channels: int, background: str) -> Image.Image:
    if is_deep(image):
        return deep_grey(image)
    image = on_background(in_srgb(image), background)
    wanted = "L" if channels == 1 else "RGB"
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return image if image.mode == wanted else image.convert(wanted)
