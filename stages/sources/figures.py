"""Figures drawn by a seed, in pairs without a download: somebody, a map of another pose, and the same one in that.

A figure has joints in space, and its own clothes; each picture turns it another way, with other arm and leg angles.
"""

from collections.abc import Iterator
from functools import partial
from math import cos, pi, sin
from typing import Annotated

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from pydantic import Field

from stages.common.params import Ingest
from stages.common.pictures import encoded
from stages.common.sections import Count, Section, Seed
from stages.sources import RawImage, Source, drawn_source

READS_PATH = False
GROUND = (128, 128, 128)
_FINER = 4
"""Figures are drawn this many times larger, then averaged."""
_DIRECTIONS = 8
_SWINGS = {"arm": (1.2, 1.5), "leg": (0.7, 1.0)}
"""How far a limb swings to either side, and how far it bends at most, in radians."""
_LENGTHS = {"arm": 0.17, "leg": 0.21}
"""Length of each half of a limb, if the picture is 1 high."""
_SIDES = {"left": -1, "right": 1}
Joint = npt.NDArray[np.float64]
"""A point or direction: right, up, front."""
Color = tuple[int, int, int]

PARTS: dict[str, tuple[float, str, Color]] = {
    "body": (0.17, "shirt", (255, 255, 255)),
    "hair": (0.19, "hair", (0, 0, 0)),
    "head": (0.17, "skin", (255, 255, 0)),
    "left arm": (0.075, "shirt", (255, 0, 0)),
    "left hand": (0.06, "skin", (128, 0, 0)),
    "right arm": (0.075, "shirt", (0, 255, 0)),
    "right hand": (0.06, "skin", (0, 128, 0)),
    "left leg": (0.09, "trousers", (0, 0, 255)),
    "left foot": (0.08, "boots", (0, 0, 128)),
    "right leg": (0.09, "trousers", (0, 255, 255)),
    "right foot": (0.08, "boots", (0, 128, 128)),
}
"""Each part's thickness, the piece of clothing that colors it, and its color on a map."""


class Options(Section):
    figures: Count = Field(2000, description="how many, each in clothes of its own")
    each: Count = Field(4, description="pairs of a figure")
    side: Annotated[int, Field(ge=8, le=1024)] = Field(32, description="pixels")
    seed: Seed = Field(0, description="which figures and poses")


def paired_by(_: Options) -> bool:
    """Whether samples get partners."""
    return True


def read(_: Ingest, options: Options) -> Source:
    """The pairs; each figure depends only on the seed and its number. No test set: a split keeps figures whole."""
    count = options.figures * options.each
    return drawn_source("figures", options.seed, None, _images(options), count=count, paired=True, maps=1, grouped=True)


def _images(options: Options) -> Iterator[RawImage]:
    for figure in range(options.figures):
        for number in range(options.each):
            key = f"figure-{figure:06d}-{number:03d}"
            before, after = ((options.seed, figure, 2 * number + one) for one in (1, 2))
            target, source = (
                partial(draw_figure, options.side, pose, (options.seed, figure)) for pose in (after, before)
            )
            maps = (partial(draw_figure, options.side, after),)
            yield RawImage(key, f"{key}.png", target, None, None, source, group=str(figure), maps=maps)


def draw_figure(side: int, pose: tuple[int, ...], clothes: tuple[int, ...] | None = None) -> bytes:
    """PNG of a figure in the pose that the seed `pose` draws, with clothes drawn by `clothes`, or as a map."""
    worn = None if clothes is None else clothes_of(clothes)
    large = Image.new("RGB", (side * _FINER, side * _FINER), GROUND)
    pen = ImageDraw.Draw(large)
    for name, ends in _from_back_to_front(pose):
        thick, kind, on_map = PARTS[name]
        _limb(pen, ends, thick, on_map if worn is None else worn[kind], side * _FINER)
    return encoded(large.reduce(_FINER), compress_level=1)


def clothes_of(numbers: tuple[int, ...]) -> dict[str, Color]:
    """A random color for each piece of clothing."""
    random = np.random.default_rng(numbers)
    kinds = sorted({kind for _, kind, _ in PARTS.values()})
    return {
        kind: tuple(color) for kind, color in zip(kinds, random.integers(0, 256, (len(kinds), 3)).tolist(), strict=True)
    }


def _from_back_to_front(pose: tuple[int, ...]) -> list[tuple[str, list[Joint]]]:
    random = np.random.default_rng(pose)
    turn = 2 * pi * random.integers(_DIRECTIONS) / _DIRECTIONS
    parts = {name: [_turned(joint, turn) for joint in ends] for name, ends in _joints(random).items()}
    return sorted(parts.items(), key=lambda part: float(np.mean([joint[2] for joint in part[1]])))


def _joints(random: np.random.Generator) -> dict[str, list[Joint]]:
    """The ends of each part of a figure that looks to the front."""
    found = {
        "body": [np.array([0, height, 0.0]) for height in (0.50, 0.66)],
        "hair": [np.array([0, 0.86, -0.03])] * 2,
        "head": [np.array([0, 0.84, 0.03])] * 2,
    }
    ends = {"arm": ("hand", 0.12, 0.70), "leg": ("foot", 0.06, 0.46)}
    for side, sign in _SIDES.items():
        for limb, (end, aside, height) in ends.items():
            swing, bend = _SWINGS[limb][0] * random.uniform(-1, 1), _SWINGS[limb][1] * random.uniform()
            first = np.array([sign * aside, height, 0.0])
            middle = first + _LENGTHS[limb] * _hanging(swing)
            last = middle + _LENGTHS[limb] * _hanging(swing + bend if limb == "arm" else swing - bend)
            found |= {f"{side} {limb}": [first, middle], f"{side} {end}": [middle, last]}
    return found


def _hanging(angle: float) -> Joint:
    """The direction down, rotated to the front by an angle."""
    return np.array([0.0, -cos(angle), sin(angle)])


def _turned(joint: Joint, angle: float) -> Joint:
    right, up, front = joint
    return np.array([right * cos(angle) + front * sin(angle), up, front * cos(angle) - right * sin(angle)])


def _limb(pen: ImageDraw.ImageDraw, ends: list[Joint], thick: float, color: Color, pixels: int) -> None:
    """A line with round ends."""
    places = [((0.5 + right) * pixels, (1 - up) * pixels) for right, up, _ in ends]
    pen.line(places, fill=color, width=round(thick * pixels))
    for across, down in places:
        reach = thick * pixels / 2
        pen.ellipse((across - reach, down - reach, across + reach, down + reach), fill=color)
