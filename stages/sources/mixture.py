"""Points drawn from Gaussians, as pictures: the truth about them goes with them."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from pydantic import Field

from stages.common.params import Count, Seed
from stages.common.pictures import encode_pfm
from stages.common.sections import Section
from stages.common.truth import Truth
from stages.sources import RawImage, Source

_HELD_OUT = 10  # points to train on for one that is held out


class MixtureOptions(Section):
    points: Count = Field(100_000, description="points to train on; a tenth as many again are held out")
    seed: Seed = Field(0, description="which points")


def mixture(name: str, truth: Truth, options: MixtureOptions) -> Source:
    """`options.points` points to train on and a tenth as many held out, each from a Gaussian drawn by `options.seed`.

    Where there are several Gaussians, which one a point is from is its label.
    """
    several = len(truth.centres) > 1
    return Source(
        name=name,
        licence="CC0 1.0",
        origin=f"drawn by this pipeline, seed {options.seed}",
        classes=[" ".join(f"{x:.2g}" for x in centre) for centre in truth.centres] if several else None,
        images=_points(truth, options, several),
        truth=truth,
        count=_count(options),
    )


def _count(options: MixtureOptions) -> int:
    return options.points + max(2, options.points // _HELD_OUT)


def _points(truth: Truth, options: MixtureOptions, labelled: bool) -> Iterator[RawImage]:
    random = np.random.default_rng(options.seed)
    count = _count(options)
    modes = random.integers(len(truth.centres), size=count)
    points = np.array(truth.centres)[modes] + truth.std * random.standard_normal((count, truth.shape[-1]))
    values = (points / truth.scale + 1) / 2  # a picture's values are from 0, black, to 1, white
    for number, (mode, value) in enumerate(zip(modes.tolist(), values.astype(np.float32), strict=True)):
        key = f"point-{number:06d}"
        split = "train" if number < options.points else "test"
        yield RawImage(key, f"{key}.pfm", partial(encode_pfm, value[None]), mode if labelled else None, split)
