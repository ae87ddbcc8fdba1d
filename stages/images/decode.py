"""Encoded bytes of any kind of picture to grey or RGB, upright, black 0 and white 255."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.common.pictures import TooManyPixelsError, open_picture
from stages.images.colour import in_srgb, on_background
from stages.images.deep import NoWhiteError, Picture, deep_colour, deep_grey, is_deep_grey, lower_bytes
from stages.images.plain import plain_header, plain_pixels

_LONGEST_REASON = 200
_MAY_BE_TURNED = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
"""Where a file says how it is to be turned; TIFF has a tag of its own. To look there costs more than to look here."""


class UndecodableError(Exception):
    """Bytes that are no picture; the text is the reason, without the image's name."""


@dataclass(frozen=True)
class Decoded:
    """A picture, and what it was."""

    picture: Picture
    mode: str
    """Pillow's name of the kind of picture that the bytes hold: 1, L, P, RGBA, I;16, CMYK, ..."""
    channels: int
    height: int
    width: int


def decode(
    content: bytes, channels: int, max_pixels: int, background: str = "#ffffff", least: int | None = None
) -> Decoded:
    """Decode a picture (of an animation, the first frame) to grey (`channels` 1) or RGB (3).

    Turned upright by its EXIF orientation; colours to sRGB by its ICC profile; transparent parts over `background`;
    grey by ITU-R 601 luminance. 16 bits keep their depth, but where a profile changes colours, or grey has alpha.
    A JPEG is decoded at a half, a quarter or an eighth of its size where that is at least `least` pixels a side: means
    of its pixels, in less time than all of them. Raises UndecodableError.
    """
    try:
        return _plain(content, channels, max_pixels, least) or _any(content, channels, max_pixels, background, least)
    except (NoWhiteError, TooManyPixelsError) as error:
        raise UndecodableError(str(error)) from None
    except UnidentifiedImageError:  # its text holds a memory address, which differs from run to run
        raise UndecodableError("its content is no image of a known format") from None
    except Exception as error:  # Pillow raises nearly anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UndecodableError(reason[:_LONGEST_REASON]) from None


def _plain(content: bytes, channels: int, max_pixels: int, least: int | None) -> Decoded | None:
    header = plain_header(content)
    if header is None or header.height * header.width > max_pixels:
        return None
    pixels = plain_pixels(content, header, least)
    if pixels is None:
        return None
    if channels == 1 and header.channels == 3:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    return Decoded(pixels, "L" if header.channels == 1 else "RGB", header.channels, header.height, header.width)


def _any(content: bytes, channels: int, max_pixels: int, background: str, least: int | None) -> Decoded:
    image = open_picture(content, max_pixels)
    mode, (width, height), bands = image.mode, image.size, len(image.getbands())
    if least is not None:
        image.draft(None, (least, least))
    lower = lower_bytes(image, content, max_pixels)
    picture = _picture(_upright(image), None if lower is None else _upright(lower), channels, background)
    return Decoded(picture, mode, bands, height, width)


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    if image.format == "TIFF" or not _MAY_BE_TURNED.isdisjoint(image.info):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _picture(image: Image.Image, lower: Image.Image | None, channels: int, background: str) -> Picture:
    if is_deep_grey(image):
        return deep_grey(image)
    coloured = in_srgb(image)
    if lower is not None and coloured is image and "transparency" not in image.info:
        return deep_colour(image, lower, channels, background)
    image = on_background(coloured, background)
    wanted = "L" if channels == 1 else "RGB"
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image if image.mode == wanted else image.convert(wanted))
