"""Images unlike the rest in brightness or in original size: Tukey's fences."""

from typing import Any

import numpy as np
import pandas as pd

LEAST_BRIGHTNESS = 0.02
"""Least interquartile range of means in [-1,1]: if nearly all are equal, a tiny difference is no outlier."""
LEAST_OCTAVES = 1.0
"""Least interquartile range of sizes, in octaves: if nearly all have one size, half of it is no outlier."""


def brightness_fence(images: pd.DataFrame, width: float) -> tuple[float, float]:
    """The lowest and the highest mean of images that are no outliers."""
    return _fence(images["mean"], width, LEAST_BRIGHTNESS)


def size_fence(images: pd.DataFrame, width: float) -> tuple[float, float]:
    """The fewest and the most pixels of source images that are no outliers; in octaves, as sizes are ratios."""
    low, high = _fence(np.log2(images["source_pixels"].clip(lower=1)), width, LEAST_OCTAVES)
    return 2.0 ** max(low, -1.0), 2.0 ** min(high, 64.0)


def _fence(values: "pd.Series[Any]", width: float, least: float) -> tuple[float, float]:
    """`width` interquartile ranges below the first quartile and above the third (Tukey 1977)."""
    known = values[np.isfinite(values)]
    if known.empty:
        return -np.inf, np.inf
    first, third = known.quantile([0.25, 0.75])
    reach = width * max(third - first, least)
    return float(first - reach), float(third + reach)
