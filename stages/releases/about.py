"""What a release is, in a few words: the family, the data and the verdict, as the beginning of its card says them."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from stages.common.errors import TemporaryError, UserError
from stages.releases.card import CARD
from stages.releases.catalog import Summary
from stages.releases.manifest import Release, release_in
from stages.stores import Store
from stages.stores.parallel import each

LARGEST_CARD = 200_000
"""Bytes of a card that is read for a list, at most."""
_LONGEST = 60
_NAME = re.compile(r'(?m)^- name: ("(?:[^"\\\n]|\\.)* on (?:[^"\\\n]|\\.)*")$')
_VERDICT = re.compile(r"(?m)^\*\*([A-Z][a-z]{2,19}(?: [a-z]{2,19})?): ")
_NOT_JUDGED = ("not judged", "unknown")
"""What cards say of a model that is not judged: now, and in earlier versions."""


@dataclass(frozen=True)
class About:
    """What is known of it; None for what its card does not say, as those of earlier versions."""

    family: str | None = None
    data: str | None = None
    verdict: str | None = None
    """A level of `selection.json`; `unknown` for what is not judged."""

    def __str__(self) -> str:
        what = None if self.family is None else f"{self.family} on {self.data}"
        level = "not judged" if self.verdict == "unknown" else self.verdict
        return ", ".join(filter(None, (what, level)))


def about(release: Release) -> About:
    """What a release is. A card that cannot be read says nothing: `verify` tells why."""
    try:
        card = (release.read(CARD) or b"").decode(errors="replace")
    except TemporaryError:
        raise
    except UserError:
        return About()
    named, judged = _NAME.search(card), _VERDICT.search(card)
    family, data = _parts(named[1]) if named else (None, None)
    level = judged[1].lower() if judged else None
    return About(family, data, "unknown" if level in _NOT_JUDGED else level)


def about_each(store: Store, summaries: Iterable[Summary]) -> dict[str, About]:
    """What each of a list is, by its name; one small file of each is read, several at a time."""
    names = [summary.release for summary in summaries if 0 < summary.card <= LARGEST_CARD]
    return dict(each(lambda name: about(release_in(store, name)), names))


def _parts(name: str) -> tuple[str | None, str | None]:
    """The family and the data, fit for a terminal, of the card's name of both."""
    try:
        family, _, data = json.loads(name).partition(" on ")
    except ValueError:
        return None, None
    return _shown(family), _shown(data)


def _shown(text: str) -> str:
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
