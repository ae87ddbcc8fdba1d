"""The range of values in images, from which black and white are found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stages.common.errors import UserError
from stages.images.decode import extent
from stages.images.raw import raw_rows

_TYPES = {255.0: "8 bits", 65535.0: "16 bits or more", 1.0: "fractions"}
_AT_ONCE = 16
_WHOLE_BITS = 8
"""With fewer bits than this, values are likely a few shades, and the highest is white."""


@dataclass(frozen=True)
class Extent:
    """The lowest and the highest value in images, by the white of their type."""

    ends: Mapping[float, tuple[float, float]] = field(default_factory=dict)

    def joined(self, other: "Extent") -> "Extent":
        """The extent of both together."""
        ends = dict(self.ends)
        for whitest, (low, high) in other.ends.items():
            before = ends.get(whitest, (low, high))
            ends[whitest] = (min(before[0], low), max(before[1], high))
        return Extent(ends)

    def levels(self, black: Any, white: Any) -> dict[str, float | None]:
        """Numbers in place of "auto", from the deepest images: images of 8 bits beside deep ones keep their own.

        White is the highest value of the fewest bits that are enough (1023, 4095, ...), or the highest fraction. Raises
        UserError on whole numbers beside fractions, which have no common white, and on images with a single value.
        """
        deep = {whitest: ends for whitest, ends in self.ends.items() if whitest != 255.0} or dict(self.ends)
        if len(deep) != 1:
            found = " and ".join(sorted(_TYPES[whitest] for whitest in deep)) or "nothing that can be decoded"
            raise UserError(
                "range-ambiguous",
                f"the images hold {found}, which have no white in common: set normalize.white to a number",
            )
        ((whitest, (low, high)),) = deep.items()
        lowest = low if black == "auto" else black
        highest = _white(whitest, high) if white == "auto" else white
        if highest is not None and highest <= (lowest or 0.0):
            raise UserError(
                "range-empty",
                f"the images have values from {low:g} to {high:g}, so that white would not be above black: "
                "set normalize.black and white to numbers",
            )
        return {"black": lowest, "white": highest}


def _white(whitest: float, high: float) -> float:
    bits = int(high).bit_length()
    return high if whitest == 1.0 or bits < _WHOLE_BITS else float(2**bits - 1)


@dataclass(frozen=True)
class ExtentOf:
    """The extent of a raw shard, with partners; images that cannot be decoded are reported later."""

    max_pixels: int

    def __call__(self, shard: Path) -> Extent:
        found = Extent()
        columns = [f"{name}.bytes" for name in ("image", "partner") if name in pq.read_schema(shard).names]
        for batch in raw_rows(shard, columns, _AT_ONCE):
            for name in batch.schema.names:
                for picture in batch[name].to_pylist():
                    found = found.joined(self._of_one((picture or {}).get("bytes") or b""))
        return found

    def _of_one(self, content: bytes) -> Extent:
        try:
            whitest, low, high = extent(content, self.max_pixels)
        except Exception:  # Pillow raises nearly anything on damaged bytes
            return Extent()
        return Extent({whitest: (low, high)})
