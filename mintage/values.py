"""Checks values that people write against the annotations of a frozen dataclass. Errors are a sentence with the key."""

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from mintage import catalog
from mintage.nearest import like, nearest, not_one_of
from mintage.spelling import american, american_keys, spelled_twice

Made = TypeVar("Made")


@dataclass(frozen=True)
class Within:
    """The bounds of a number."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __str__(self) -> str:
        words = {"above": self.above, "from": self.least, "to": self.most, "below": self.below}
        return "".join(f" {word} {value:g}" for word, value in words.items() if math.isfinite(value))

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and self.above < value < self.below


@dataclass(frozen=True)
class Named:
    """A name of this kind in the catalog."""

    kind: str


def replace(base: Made, values: Any, key: str) -> Made:
    """A dataclass with these values in place of its own; a value of None changes nothing.

    Values are as in YAML, TOML and JSON: a list for a tuple, a mapping for a nested dataclass.
    Raises ValueError, naming what is wrong by its dotted `key`.
    """
    return dataclasses.replace(base, **_fields(type(base), values, key, base))  # type: ignore[type-var]


def make(kind: type[Made], values: Any, key: str) -> Made:
    """A new dataclass from such values; every field without a default needs one."""
    given = _fields(kind, values, key, None)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in given and field.default is field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{key}.{field.name} is missing: add it")
    return kind(**given)


def respelled(kind: type, values: Any) -> Any:
    """Values as `replace` takes them, with each key and name in the American spelling that it is read in."""
    if not isinstance(values, Mapping):
        return values
    hints = annotations(kind)
    spelled = american_keys(values, known=hints)
    return {name: _respelled(value, hints[name]) if name in hints else value for name, value in spelled.items()}


def _respelled(value: Any, annotation: Any) -> Any:
    kind = _kind(annotation)
    if dataclasses.is_dataclass(kind.type):
        return respelled(kind.type, value)  # type: ignore[arg-type]
    if kind.type is tuple and isinstance(value, list | tuple):
        return [_respelled(one, kind.inner[0]) for one in value]
    return american(value) if american(value) in kind.choices and value not in kind.choices else _plain(value)


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python, which JSON can hold; any other value as it is."""
    if isinstance(value, int | float) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def names_in(values: Any) -> list[tuple[str, str]]:
    """Every name of the catalog in a dataclass, with its kind, at any depth."""
    found: list[tuple[str, str]] = []
    for name, annotation in annotations(type(values)).items():
        found += _names_in(getattr(values, name), annotation)
    return found


def _names_in(value: Any, annotation: Any) -> list[tuple[str, str]]:
    kind = _kind(annotation)
    if dataclasses.is_dataclass(value):
        return names_in(value)
    if isinstance(value, tuple):
        return [found for one in value for found in _names_in(one, kind.inner[0])]
    return [(kind.named, value)] if kind.named else []


def annotations(kind: Any) -> dict[str, Any]:
    """The annotation of each field of a dataclass."""
    return _annotations(kind)


@cache
def _annotations(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def meaning(annotation: Any) -> str:
    """An annotation's meaning in words, and its allowed values; empty if it allows every value of its type."""
    kind = _kind(annotation)
    return "; ".join(
        part for part in (" | ".join(map(str, kind.choices)) or str(kind.bounds).strip(), kind.words) if part
    )


@dataclass(frozen=True)
class _Kind:
    """What an annotation requires of a value."""

    type: Any
    """int, float, bool, str, tuple, or a dataclass."""
    choices: tuple[Any, ...]
    """The only allowed values; empty if there is no such list."""
    bounds: Within
    inner: tuple[Any, ...]
    """Annotations of a tuple's parts."""
    named: str
    """The kind of name in the catalog that it must be; empty for other values."""
    words: str


@cache
def _kind(annotation: Any) -> _Kind:
    annotation, *rules = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    if isinstance(annotation, UnionType):  # X | None; a value is never None
        annotation = next(one for one in get_args(annotation) if one is not NoneType)
    named = next((rule.kind for rule in rules if isinstance(rule, Named)), "")
    literal, several = get_origin(annotation) is Literal, get_origin(annotation) is tuple
    return _Kind(
        type=str if literal else tuple if several else annotation,
        choices=get_args(annotation) if literal else tuple(catalog.names(named)) if named else (),
        bounds=next((rule for rule in rules if isinstance(rule, Within)), Within()),
        inner=get_args(annotation) if several else (),
        named=named,
        words=next((rule for rule in rules if isinstance(rule, str)), ""),
    )


def _fields(kind: type, values: Any, key: str, base: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise ValueError(f"{key} = {values!r} is refused: it is a mapping, such as {{name: value}}")
    hints = annotations(kind)
    values = american_keys(values, known=hints)
    for name, value in values.items():
        if name not in hints:
            why = spelled_twice(str(name), hints) or f"not a known key{_advice(str(name), hints)}"
            raise ValueError(f"{key}.{name} = {value!r} is {why}")
    return {
        name: _checked(value, hints[name], f"{key}.{name}", getattr(base, name, None))
        for name, value in values.items()
        if value is not None
    }


def _advice(name: str, hints: dict[str, Any]) -> str:
    """Which field may be meant, here or in a nested dataclass."""
    known = {one: one for one in hints}
    for outer, annotation in hints.items():
        if dataclasses.is_dataclass(annotation):
            known = {field.name: f"{outer}.{field.name}" for field in dataclasses.fields(annotation)} | known
    close = like(name, list(known))
    return f": did you mean {known[close]!r}?" if close else nearest(name, list(hints))


def _checked(value: Any, annotation: Any, key: str, base: Any) -> Any:
    kind, value = _kind(annotation), _plain(value)
    if isinstance(kind.type, type) and dataclasses.is_dataclass(kind.type):
        return make(kind.type, value, key) if base is None else replace(base, value, key)
    if kind.type is tuple:
        return _checked_tuple(value, kind.inner, key)
    if kind.choices:
        value = value if value in kind.choices else american(value)
        if value not in kind.choices:
            raise ValueError(f"{key} = {value!r}{not_one_of(str(value), kind.choices)}")
    elif not _fits(value, kind):
        raise ValueError(f"{key} = {value!r} is refused: it is {_wanted(kind)}")
    return float(value) if kind.type is float else value


def _checked_tuple(value: Any, inner: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{key} = {value!r} is refused: it is a list")
    if inner[-1] is not Ellipsis and len(value) != len(inner):
        raise ValueError(f"{key} = {list(value)!r} is refused: it is a list of {len(inner)}")
    each = enumerate(zip(value, inner if inner[-1] is not Ellipsis else [inner[0]] * len(value), strict=True))
    return tuple(_checked(one, annotation, f"{key}.{at}", None) for at, (one, annotation) in each)


def _fits(value: Any, kind: _Kind) -> bool:
    if kind.type in (bool, str):
        return isinstance(value, kind.type)
    if isinstance(value, bool) or not isinstance(value, int if kind.type is int else int | float):
        return False
    return abs(value) <= sys.float_info.max and value in kind.bounds  # NaN is not in bounds


def _wanted(kind: _Kind) -> str:
    if kind.type in (bool, str):
        return "true or false" if kind.type is bool else "a text"
    return f"a {'whole ' if kind.type is int else ''}number{kind.bounds}"
