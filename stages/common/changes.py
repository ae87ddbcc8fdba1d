"""Why work starts anew although an earlier run left states: what differs, and what is kept of that run."""

from collections.abc import Mapping

from stages.common.errors import counted, quoted
from stages.common.provenance import git_state
from stages.common.resume import Former

_NAMED = 3
"""Most differing params, or modules, that are named; a new family changes dozens."""
_DIGITS = 10
"""Of a commit, as git itself shows it."""
_PUT_AWAY = "`git stash -- mintage stages`"
"""Of the code alone: what changed in params.yaml stays."""
_OTHERS = {
    "data": "the data have changed",
    "code": "the code has changed",
    "torch": "another version of torch",
    "first": "the first stage has changed",
}


def explain_restart(what: str, section: str, former: Former, effects: Mapping[str, str] | None = None) -> str:
    """A sentence for the user; `section` has the params, `effects` are unexpected effects of some, by name."""
    named = [
        f"{section}.{key} was {_worded(old)} and is {_worded(new)}"
        for key, (old, new) in list(former.params.items())[:_NAMED]
    ]
    more = len(former.params) - len(named)
    found = [
        *named,
        *([differ(more)] if more else []),
        *(_other(part, former) for part in former.others),
    ]
    why = _listed(found) + _changing([effect for key, effect in (effects or {}).items() if key in former.params])
    kept = f"{former.images:,} images of the run before are kept in {former.folder}"
    return f"{what} starts anew: {why}; {kept}: change that back to go on from there{_how(former)}"


def _worded(value: object) -> str:
    return "not set" if value is None else quoted(value)


def _other(part: str, former: Former) -> str:
    if part != "code" or not former.modules:
        return _OTHERS[part]
    more = len(former.modules) - _NAMED
    named = [*former.modules[:_NAMED], *([counted(more, "more module")] if more > 0 else [])]
    return f"{_OTHERS[part]} ({_listed(named)})"


def _how(former: Former) -> str:
    """How the code of the run before comes back; empty if it is the same, or no commit of it is known."""
    before = former.git.get("commit")
    if not former.modules or not before:
        return ""
    if not former.git.get("clean"):
        return f" (its code was commit {before[:_DIGITS]}, with changes that were not committed)"
    now = git_state()
    if not now.get("commit"):
        return f" (its code was commit {before[:_DIGITS]})"
    steps = [] if now.get("clean") else [_PUT_AWAY]
    steps += [] if before == now.get("commit") else [f"`git checkout {before[:_DIGITS]}`"]
    return f" ({', then '.join(steps)})" if steps else ""


def differ(number: int) -> str:
    """1 more param differs, 2 more params differ."""
    return f"{counted(number, 'more param')} {'differs' if number == 1 else 'differ'}"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _changing(effects: list[str]) -> str:
    return f", which changes {' and '.join(effects)}" if effects else ""
