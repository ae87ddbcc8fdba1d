"""Frames of scenes: pictures, each to be made of those before it in its scene."""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.media.images import Images
from stages.media.medium import Words


@dataclass(frozen=True)
class Frames(Images):
    """Each made of `past` others, the one before it first."""

    name = "frames"
    words = Words("frame", "a frame", "frames")
    recurs = True
    joins = "earlier"
    row = "clip"
    pairs_by = "ingest.scenes"
    paired_family = "next_frame"

    past: int = 4

    def to_show(self) -> Mapping[str, object]:
        """As images are: a browser draws what it makes one of."""
        return {"name": Images.name}
