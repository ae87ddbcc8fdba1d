"""Images: what the other media are compared with. Nothing of them is special."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.media.medium import Medium, Shape

if TYPE_CHECKING:
    from stages.common.levels import FloatImages, Levels


@dataclass(frozen=True)
class Images(Medium):
    """Pictures, grey or in color, of 8 bits a pixel once they are made."""

    name = "images"

    def describe(self, shape: Shape) -> str:
        """Such as 28×28 grey: width first."""
        channels, height, width = shape
        colors = {1: "grey", 3: "RGB"}.get(channels, f"{channels}-channel")
        return f"{width}×{height} {colors}"

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """As PNG."""
        from stages.common.levels import to_uint8
        from stages.common.pictures import encode_png

        return encode_png(to_uint8(sample)), "png"

    def pixels(self, samples: "FloatImages") -> "Levels":
        """As they are."""
        from stages.common.levels import to_uint8

        return to_uint8(samples)
