"""Why work starts anew although an earlier run left states: what differs, and what is kept of that run."""

from collections.abc import Mapping

from stages.common.errors import quoted
from stages.common.resume import Former

_NAMED = 3
"""Most differing params that are named; a new family changes dozens."""
_OTHERS = {
    "data": "the data are others",
    "code": "the code is another",
    "torch": "torch is another",
    "first": "the first stage is another",
}


def explain_restart(what: str, section: str, former: Former, effects: Mapping[str, str] | None = None) -> str:
    """A sentence for the user; `section` has the params, `effects` are unexpected effects of some, by name."""
    named = [
        f"{section}.{key} was {quoted(old)} and is {quoted(new)}"
        for key, (old, new) in list(former.params.items())[:_NAMED]
    ]
    more = len(former.params) - len(named)
    found = [*named, *([f"{more} more params differ"] if more else []), *(_OTHERS[part] for part in former.others)]
    why = _listed(found) + _changing([effect for key, effect in (effects or {}).items() if key in former.params])
    kept = f"{former.images:,} images of the run before are kept in {former.folder}"
    return f"{what} starts anew: {why}; {kept}: change that back to go on from there"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _changing(effects: list[str]) -> str:
    return f", which changes {' and '.join(effects)}" if effects else ""
