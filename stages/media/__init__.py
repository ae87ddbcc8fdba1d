"""Media: the kinds of data that the stages know, a module for each, and how to find the medium of data.

Another package adds a medium as an entry point of the group `mintage.media`, with the value "module:Class"
(docs/extending.md). Nothing is imported before it is used.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from mintage.nearest import nearest
from mintage.spelling import american_keys
from stages.common.errors import UserError
from stages.media.medium import Medium

BUILT_IN = {
    "images": "stages.media.images:Images",
    "frames": "stages.media.frames:Frames",
    "points": "stages.media.points:Points",
    "volumes": "stages.media.volumes:Volumes",
    "sounds": "stages.media.sounds:Sounds",
    "tokens": "stages.media.tokens:Tokens",
    "rolls": "stages.media.rolls:Rolls",
}
GROUP = "mintage.media"
FORMER = "images"
"""The medium of data that do not name one: an earlier version, which had no media, made them."""


def medium_of(facts: Mapping[str, Any]) -> Medium:
    """The medium in the facts of a manifest, of a release's provenance, or of raw shards' metadata.

    Raises UserError if no package has it, or its facts do not fit.
    """
    about = facts.get("medium")
    if about is None:
        former = (load(name).read_former(facts) for name in BUILT_IN)
        return next((medium for medium in former if medium is not None), load(FORMER)())
    name = about["name"]
    medium, known = load(name), {key: value for key, value in about.items() if key != "name"}
    try:
        return medium(**american_keys(known, known=[field.name for field in fields(medium)]))
    except TypeError as error:
        raise UserError(
            "medium-misfit", f"what is known of the medium {name!r} does not fit ({error}): ingest again"
        ) from None


@cache
def load(name: str) -> type[Medium]:
    """The class of a medium, imported now. Raises UserError if there is none, or it cannot be imported."""
    where = place(name)
    module, _, attribute = where.partition(":")
    try:
        found: type[Medium] = getattr(import_module(module), attribute)
    except Exception as error:  # it is anyone's code
        reason = f"{type(error).__name__}: {error}"
        raise UserError(
            "medium-broken", f"the medium {name!r} ({where}) cannot be imported ({reason}): mend it"
        ) from None
    return found


def place(name: str) -> str:
    """The place of a medium, as "module:Class". Raises UserError, with the nearest name, if there is none."""
    found = BUILT_IN.get(name) or brought().get(name)
    if found is None:
        raise UserError(
            "medium-unknown", f"there is no medium {name!r}{nearest(name, names())}: install the package that brings it"
        )
    return found


def names() -> list[str]:
    """Every medium: the project's own, then those of installed packages."""
    return [*BUILT_IN, *sorted(brought().keys() - BUILT_IN)]


@cache
def brought() -> dict[str, str]:
    """The media of other packages, by name."""
    return {entry.name: entry.value for entry in entry_points(group=GROUP)}


def words_for(need: str) -> str:
    """A name for the data that have what a metric needs (`Metric.needs`)."""
    offers = (load(name).offers for name in names())
    return next((offered[need] for offered in offers if need in offered), need)
