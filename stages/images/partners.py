"""The partner of an image, for families that translate one into the other: its other half, or made from it."""

import io
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Literal

import numpy as np
from PIL import Image

from stages.common.levels import FloatImages, Images, compact, to_uint8
from stages.common.params import Normalize
from stages.common.pictures import as_picture, encoded
from stages.images.area import area_means
from stages.images.deep import LUMINANCE, Picture

Halves = Literal["left_right", "right_left"]
_FLAT = np.float32(128 / 127.5 - 1)
"""Mid gray, the color of a hole."""


class NoPartnerError(Exception):
    """One half of a pair is missing; the text is the reason, without the image's name."""


def halves(both: Picture, partner: Halves) -> tuple[Picture, Picture]:
    """(image, partner) from one picture with both: left_right has the image on the left. Raises NoPartnerError."""
    width = both.shape[1]
    if width % 2:
        raise NoPartnerError(f"it is {width} pixels wide, and two side by side have an even width")
    left, right = both[:, : width // 2], both[:, width // 2 :]
    return (left, right) if partner == "left_right" else (right, left)


def made(params: Normalize, images: FloatImages, tickets: Sequence[int]) -> Images:
    """Partners `[N,S,h,w]` of images `[N,C,H,W]` in [-1,1], as levels if possible.

    The `tickets` `[N]` in [0, 2**64) decide all random draws: an image and a seed always have the same ticket.
    """
    damage, drawn = params.damage, list(zip(images, tickets, strict=True))
    makers: dict[str | None, Callable[[], Any]] = {
        "edges": lambda: _edges(images),
        "gray": lambda: _gray(images),
        "lower_resolution": lambda: _coarse(images, damage.factor),
        "jpeg": lambda: np.stack([_compressed(image, damage.quality) for image in images]),
        "masked": lambda: np.stack([_masked(*one) for one in drawn]),
        "noisy": lambda: np.stack([_noisy(*one, damage.deviation) for one in drawn]),
        "salt": lambda: np.stack([_salted(*one, damage.salt) for one in drawn]),
    }
    partners: Images = np.ascontiguousarray(makers[params.partner]())
    return compact(partners)


def partner_shape(params: Normalize, sides: Sequence[str], maps: int = 0) -> tuple[int, ...]:
    """(S, *S) of the partners, joined by their maps, of samples whose sides have these names."""
    channels, *size = params.shape_of(sides)
    if params.partner in ("edges", "gray"):
        return 1, *size
    if params.partner == "lower_resolution":
        return channels, *(ceil(side / params.damage.factor) for side in size)
    return channels * (1 + maps) + (params.partner == "masked"), *size


def damage_by_chance(params: Normalize) -> tuple[str, float] | None:
    """Kind and strength of random damage, which a training can redraw; None if partners are not made at random."""
    strengths = {"masked": 0.0, "noisy": params.damage.deviation, "salt": params.damage.salt}
    return None if params.partner not in strengths else (params.partner, strengths[params.partner])


def place(ticket: int) -> float:
    """A number in [0,1) from a ticket."""
    return (ticket >> 11) / 2**53


def _gray(images: FloatImages) -> FloatImages:
    """Images in gray, `[N,1,H,W]`, by luminance."""
    gray: FloatImages = (
        np.einsum("nchw,c->nhw", images, np.array(LUMINANCE, np.float32))[:, None] if images.shape[1] == 3 else images
    )
    return gray


def _edges(images: FloatImages) -> FloatImages:
    """Black lines on white `[N,1,H,W]`: the slope of the luminance by Sobel's filter; black to white is black."""
    gray = np.pad(_gray(images)[:, 0], ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = gray[:, :-2] + 2 * gray[:, 1:-1] + gray[:, 2:]
    columns = gray[:, :, :-2] + 2 * gray[:, :, 1:-1] + gray[:, :, 2:]
    across, down = rows[:, :, 2:] - rows[:, :, :-2], columns[:, 2:] - columns[:, :-2]
    steepness = np.minimum(np.hypot(across, down) / 8, 1)  # 8: a step of 2, with weights 1 + 2 + 1
    return (1 - 2 * steepness)[:, None].astype(np.float32)


def _coarse(images: FloatImages, factor: int) -> Images:
    """The mean of each `factor` x `factor` pixels, rounded to 8 bits as in a small picture."""
    *_, height, width = images.shape
    return to_uint8(area_means(area_means(images, ceil(height / factor), 2), ceil(width / factor), 3))


def _compressed(image: FloatImages, quality: int) -> Images:
    """An image encoded as JPEG of this quality, and decoded again."""
    channels, *sides = image.shape
    with Image.open(io.BytesIO(encoded(as_picture(to_uint8(image)), "JPEG", quality=quality))) as read:
        return np.moveaxis(np.asarray(read).reshape(*sides, channels), -1, 0)


def _noisy(image: FloatImages, ticket: int, deviation: float) -> Images:
    """An image with Gaussian noise on each value, clipped and rounded to 8 bits as in a camera."""
    noise = np.random.default_rng(ticket).standard_normal(image.shape, np.float32)
    return to_uint8(image + np.float32(deviation) * noise)


def _salted(image: FloatImages, ticket: int, share: float) -> FloatImages:
    """Salt and pepper: a share of the pixels is black or white, in all channels."""
    drawn = np.random.default_rng(ticket).random(image.shape[1:], np.float32)
    return np.where(drawn < share / 2, np.float32(-1), np.where(drawn < share, np.float32(1), image))


def _masked(image: FloatImages, ticket: int) -> FloatImages:
    """An image `[C,H,W]` with a gray hole of half its height and width, and its mask: `[C+1,H,W]`, 1 in the hole."""
    _, height, width = image.shape
    high, wide = (height + 1) // 2, (width + 1) // 2
    choices = (height - high + 1) * (width - wide + 1)
    top, left = divmod(int(place(ticket) * choices), width - wide + 1)
    masked = np.concatenate([image, np.full((1, height, width), -1, np.float32)])
    masked[:, top : top + high, left : left + wide] = _FLAT
    masked[-1, top : top + high, left : left + wide] = 1
    return masked
