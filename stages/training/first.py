"""The model on which a second stage is built, named in `train.first`."""

from dataclasses import asdict, replace
from typing import Any

from mintage.checkpoint import weights_of
from mintage.model import load
from mintage.players import Generator
from mintage.release import ReleaseError
from stages.common.errors import UserError
from stages.common.marks import mark_of_weights
from stages.common.released import family_of, release_of


def first_at(address: str | None) -> Generator | None:
    """The generator of a release or a folder; None if none is named. Raises UserError if it does not exist."""
    if address is None:
        return None
    try:
        return load(address).generator
    except ReleaseError as error:
        raise UserError("first-unusable", f"train.first = {error}") from None


def facts_of_first(address: str | None) -> dict[str, Any]:
    """Provenance of the first model: its family, and beginnings of its weights' and release's digests; {} without."""
    first = first_at(address)
    if first is None or address is None:
        return {}
    mark = replace(mark_of_weights(weights_of(first), family_of(address)), release=release_of(address))
    return {"first": asdict(mark)}
