"""Letters drawn with a font that comes with Pillow: labeled images of any size and number, without a download."""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Annotated, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import BeforeValidator, Field, field_validator

from mintage.spelling import american
from stages.common.params import Ingest
from stages.common.pictures import encoded
from stages.common.sections import Count, Section, Seed
from stages.sources import RawImage, Source, drawn_source

READS_PATH = False
_HELD_OUT = 10  # one of this many images is in the holdout
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LEAST_CONTRAST = 80  # of 255, between letter and background


class Options(Section):
    images: Count = Field(10_000, description="how many to draw, a tenth of them held out")
    height: Annotated[int, Field(ge=4, le=4096)] = Field(32, description="pixels")
    width: Annotated[int, Field(ge=4, le=4096)] = Field(32, description="pixels")
    letters: Annotated[str, Field(min_length=1)] = Field(_LETTERS, description="a class each, drawn equally often")
    colors: Annotated[Literal["gray", "rgb"], BeforeValidator(american)] = Field(
        "rgb", description="gray | rgb, of letter and ground"
    )
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(15.0, description="degrees, at most, either way")
    smallest: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="height of the smallest letter, of the image's"
    )
    largest: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="height of the largest letter, of the image's"
    )
    seed: Seed = Field(0, description="which images")

    @field_validator("letters")
    @classmethod
    def _each_once(cls, letters: str) -> str:
        if len(set(letters)) < len(letters) or not letters.isprintable() or " " in letters:
            raise ValueError("letters must be printable, each once")
        return letters


def read(_: Ingest, options: Options) -> Source:
    """The images; each depends only on the seed and its number, so any of them can be drawn first."""
    return drawn_source("glyphs", options.seed, list(options.letters), _images(options), count=options.images)


def _images(options: Options) -> Iterator[RawImage]:
    for number in range(options.images):
        key = f"glyph-{number:07d}"
        label = number % len(options.letters)
        # Every tenth of each letter, not every tenth image: 10 and the number of letters may share a factor.
        held_out = number // len(options.letters) % _HELD_OUT == _HELD_OUT - 1
        split = "test" if held_out else "train"
        yield RawImage(key, f"{key}.png", partial(draw_glyph, options, number), label, split)


def draw_glyph(options: Options, number: int) -> bytes:
    """The picture with this number, as PNG."""
    random = np.random.default_rng([options.seed, number])
    letter = options.letters[number % len(options.letters)]
    shares, angle, shift = random.uniform(size=3), random.uniform(-1, 1) * options.rotation, random.uniform(-1, 1, 2)
    height = options.smallest + (options.largest - options.smallest) * shares[0]
    mask = _mask(letter, max(4, round(min(options.height, options.width) * height)), options.height, options.width)
    room = (1 - height) / 2 * np.array([options.width, options.height])
    mask = mask.rotate(
        angle, Image.Resampling.BICUBIC, translate=tuple((shift * room / 2).round().astype(int).tolist())
    )
    ground, ink = _colors(random, 1 if options.colors == "gray" else 3)
    mode = "L" if options.colors == "gray" else "RGB"
    picture = Image.composite(Image.new(mode, mask.size, ink), Image.new(mode, mask.size, ground), mask)
    return encoded(picture, compress_level=1)  # pictures are small, and there may be a million


def _colors(random: np.random.Generator, channels: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two colors that differ clearly, also in gray."""
    while True:
        colors = random.integers(0, 256, (2, channels))
        if abs(int(colors[0].sum()) - int(colors[1].sum())) >= _LEAST_CONTRAST * channels:
            ground, ink = colors.tolist()
            return tuple(ground), tuple(ink)


@lru_cache(1024)
def _mask(letter: str, size: int, height: int, width: int) -> Image.Image:
    """A letter in the middle: 255 inside its strokes, else 0."""
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text((width / 2, height / 2), letter, 255, _font(size), anchor="mm")
    return mask


@lru_cache(256)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
