"""A picture of any size to one size."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image

from stages.images.area import shrunk
from stages.images.deep import Planes

Fit = Literal["resize", "crop", "letterbox", "pad"]
Resample = Literal["lanczos", "area"]
GAP = 4
"""What Lanczos shrinks further than so many times is averaged first, in whole pixels, to no less than so many times its
new size: a photograph takes a quarter of the time, and differs by a level or two."""


class TooSmallError(Exception):
    """A picture that would have to be enlarged, where that is refused."""


@dataclass(frozen=True)
class Geometry:
    """The size that pictures are brought to, and how."""

    height: int
    width: int
    fit: Fit
    resample: Resample = "lanczos"
    enlarge: bool = True
    background: str = "#ffffff"


def all_fitted(planes: Planes, to: Geometry, place: float | None = None) -> Planes:
    """Each plane of a picture, as `fitted`."""
    return tuple(fitted(plane, to, place) for plane in planes)


def fitted(image: Image.Image, to: Geometry, place: float | None = None) -> Image.Image:
    """Bring a picture to its new size; one that has the size already stays as it is.

    resize stretches; crop takes the largest part of the new aspect, in the middle, or at `place` (in [0,1), from the
    left or the top) of what there is to choose from; letterbox brings in the whole, with bars beside it; pad does so
    too, but never enlarges. Raises TooSmallError where it must enlarge and may not.
    """
    if image.size == (to.width, to.height):
        return image
    if to.fit == "crop":
        return _resized(image.crop(_largest(image, to, place)), to.height, to.width, to)
    if to.fit == "resize":
        return _resized(image, to.height, to.width, to)
    return _framed(image, to)


def _resized(image: Image.Image, height: int, width: int, to: Geometry) -> Image.Image:
    """What shrinks is weighed over all pixels under a new one; what grows is bicubic."""
    if not to.enlarge and (width > image.width or height > image.height):
        raise TooSmallError(
            f"it would have to be enlarged from {image.width} x {image.height} to {width} x {height} pixels, which "
            "normalize.upscale refuses"
        )
    low, narrow = min(height, image.height), min(width, image.width)
    if to.resample == "area":
        image = shrunk(image, low, narrow)
    else:
        image = image.resize((narrow, low), Image.Resampling.LANCZOS, reducing_gap=GAP)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _largest(image: Image.Image, to: Geometry, place: float | None) -> tuple[int, int, int, int]:
    """The largest box of the target's aspect, in whole pixels so that a mere cut stays exact."""
    scale = min(image.width / to.width, image.height / to.height)
    width = min(image.width, max(1, round(to.width * scale)))
    height = min(image.height, max(1, round(to.height * scale)))
    left, top = _start(image.width - width, place), _start(image.height - height, place)
    return left, top, left + width, top + height


def _start(room: int, place: float | None) -> int:
    return room // 2 if place is None else int((room + 1) * place)


def _framed(image: Image.Image, to: Geometry) -> Image.Image:
    scale = min(to.width / image.width, to.height / image.height)
    if to.fit == "pad":
        scale = min(scale, 1.0)
    width = min(to.width, max(1, round(image.width * scale)))
    height = min(to.height, max(1, round(image.height * scale)))
    sheet = Image.new(image.mode, (to.width, to.height), to.background)
    sheet.paste(_resized(image, height, width, to), ((to.width - width) // 2, (to.height - height) // 2))
    return sheet
