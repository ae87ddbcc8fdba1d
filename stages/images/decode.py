"""Encoded bytes of any kind of picture to gray or RGB, upright, black 0 and white 255."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.common.errors import one_line
from stages.common.pictures import TooManyPixelsError, open_picture
from stages.images.color import in_srgb, on_background
from stages.images.deep import (
    AS_TYPED,
    Levels,
    NoWhiteError,
    Picture,
    deep_color,
    deep_gray,
    deep_values,
    is_deep_gray,
    lower_bytes,
    stretched_picture,
)
from stages.images.plain import plain_header, plain_pixels

_MAY_BE_TURNED = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
"""Entries of a file's info that may have an orientation; TIFF has a tag. Reading them is slower than this check."""


class UndecodableError(Exception):
    """Bytes that are no picture; the text is the reason, without the image's name."""


@dataclass(frozen=True)
class Decoded:
    """A picture, and the kind of its file."""

    picture: Picture
    mode: str
    """Pillow's name for the file's kind of picture: 1, L, P, RGBA, I;16, CMYK, ..."""
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class _Wanted:
    """How a picture should be decoded; see `decode`."""

    channels: int
    background: str
    least: int | None
    levels: Levels


def decode(
    content: bytes,
    channels: int,
    max_pixels: int,
    background: str = "#ffffff",
    least: int | None = None,
    *,
    levels: Levels = AS_TYPED,
) -> Decoded:
    """Decode a picture (the first frame of an animation) to gray (`channels` 1) or RGB (3).

    It is turned upright by its EXIF orientation, with colors in sRGB by its ICC profile, transparent parts over
    `background`, and gray by ITU-R 601 luminance. 16 bits keep their depth, unless a profile changes colors, or gray
    has alpha. `levels` give the values of black and white, if they are not those of their type.
    A JPEG is decoded at a half, a quarter or an eighth of its size if that is at least `least` pixels a side, which
    averages pixels and is faster. Raises UndecodableError.
    """
    try:
        wanted = _Wanted(channels, background, least, levels)
        return _plain(content, max_pixels, wanted) or _any(content, max_pixels, wanted)
    except (NoWhiteError, TooManyPixelsError) as error:
        raise UndecodableError(str(error)) from None
    except UnidentifiedImageError:  # its text has a memory address, which differs from run to run
        raise UndecodableError("its content is no image of a known format") from None
    except Exception as error:  # Pillow raises nearly anything on damaged bytes
        raise UndecodableError(one_line(error, 200)) from None


def extent(content: bytes, max_pixels: int) -> tuple[float, float, float]:
    """(white of its type: 255, 65535 or 1; its lowest value; its highest value) of a picture.

    Raises Pillow's errors (nearly any kind) on bytes that it cannot read.
    """
    image = open_picture(content, max_pixels)
    lower = lower_bytes(image, content, max_pixels)
    image.load()
    if is_deep_gray(image):
        whitest, values = 1.0 if image.mode == "F" else 65535.0, np.asarray(image, np.float64)
    elif lower is not None:
        whitest, values = 65535.0, deep_values(image, lower)[..., :3]
    else:
        whitest, values = 255.0, np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    known = values[np.isfinite(values)] if whitest == 1.0 else values
    return whitest, float(known.min()), float(known.max())


def _plain(content: bytes, max_pixels: int, wanted: _Wanted) -> Decoded | None:
    header = plain_header(content)
    if header is None or header.height * header.width > max_pixels:
        return None
    picture: Picture | None = plain_pixels(content, header, wanted.least)
    if picture is None:
        return None
    ends = wanted.levels.of_whole(255.0)
    if ends is not None:
        picture = stretched_picture(Image.fromarray(picture), wanted.channels, wanted.background, ends)
    elif wanted.channels == 1 and header.channels == 3:
        picture = np.asarray(Image.fromarray(picture).convert("L"))
    return Decoded(picture, "L" if header.channels == 1 else "RGB", header.channels, header.height, header.width)


def _any(content: bytes, max_pixels: int, wanted: _Wanted) -> Decoded:
    image = open_picture(content, max_pixels)
    mode, (width, height), bands = image.mode, image.size, len(image.getbands())
    if wanted.least is not None:
        image.draft(None, (wanted.least, wanted.least))
    lower = lower_bytes(image, content, max_pixels)
    picture = _picture(_upright(image), None if lower is None else _upright(lower), wanted)
    return Decoded(picture, mode, bands, height, width)


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    if image.format == "TIFF" or not _MAY_BE_TURNED.isdisjoint(image.info):
        ImageOps.exif_transpose(image, in_place=True)
    return image


def _picture(image: Image.Image, lower: Image.Image | None, wanted: _Wanted) -> Picture:
    if is_deep_gray(image):
        return deep_gray(image, wanted.levels)
    colored = in_srgb(image)
    as_typed = wanted.levels.of_whole(65535.0) is None  # else the higher bytes, which a profile needs, are all black
    if lower is not None and not (as_typed and colored is not image) and "transparency" not in image.info:
        return deep_color(image, lower, wanted.channels, wanted.background, wanted.levels)
    ends = wanted.levels.of_whole(255.0) if lower is None else None
    if ends is not None:
        return stretched_picture(colored, wanted.channels, wanted.background, ends)
    image = on_background(colored, wanted.background)
    mode = "L" if wanted.channels == 1 else "RGB"
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image if image.mode == mode else image.convert(mode))
