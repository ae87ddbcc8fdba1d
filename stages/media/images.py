"""Images, the plain medium that all others are described against."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.media.medium import Medium, Shape

if TYPE_CHECKING:
    from stages.common.levels import FloatImages, Levels

_LEAST_SIDE = 4


@dataclass(frozen=True)
class Images(Medium):
    """Pictures, gray or in color, with 8 bits a pixel when written."""

    name = "images"

    def describe(self, shape: Shape) -> str:
        """Such as "28×28 gray": width first."""
        channels, height, width = shape
        colors = {1: "gray", 3: "RGB"}.get(channels, f"{channels}-channel")
        return f"{width}×{height} {colors}"

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """A sample as PNG."""
        from stages.common.levels import to_uint8
        from stages.common.pictures import encode_png

        return encode_png(to_uint8(sample)), "png"

    def view(self, shape: Shape) -> str | None:
        """The script for gray and color; None for a few pixels, which are no picture, such as a point."""
        return super().view(shape) if shape[0] in (1, 3) and min(shape[1:]) >= _LEAST_SIDE else None

    def pixels(self, samples: "FloatImages") -> "Levels":
        """Samples as 8-bit pictures, unchanged."""
        from stages.common.levels import to_uint8

        return to_uint8(samples)
