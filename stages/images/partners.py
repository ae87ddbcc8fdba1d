"""The partner of an image, for families that translate one into the other: its other half, or made from it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image

from stages.common.levels import FloatImages
from stages.images.area import area_means
from stages.images.deep import LUMINANCE, Picture

Partner = Literal["left_right", "right_left", "edges", "grey", "lower_resolution", "masked"]
_SHRUNK = 4
_FLAT = 0.0
"""Mid grey, of a hole."""


class NoPartnerError(Exception):
    """A pair of which one half is missing; the text is the reason, without the image's name."""


def halves(both: Picture, partner: Partner) -> tuple[Picture, Picture]:
    """(image, partner) of one picture that holds both: left_right has the image on the left. Raises NoPartnerError."""
    width = both.shape[1]
    if width % 2:
        raise NoPartnerError(f"it is {width} pixels wide, and two side by side have an even width")
    left, right = both[:, : width // 2], both[:, width // 2 :]
    return (left, right) if partner == "left_right" else (right, left)


def made(partner: Partner, images: FloatImages, places: Sequence[float]) -> FloatImages:
    """Partners `[N,C,H,W]` of images `[N,C,H,W]`, both in [-1,1]; `places` `[N]` in [0,1) say where a hole is."""
    if partner == "edges":
        return _edges(images)
    if partner == "grey":
        return np.broadcast_to(_grey(images), images.shape).copy()
    if partner == "lower_resolution":
        return _coarse(images)
    return np.stack([_masked(image, place) for image, place in zip(images, places, strict=True)])


def _grey(images: FloatImages) -> FloatImages:
    """`[N,1,H,W]` by luminance."""
    grey: FloatImages = (
        np.einsum("nchw,c->nhw", images, np.array(LUMINANCE, np.float32))[:, None] if images.shape[1] == 3 else images
    )
    return grey


def _edges(images: FloatImages) -> FloatImages:
    """Black lines on white: how steep the luminance is, by Sobel's filter; a step from black to white is black."""
    grey = np.pad(_grey(images)[:, 0], ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    columns = grey[:, :, :-2] + 2 * grey[:, :, 1:-1] + grey[:, :, 2:]
    across, down = rows[:, :, 2:] - rows[:, :, :-2], columns[:, 2:] - columns[:, :-2]
    steepness = np.minimum(np.hypot(across, down) / 8, 1)  # 8: a step of 2, weighed 1 + 2 + 1
    return np.broadcast_to((1 - 2 * steepness)[:, None], images.shape).astype(np.float32)


def _coarse(images: FloatImages) -> FloatImages:
    """A quarter of the pixels in each direction, averaged, and bicubic back to their size."""
    *_, height, width = images.shape
    small = area_means(area_means(images, max(1, height // _SHRUNK), 2), max(1, width // _SHRUNK), 3)
    planes = [Image.fromarray(plane) for plane in small.astype(np.float32).reshape(-1, *small.shape[2:])]
    large = [plane.resize((width, height), Image.Resampling.BICUBIC) for plane in planes]
    coarse: FloatImages = np.clip(np.stack([np.asarray(plane) for plane in large]), -1.0, 1.0)
    return coarse.reshape(images.shape)


def _masked(image: FloatImages, place: float) -> FloatImages:
    """An image `[C,H,W]` with a hole of half its height and width."""
    _, height, width = image.shape
    high, wide = (height + 1) // 2, (width + 1) // 2
    choices = (height - high + 1) * (width - wide + 1)
    top, left = divmod(int(place * choices), width - wide + 1)
    masked = image.copy()
    masked[:, top : top + high, left : left + wide] = _FLAT
    return masked
