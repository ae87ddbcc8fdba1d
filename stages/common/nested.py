"""Nested dicts, as params and metrics are."""

from collections.abc import Mapping
from typing import Any


def keys_of(values: Any) -> list[str]:
    """Every dotted key, of dicts as well as of single values."""
    pairs = values.items() if isinstance(values, Mapping) else ()
    return [key for name, value in pairs for key in (str(name), *(f"{name}.{inner}" for inner in keys_of(value)))]


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by their dotted names; an empty dict has none."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = flat(value) if isinstance(value, Mapping) else None
        found |= {name: value} if inner is None else {f"{name}.{key}": one for key, one in inner.items()}
    return found
