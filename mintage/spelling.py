"""American spellings of names: what is written has these, and what older params and files say is still read."""

from collections.abc import Collection, Mapping
from typing import Any

_AMERICAN = {
    "centre": "center",
    "centres": "centers",
    "colour": "color",
    "colours": "colors",
    "data_licence": "data_license",
    "grey": "gray",
    "labelled": "labeled",
    "licence": "license",
}


def american(name: Any) -> Any:
    """A name in its American spelling; any other value as it is."""
    return _AMERICAN.get(name, name) if isinstance(name, str) else name


def american_keys(values: Any, *, known: Collection[str] = tuple(_AMERICAN.values())) -> Any:
    """A mapping whose keys have their American spelling where that is `known`, and not a key, too; else the value."""
    return {_key(key, values, known): value for key, value in values.items()} if isinstance(values, Mapping) else values


def spelled_twice(name: str, known: Collection[str]) -> str | None:
    """What an unknown key is, if it is an older spelling beside the American one; else None."""
    spelled = american(name)
    return f"the older spelling of {spelled!r}, which is there, too: leave one out" if spelled in known else None


def _key(key: str, values: Mapping[str, Any], known: Collection[str]) -> str:
    spelled: str = american(key)
    return spelled if key not in known and spelled in known and spelled not in values else key
