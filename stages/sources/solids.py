"""Solids in cells, drawn by a seed: balls, boxes, cylinders, cones and rings of any proportions, without a download."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages.common.params import Ingest
from stages.common.sections import Count, Section, Seed
from stages.media.cells import npy
from stages.media.volumes import Volumes
from stages.sources import RawImage, Source, drawn_source

MEDIUM = Volumes()
READS_PATH = False
_LEAST, _MOST, _EDGE = 0.45, 0.85, 0.95
"""Shares of half a side: a solid's least and most extent from its middle along each axis, and most from the center."""
_HOLLOW = 0.65
"""Distance from the middle of a ring to the middle of its tube, which is as thick as possible."""
Places = npt.NDArray[np.float64]

SOLIDS: dict[str, Callable[[Places, Places, Places], Any]] = {
    "ball": lambda up, front, right: up**2 + front**2 + right**2 <= 1,
    "box": lambda up, front, right: np.maximum(np.maximum(abs(up), abs(front)), abs(right)) <= 1,
    "cone": lambda up, front, right: (abs(up) <= 1) & (np.hypot(front, right) <= (1 - up) / 2),
    "cylinder": lambda up, front, right: (abs(up) <= 1) & (np.hypot(front, right) <= 1),
    "ring": lambda up, front, right: np.hypot(np.hypot(front, right) - _HOLLOW, up) <= 1 - _HOLLOW,
}
"""Whether places are inside each solid, which extends from -1 to 1 along each axis; a ring is flat."""


class Options(Section):
    volumes: Count = Field(5000, description="how many to draw")
    side: Annotated[int, Field(ge=8, le=128)] = Field(16, description="cells")
    seed: Seed = Field(0, description="which solids")


def read(_: Ingest, options: Options) -> Source:
    """The solids; each depends only on the seed and its number, and its class is its kind.

    There is no test set: with few cells some solids are equal, and a random split keeps these on one side.
    """
    return drawn_source("solids", options.seed, list(SOLIDS), _volumes(options), medium=MEDIUM, count=options.volumes)


def _volumes(options: Options) -> Iterator[RawImage]:
    for number in range(options.volumes):
        key = f"solid-{number:06d}"
        content = partial(_encoded, options, number)
        yield RawImage(key, f"{key}.npy", content, number % len(SOLIDS), None)


def _encoded(options: Options, number: int) -> bytes:
    return npy(draw_solid(options.side, options.seed, number))


def draw_solid(side: int, seed: int, number: int) -> npt.NDArray[np.bool_]:
    """A solid `[side,side,side]` of each kind in turn, upright, with random sizes along its axes and a random place."""
    random = np.random.default_rng([seed, number])
    reach = random.uniform(_LEAST, _MOST, (3, 1, 1, 1))
    middle = random.uniform(-1, 1, (3, 1, 1, 1)) * (_EDGE - reach)
    places = np.stack(np.meshgrid(*[(np.arange(side) + 0.5) / side * 2 - 1] * 3, indexing="ij"))
    inside = list(SOLIDS.values())[number % len(SOLIDS)]
    cells: npt.NDArray[np.bool_] = inside(*(places - middle) / reach)
    return cells
