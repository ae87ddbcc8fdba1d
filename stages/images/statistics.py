"""A row of figures for each normalized image: what the gate judges and the report shows, without reading pixels."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stages.common.levels import Images, Levels, compact, in_range
from stages.images.perceptual import difference_hash

STATS = pa.schema(
    {
        "key": pa.string(),
        "split": pa.string(),
        "label": pa.int64(),
        "min": pa.float64(),
        "max": pa.float64(),
        "mean": pa.float64(),
        "std": pa.float64(),
        "finite": pa.bool_(),
        "channels": pa.int64(),
        "height": pa.int64(),
        "width": pa.int64(),
        "source_channels": pa.int64(),
        "source_height": pa.int64(),
        "source_width": pa.int64(),
        "source_mode": pa.string(),
        "pixel_sha256": pa.string(),
        "difference_hash": pa.uint64(),
    }
)
PARTNER = pa.field("partner_sha256", pa.string())
"""Of the partner's pixels; a column of pairs alone."""


@dataclass(frozen=True)
class Origin:
    """What an image was before it was normalized, and where it goes."""

    key: str
    label: int | None
    held_out: bool
    mode: str
    channels: int
    height: int
    width: int


def stats_schema(partners: bool) -> pa.Schema:
    return STATS.append(PARTNER) if partners else STATS


def stats_table(images: Images, origins: list[Origin], partners: Images | None = None) -> pa.Table:
    """The figures of images `[N,C,H,W]`, a row each, as a table of `stats_schema`."""
    count, channels, height, width = images.shape
    columns: dict[str, Any] = {
        "key": [origin.key for origin in origins],
        "split": ["holdout" if origin.held_out else "train" for origin in origins],
        "label": [origin.label for origin in origins],
        **_moments(images.reshape(count, -1)),
        "channels": [channels] * count,
        "height": [height] * count,
        "width": [width] * count,
        "source_channels": [origin.channels for origin in origins],
        "source_height": [origin.height for origin in origins],
        "source_width": [origin.width for origin in origins],
        "source_mode": [origin.mode for origin in origins],
        "pixel_sha256": _hashes(images),
        "difference_hash": difference_hash(images),
    }
    columns |= {} if partners is None else {PARTNER.name: _hashes(partners)}
    return pa.table(columns, schema=stats_schema(partners is not None))


def _hashes(images: Images) -> list[str]:
    """Of the pixels, the same however they are stored."""
    if images.dtype != np.uint8:
        return [hashlib.sha256(compact(image).data).hexdigest() for image in images]
    return [hashlib.sha256(image.data).hexdigest() for image in images]


def _moments(rows: Images) -> dict[str, Any]:
    """Statistics of each row `[N,D]`, in double precision."""
    if rows.dtype == np.uint8:
        return _moments_of_levels(rows.view(np.uint8))
    least, most = rows.min(1).astype(np.float64), rows.max(1).astype(np.float64)
    exact = rows.astype(np.float64)
    mean = exact.mean(1)
    exact -= mean[:, None]
    variance = np.einsum("nd,nd->n", exact, exact) / rows.shape[1]
    # A NaN anywhere is the least and the most too.
    finite = np.isfinite(least) & np.isfinite(most)
    return {"min": least, "max": most, "mean": mean, "std": np.sqrt(variance), "finite": finite}


def _moments_of_levels(rows: Levels) -> dict[str, Any]:
    """From sums of whole numbers, which are exact."""
    count, exact = rows.shape[1], rows.astype(np.float64)
    total, squares = exact.sum(1), np.einsum("nd,nd->n", exact, exact)
    return {
        "min": in_range(rows.min(1)).astype(np.float64),
        "max": in_range(rows.max(1)).astype(np.float64),
        "mean": total / count / 127.5 - 1,
        "std": np.sqrt(count * squares - total * total) / count / 127.5,
        "finite": np.ones(len(rows), np.bool_),
    }
