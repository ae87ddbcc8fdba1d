"""Nested dicts, as params and metrics are."""

from collections.abc import Iterable, Mapping
from typing import Any


def value_at(values: Any, key: str) -> Any:
    """The value of a dotted key; None if there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def keys_of(values: Any) -> list[str]:
    """Every dotted key, of dicts as well as of single values."""
    nested = ((str(name), keys_of(value)) for name, value in _pairs(values))
    return [key for name, inner in nested for key in (name, *(f"{name}.{one}" for one in inner))]


def flat(values: Any) -> dict[str, Any]:
    """The single values by their dotted names; none of an empty dict, or of what is no dict."""
    found: dict[str, Any] = {}
    for name, value in _pairs(values):
        inner = {f"{name}.{key}": one for key, one in flat(value).items()}
        found |= inner if isinstance(value, Mapping) else {str(name): value}
    return found


def _pairs(values: Any) -> Iterable[tuple[Any, Any]]:
    return values.items() if isinstance(values, Mapping) else ()
