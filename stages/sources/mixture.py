"""Points drawn from Gaussians, as pictures: the truth about them goes with them."""

from collections.abc import Iterator

import numpy as np

from stages.common.params import Ingest
from stages.common.pictures import encode_pfm
from stages.common.truth import Truth
from stages.sources import RawImage, Source

_HELD_OUT = 10  # points to train on for one that is held out


def mixture(name: str, truth: Truth, params: Ingest) -> Source:
    """`params.points` points to train on and a tenth as many held out, each from a Gaussian drawn by `params.seed`.

    Where there are several Gaussians, which one a point is from is its label.
    """
    several = len(truth.centres) > 1
    return Source(
        name=name,
        licence="CC0 1.0",
        origin=f"drawn by this pipeline, seed {params.seed}",
        classes=[" ".join(f"{x:.2g}" for x in centre) for centre in truth.centres] if several else None,
        images=_points(truth, params, several),
        truth=truth,
    )


def _points(truth: Truth, params: Ingest, labelled: bool) -> Iterator[RawImage]:
    random = np.random.default_rng(params.seed)
    count = params.points + max(2, params.points // _HELD_OUT)
    modes = random.integers(len(truth.centres), size=count)
    points = np.array(truth.centres)[modes] + truth.std * random.standard_normal((count, truth.shape[-1]))
    values = (points / truth.scale + 1) / 2  # a picture's values are from 0, black, to 1, white
    for number, (mode, value) in enumerate(zip(modes.tolist(), values.astype(np.float32), strict=True)):
        key = f"point-{number:06d}"
        split = "train" if number < params.points else "test"
        yield RawImage(key, f"{key}.pfm", encode_pfm(value[None]), mode if labelled else None, split)
