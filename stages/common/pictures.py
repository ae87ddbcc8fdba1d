"""Encoded pictures: opened with care, and made."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from stages.common.levels import Levels

# What Pillow decodes itself. Not EPS, for which it starts Ghostscript: reading an image must run no program.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")

TRANSLATED = ["source", "translation", "truth", "baseline"]
"""The rows of a picture of translations."""


PAIRED_ROWS = 4
"""Rows of latents in a picture of what is made of them in each of two domains."""


def rows_of_translations(image_shape: Sequence[int], source_shape: Sequence[int], joins: str = "map") -> list[str]:
    """The last one only where a source looks otherwise without a network than it is: enlarged, or filled in.

    Of pictures that are joined by maps (`mintage.sources.maps_in`), these in its place, called what `joins` says.
    """
    channels, of_source = image_shape[0], source_shape[0]
    if of_source > 3 and of_source % channels == 0:
        return [*TRANSLATED[:-1], *([joins] * (of_source // channels - 1))]
    otherwise = source_shape[1:] != image_shape[1:] or source_shape[0] > image_shape[0]
    return TRANSLATED if otherwise else TRANSLATED[:-1]


def rows_of_blocks(names: Sequence[str]) -> list[str]:
    """Of translations by chance, then of the best and the worst."""
    return [block + name for block in ("", "best ", "worst ") for name in names]


def rows_of_pairs(domains: Sequence[str]) -> list[str]:
    """Of what is made of one latent in each of two domains."""
    return [*domains] * PAIRED_ROWS


def rows_of_directions(domains: Sequence[str]) -> list[str]:
    """Of translations between two domains: source, translation and back again, then the other way."""
    ways = zip(domains, reversed(domains), strict=True)
    return [name for other, to in ways for name in (other, f"to {to}", f"back to {other}")]


class TooManyPixelsError(Exception):
    """A picture whose header says that it is larger than allowed."""


def open_picture(content: bytes, max_pixels: int) -> Image.Image:
    """Open an encoded picture, known by its content and not by its name; only the header is read.

    Raises TooManyPixelsError over `max_pixels`, and whatever Pillow raises (nearly anything) on bytes it cannot read.
    """
    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, which is another; ours is checked here, before decoding
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if image.width * image.height > max_pixels:
        raise TooManyPixelsError(f"{image.width} x {image.height} pixels, more than {max_pixels}")
    return image


def encode_png(image: Levels) -> bytes:
    """A picture `[C,H,W]` (C is 1 or 3) as PNG, the same bytes each time."""
    buffer = io.BytesIO()
    Image.fromarray(image[0] if image.shape[0] == 1 else np.moveaxis(image, 0, -1)).save(buffer, "PNG")
    return buffer.getvalue()


def encode_pfm(values: npt.NDArray[np.float32]) -> bytes:
    """A gray picture `[H,W]` of numbers in [0,1] as a Portable Float Map: every bit is kept, any H and W will do."""
    height, width = values.shape
    return (
        b"Pf\n%d %d\n-1.0\n" % (width, height) + values[::-1].astype("<f4").tobytes()
    )  # -1: least byte first; bottom up


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
    """How many screen pixels to give one image pixel so that a small image is seen well, ten side by side."""
    return max(1, 96 // max(height, width))


def with_names(sheet: Levels, names: Sequence[str]) -> Levels:
    """A grid `[C,H,W]` of as many rows as names, with the name of each to its left.

    Where the font (DejaVu) lacks letters of a name the row's number stands there; a long name is cut.
    """
    from matplotlib import get_data_path

    row = sheet.shape[1] / len(names)
    file = Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    font = ImageFont.truetype(file, min(max(int(row) // 5, 9), 20), layout_engine=ImageFont.Layout.BASIC)
    shown = [_cut(name, font) if _has_letters(font, name) else f"row {number}" for number, name in enumerate(names)]
    gap = int(font.size)
    margin = max(round(font.getlength(name)) for name in shown) + 2 * gap
    picture = Image.new("L", (margin, sheet.shape[1]), 255)
    for number, name in enumerate(shown):
        ImageDraw.Draw(picture).text((margin - gap, (number + 0.5) * row), name, fill=0, font=font, anchor="rm")
    return np.concatenate([np.asarray(picture)[None].repeat(len(sheet), axis=0), sheet], axis=2)


def _has_letters(font: ImageFont.FreeTypeFont, name: str) -> bool:
    """Whether none of them is drawn as the box that stands for any letter which a font lacks."""
    missing = bytes(font.getmask("\uffff"))
    return bool(name.strip()) and not any(
        bytes(font.getmask(letter)) == missing for letter in set(name) if letter != " "
    )


def _cut(name: str, font: ImageFont.FreeTypeFont) -> str:
    most = 12 * font.size
    if font.getlength(name) <= most:
        return name
    kept = max(length for length in range(len(name)) if font.getlength(name[:length] + "…") <= most)
    return name[:kept].rstrip() + "…"
