"""Whether a medium's samples can be made with the settings of `normalize`."""

from math import prod
from typing import TYPE_CHECKING

from stages.common.errors import UserError
from stages.media.medium import Medium

if TYPE_CHECKING:
    from stages.common.params import Normalize

_NOT_OF_ALL = ("depth", "length")
"""Sides that only some media have; they are null for other media."""
_MOST = 2**26
"""Most numbers of a sample."""
_OF_PICTURES = ("black", "white", "partner")
"""Settings that are null if files are no pictures."""


def require_settings(medium: Medium, to: "Normalize") -> None:
    """Raise UserError if `to` has sides that samples lack, lacks sides that they have, or changes their meaning."""
    _require_sides(medium, to)
    if to.channels not in medium.channels:
        known = " or ".join(map(str, medium.channels))
        raise UserError(
            "channels-unsuitable",
            f"normalize.channels = {to.channels}, and {medium.words.many} have {known}: set it to one of these",
        )
    words, shape = medium.words, to.shape_of(medium.sides)
    if prod(shape) > _MOST:
        raise UserError(
            "sample-too-large",
            f"{words.many} of {' x '.join(map(str, shape))} are {prod(shape):,} numbers each, more than {_MOST:,}: set "
            f"normalize.{', '.join(medium.sides)} to less",
        )
    if medium.shape is not None:
        _require_as_they_are(medium, to)
    if reason := medium.lacks.get("picture files"):
        asked = [name for name in _OF_PICTURES if getattr(to, name) is not None]
        if asked:
            raise UserError(
                "settings-of-pictures", f"normalize.{asked[0]} is a setting of pictures, and {reason}: set it to null"
            )
        if to.fit not in medium.fits:
            raise UserError(
                "fit-of-pictures",
                f"normalize.fit = {to.fit!r} is not one of those for {words.many}: set it to "
                f"{' or '.join(medium.fits)}",
            )


def _require_sides(medium: Medium, to: "Normalize") -> None:
    many, sides = medium.words.many, ", ".join(medium.sides)
    for side in _NOT_OF_ALL:
        given = getattr(to, side)
        if side in medium.sides and given is None:
            raise UserError(
                "side-missing",
                f"normalize.{side} is null, and the sides of {many} are {sides}: set it to as many "
                f"{medium.words.part}s as they are to have",
            )
        if side not in medium.sides and given is not None:
            raise UserError(
                "side-superfluous",
                f"normalize.{side} = {given}, and the sides of {many} are {sides}: set it to null",
            )


def _require_as_they_are(medium: Medium, to: "Normalize") -> None:
    """Raise UserError if samples with a fixed shape would be resized or change their brightness."""
    words, shape = medium.words, medium.shape
    assert shape is not None
    if shape != to.shape_of(medium.sides):
        channels, height, width = shape
        size = width if height == 1 else f"{height} x {width}"
        raise UserError(
            "medium-resized",
            f"the {words.many} have {size} {words.part}s, and must keep them: set normalize.channels to {channels}, "
            f"height to {height}, width to {width}",
        )
    if to.black is not None or to.white is not None:
        raise UserError(
            "medium-rescaled", f"{words.many} have a scale of their own: set normalize.black and white to null"
        )
