"""A row of figures for each normalized image, for the gate and the report, which then need not read pixels."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stages.common.levels import Images, compact, floats
from stages.images.perceptual import difference_hash
from stages.media.medium import Medium

_FIRST = {
    "key": pa.string(),
    "split": pa.string(),
    "label": pa.int64(),
    "min": pa.float64(),
    "max": pa.float64(),
    "mean": pa.float64(),
    "std": pa.float64(),
    "finite": pa.bool_(),
}
_LAST = {"source_mode": pa.string(), "pixel_sha256": pa.string(), "difference_hash": pa.uint64()}
PARTNER = pa.field("partner_sha256", pa.string())
"""The SHA-256 of the partner's pixels; a column only for pairs."""
ATTRIBUTES = pa.field("attributes", pa.list_(pa.float32()))
"""A column for images with attributes."""
DOMAIN = pa.field("domain", pa.int64())
"""A column for two domains: 0 or 1."""


@dataclass(frozen=True)
class Origin:
    """An image before it was normalized, and its split."""

    key: str
    label: int | None
    held_out: bool
    mode: str
    shape: tuple[int, ...]
    """(C, *S)."""
    domain: int | None = None


def stats_schema(medium: Medium, partners: bool, attributes: bool, domains: bool = False) -> pa.Schema:
    """The schema: each side of the medium has a column, and another for the image before."""
    now = ("channels", *medium.sides)
    sizes = dict.fromkeys((*now, *(f"source_{side}" for side in now)), pa.int64())
    more = {PARTNER: partners, ATTRIBUTES: attributes, DOMAIN: domains}
    own = {one.column: pa.float64() for one in medium.expectations}
    return pa.schema([*pa.schema(_FIRST | sizes | _LAST | own), *(field for field, there in more.items() if there)])


def stats_table(
    images: Images,
    medium: Medium,
    origins: list[Origin],
    partners: Images | None = None,
    attributes: list[list[float]] | None = None,
    *,
    domains: bool = False,
) -> pa.Table:
    """The figures of images `[N,C,*S]`, a row each, as a table in `stats_schema`; only pictures have a hash."""
    count, *shape = images.shape
    sides, schema = medium.sides, stats_schema(medium, partners is not None, attributes is not None, domains)
    before = zip(*(origin.shape for origin in origins), strict=True)
    columns: dict[str, Any] = {
        "key": [origin.key for origin in origins],
        "split": ["holdout" if origin.held_out else "train" for origin in origins],
        "label": [origin.label for origin in origins],
        **_moments(images.reshape(count, -1)),
        **{side: [size] * count for side, size in zip(("channels", *sides), shape, strict=True)},
        **{f"source_{side}": list(sizes) for side, sizes in zip(("channels", *sides), before, strict=True)},
        "source_mode": [origin.mode for origin in origins],
        "pixel_sha256": _hashes(images),
        "difference_hash": difference_hash(images) if images.ndim == 4 else pa.nulls(count, pa.uint64()),
    }
    if medium.expectations:
        counted = medium.figures(floats(images))
        columns |= {one.column: counted[one.figure] for one in medium.expectations}
    columns |= {} if partners is None else {PARTNER.name: _hashes(partners)}
    columns |= {} if attributes is None else {ATTRIBUTES.name: attributes}
    columns |= {DOMAIN.name: [origin.domain for origin in origins]} if domains else {}
    return pa.table(columns, schema=schema)


def _hashes(images: Images) -> list[str]:
    """SHA-256 of each image's pixels, equal for levels and for floats."""
    if images.dtype != np.uint8:
        return [hashlib.sha256(compact(image).data).hexdigest() for image in images]
    return [hashlib.sha256(image.data).hexdigest() for image in images]


def _moments(rows: Images) -> dict[str, Any]:
    """Statistics of each row `[N,D]`, in double precision."""
    least, most = (floats(ends).astype(np.float64) for ends in (rows.min(1), rows.max(1)))
    exact = rows.astype(np.float64)
    mean = exact.mean(1)
    exact -= mean[:, None]
    std = np.sqrt(np.einsum("nd,nd->n", exact, exact) / rows.shape[1])
    if rows.dtype == np.uint8:
        mean, std = mean / 127.5 - 1, std / 127.5
    # With a NaN anywhere, minimum and maximum are NaN, too.
    finite = np.isfinite(least) & np.isfinite(most)
    return {"min": least, "max": most, "mean": mean, "std": std, "finite": finite}
