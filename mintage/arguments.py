"""Arguments of the public functions, compared with their annotations before anything is done with them."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, get_args

Given = ParamSpec("Given")
Made = TypeVar("Made")

_WORDS = {int: "a whole number", float: "a number", str: "a string", Path: "a path", NoneType: "None"}
_OWN = {"Dataset": "mintage.Dataset(image=...)", "Model": "a Model, such as run.model"}
"""What to give for the classes of this package."""
_TAKEN = {int: Integral, float: Real}
"""NumPy's numbers are as good as Python's."""


def checked(call: Callable[Given, Made]) -> Callable[Given, Made]:
    """The function, which first refuses an argument of another type than its annotation.

    Only annotations of plain values and of this package's classes are compared; True and False are no numbers.
    Raises ValueError that says what is given, and what to give.

    Example:
        >>> @checked
        ... def drawn(count: int) -> range:
        ...     return range(count)
        >>> drawn("4")
        Traceback (most recent call last):
        ValueError: count = '4': give a whole number
    """
    parameters = signature(call).parameters

    @wraps(call)
    def with_checks(*given: Given.args, **named: Given.kwargs) -> Made:
        for name, value in [*zip(parameters, given, strict=False), *named.items()]:
            if name in parameters and not _fits(value, parameters[name].annotation):
                raise ValueError(_sentence(call.__name__, parameters, name, value))
        return call(*given, **named)

    return with_checks


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The types of which a value must be one; none where any will do."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return kinds if all(kind in _WORDS or _is_own(kind) for kind in kinds) else ()


def _is_own(kind: Any) -> bool:
    return getattr(kind, "__name__", None) in _OWN


def _fits(value: Any, annotation: Any) -> bool:
    kinds = _kinds(annotation)
    if isinstance(value, bool):
        return not kinds
    return not kinds or isinstance(value, tuple(_TAKEN.get(kind, kind) for kind in kinds))


def _sentence(call: str, parameters: Mapping[str, Parameter], name: str, value: object) -> str:
    kinds, default = _kinds(parameters[name].annotation), parameters[name].default
    wanted = " or ".join(_WORDS.get(kind) or _OWN[kind.__name__] for kind in kinds if kind is not NoneType or default)
    if any(map(_is_own, kinds)):
        by_place = [one for one in parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
        first = [one.name for one in by_place if one.default is one.empty or any(map(_is_own, _kinds(one.annotation)))]
        where = f", as in {call}({', '.join(first)})" if name in first else ""
        return f"{name} is a {type(value).__name__}: give {wanted}{where}"
    such_as = "" if default in (None, Parameter.empty) else f", such as {default!r}"
    return f"{name} = {value!r}: give {wanted}{such_as}"
