"""Small pictures of the images that failed, for the page."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.pictures import encode_png
from stages.common.templates import data_uri
from stages.media.medium import Medium
from stages.validation.judge import Verdict
from stages.validation.pixels import read_pixels

LARGEST = 96
"""Pixels a side of a thumbnail; a larger image is subsampled."""


@dataclass(frozen=True)
class Thumbnail:
    uri: str
    split: str


def thumbnails(
    verdicts: Iterable[Verdict], stats: pd.DataFrame, normalized: Path, medium: Medium
) -> dict[str, Thumbnail]:
    """Thumbnails of the failed checks' examples, by key. Only their rows are read."""
    keys = {key for verdict in verdicts if not verdict.success for key in verdict.examples}
    wanted = stats.loc[stats["key"].isin(keys), ["key", "split"]].drop_duplicates("key")
    found = {}
    for places, images in read_pixels(normalized, wanted):
        for place, image in zip(places.tolist(), images, strict=True):
            key, split = wanted.iloc[place]
            levels = medium.pixels(np.nan_to_num(image)[None])[0]
            step = -(-max(levels.shape[1:]) // LARGEST)
            found[key] = Thumbnail(data_uri("image/png", encode_png(levels[:, ::step, ::step])), split)
    return found
