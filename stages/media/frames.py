"""Frames of scenes: pictures, each to be predicted from the frames before it."""

from collections.abc import Mapping
from dataclasses import dataclass

from stages.media.images import Images
from stages.media.medium import Words


@dataclass(frozen=True)
class Frames(Images):
    """Frames, each predicted from the `past` frames before it, the latest first."""

    name = "frames"
    words = Words("frame", "a frame", "frames")
    recurs = True
    joins = "earlier"
    row = "clip"
    pairs_by = "ingest.scenes"
    paired_family = "next_frame"

    past: int = 4

    def to_show(self) -> Mapping[str, object]:
        """The facts of images: a browser draws frames as images."""
        return {"name": Images.name}
