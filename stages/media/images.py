"""Images: what the other media are compared with. Nothing of them is special."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.media.medium import Medium, Shape

if TYPE_CHECKING:
    from stages.common.levels import FloatImages, Levels

_LEAST_SIDE = 4


@dataclass(frozen=True)
class Images(Medium):
    """Pictures, gray or in color, of 8 bits a pixel once they are made."""

    name = "images"

    def describe(self, shape: Shape) -> str:
        """Such as 28×28 gray: width first."""
        channels, height, width = shape
        colors = {1: "gray", 3: "RGB"}.get(channels, f"{channels}-channel")
        return f"{width}×{height} {colors}"

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """As PNG."""
        from stages.common.levels import to_uint8
        from stages.common.pictures import encode_png

        return encode_png(to_uint8(sample)), "png"

    def view(self, shape: Shape) -> str | None:
        """Of gray and color, from a few pixels on: what is smaller is no picture, such as a point."""
        return super().view(shape) if shape[0] in (1, 3) and min(shape[1:]) >= _LEAST_SIDE else None

    def pixels(self, samples: "FloatImages") -> "Levels":
        """As they are."""
        from stages.common.levels import to_uint8

        return to_uint8(samples)
