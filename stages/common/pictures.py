"""Encoded pictures, safely opened and written."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from stages.common.levels import Levels

# Formats that Pillow decodes itself. Not EPS, for which it starts Ghostscript: reading an image must run no program.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")

TRANSLATED = ["source", "translation", "truth", "baseline"]
"""The rows of a picture of translations."""
PAIRED_ROWS = 4
"""Rows of latents in a picture with an image of each latent in both domains."""


def rows_of_translations(image_shape: Sequence[int], source_shape: Sequence[int], joins: str = "map") -> list[str]:
    """The names of the rows; the baseline only if the untouched source differs from the source: enlarged, or filled in.

    Sources with maps (`mintage.sources.maps_in`) have a row for each map in its place, called `joins`.
    """
    channels, of_source = image_shape[0], source_shape[0]
    if of_source > 3 and of_source % channels == 0:
        return [*TRANSLATED[:-1], *([joins] * (of_source // channels - 1))]
    otherwise = source_shape[1:] != image_shape[1:] or source_shape[0] > image_shape[0]
    return TRANSLATED if otherwise else TRANSLATED[:-1]


def rows_of_blocks(names: Sequence[str]) -> list[str]:
    """The rows of random translations, then of the best and of the worst."""
    return [block + name for block in ("", "best ", "worst ") for name in names]


def rows_of_pairs(domains: Sequence[str]) -> list[str]:
    """The rows of images of one latent in both domains."""
    return [*domains] * PAIRED_ROWS


def rows_of_directions(domains: Sequence[str]) -> list[str]:
    """The rows of translations between two domains: source, translation and back, then in the other direction."""
    ways = zip(domains, reversed(domains), strict=True)
    return [name for other, to in ways for name in (other, f"to {to}", f"back to {other}")]


class TooManyPixelsError(Exception):
    """A picture that is larger than allowed, by its header."""


def open_picture(content: bytes, max_pixels: int) -> Image.Image:
    """Open an encoded picture, recognized by its content and not by its name; only the header is read.

    Raises TooManyPixelsError over `max_pixels`, and Pillow's errors (nearly any kind) on bytes that it cannot read.
    """
    Image.MAX_IMAGE_PIXELS = None  # not Pillow's own limit: `max_pixels` is checked here, before decoding
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if image.width * image.height > max_pixels:
        raise TooManyPixelsError(f"{image.width} x {image.height} pixels, more than {max_pixels}")
    return image


def as_picture(image: Levels) -> Image.Image:
    """Levels `[C,H,W]`, C 1 or 3, as Pillow's picture."""
    return Image.fromarray(image[0] if image.shape[0] == 1 else np.moveaxis(image, 0, -1))


def encode_png(image: Levels) -> bytes:
    """A picture `[C,H,W]` (C is 1 or 3) as PNG, the same bytes each time."""
    return encoded(as_picture(image))


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Pillow's picture as a file of a kind, with the options that Pillow has for it."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def encode_pfm(values: npt.NDArray[np.float32]) -> bytes:
    """A gray picture `[H,W]` of numbers in [0,1] as a Portable Float Map, without loss, for any H and W."""
    height, width = values.shape
    # -1 is little-endian, and rows go from the bottom up.
    return b"Pf\n%d %d\n-1.0\n" % (width, height) + values[::-1].astype("<f4").tobytes()


def grid(images: Levels, columns: int, scale: int = 1, gap: int = 1) -> Levels:
    """Images `[N,C,H,W]` side by side, row by row, on white: one picture `[C,H',W']`, each pixel `scale` wide."""
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    sheet = np.full((channels, rows * (height + gap) - gap, columns * (width + gap) - gap), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[:, top : top + height, left : left + width] = image
    return sheet.repeat(scale, axis=1).repeat(scale, axis=2)


def grid_scale(height: int, width: int) -> int:
    """How many screen pixels an image pixel should have, so that small images, ten side by side, can be seen well."""
    return max(1, 96 // max(height, width))


def with_names(sheet: Levels, names: Sequence[str]) -> Levels:
    """A grid `[C,H,W]` with as many rows as names, and each row's name to its left.

    If the font (DejaVu) lacks letters of a name, the row's number is there instead; a long name is cut.
    """
    from matplotlib import get_data_path

    row = sheet.shape[1] / len(names)
    file = Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    font = ImageFont.truetype(file, min(max(int(row) // 5, 9), 20), layout_engine=ImageFont.Layout.BASIC)
    most = 12 * font.size
    shown = [cut(name, font, most) if _has_letters(font, name) else f"row {n}" for n, name in enumerate(names)]
    gap = int(font.size)
    margin = max(round(font.getlength(name)) for name in shown) + 2 * gap
    picture = Image.new("L", (margin, sheet.shape[1]), 255)
    for number, name in enumerate(shown):
        ImageDraw.Draw(picture).text((margin - gap, (number + 0.5) * row), name, fill=0, font=font, anchor="rm")
    return np.concatenate([np.asarray(picture)[None].repeat(len(sheet), axis=0), sheet], axis=2)


def _has_letters(font: ImageFont.FreeTypeFont, name: str) -> bool:
    """Whether the font has all letters of a name: it draws a box for a missing letter."""
    missing = bytes(font.getmask("\uffff"))
    return bool(name.strip()) and not any(
        bytes(font.getmask(letter)) == missing for letter in set(name) if letter != " "
    )


def cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, most: float) -> str:
    """A text that is at most so many pixels wide in a font."""
    if font.getlength(text) <= most:
        return text
    kept = max(length for length in range(len(text)) if font.getlength(text[:length] + "…") <= most)
    return text[:kept].rstrip() + "…"
