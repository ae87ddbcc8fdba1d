"""Points drawn from Gaussians, as pictures, together with the true distribution."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
from pydantic import Field

from stages.common.pictures import encode_pfm
from stages.common.sections import Count, Section, Seed
from stages.media.points import Points
from stages.sources import RawImage, Source, drawn_source

_HELD_OUT = 10  # points to train on for each point of the holdout
_BLOCK = 10_000  # points that are drawn at once

Modes = npt.NDArray[np.int64]
Values = npt.NDArray[np.float32]


class MixtureOptions(Section):
    points: Count = Field(100_000, description="points to train on; a tenth as many again are held out")
    seed: Seed = Field(0, description="which points")


def mixture(name: str, truth: Points, options: MixtureOptions) -> Source:
    """`options.points` points to train on and a tenth as many for the test set, drawn by `options.seed`.

    With several Gaussians, a point's label is the number of its Gaussian.
    """
    several = len(truth.centers) > 1
    classes = [" ".join(f"{x:.2g}" for x in center) for center in truth.centers] if several else None
    images = _points(truth, options, several)
    return drawn_source(name, options.seed, classes, images, medium=truth, count=_count(options))


def _count(options: MixtureOptions) -> int:
    return options.points + max(2, options.points // _HELD_OUT)


def _points(truth: Points, options: MixtureOptions, labeled: bool) -> Iterator[RawImage]:
    number = 0
    for modes, values in _draw_blocks(truth, options.seed, _count(options)):
        for mode, value in zip(modes.tolist(), values, strict=True):
            key = f"point-{number:06d}"
            split = "train" if number < options.points else "test"
            yield RawImage(key, f"{key}.pfm", partial(encode_pfm, value[None]), mode if labeled else None, split)
            number += 1


def _draw_blocks(truth: Points, seed: int, count: int) -> Iterator[tuple[Modes, Values]]:
    """The modes `[N]` and the points `[N,D]`, a block at a time, as values of a picture: 0 is black, 1 white.

    In the stream all modes come before all noise. So a second generator draws the noise, after it has passed the modes.
    """
    for_modes, for_noise = np.random.default_rng(seed), np.random.default_rng(seed)
    for size in _blocks(count):
        for_noise.integers(len(truth.centers), size=size)
    for size in _blocks(count):
        modes = for_modes.integers(len(truth.centers), size=size)
        points = np.array(truth.centers)[modes] + truth.std * for_noise.standard_normal((size, truth.shape[-1]))
        yield modes, ((points / truth.scale + 1) / 2).astype(np.float32)


def _blocks(count: int) -> Iterator[int]:
    """The sizes of the blocks of `count` points."""
    for start in range(0, count, _BLOCK):
        yield min(_BLOCK, count - start)
