"""Arguments of the public functions, made what their annotations say before anything is done with them."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from inspect import Parameter, signature
from numbers import Real
from operator import index
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

import torch

Given = ParamSpec("Given")
Made = TypeVar("Made")

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path",
    NoneType: "None",
    Sequence[str]: "a list of strings",
    Sequence[int]: "a list of whole numbers",
    Mapping[str, Any]: "a dict",
}
_OWN = {"Dataset": "mintage.Dataset(image=...)", "Model": "a Model, such as run.model"}
"""What to give for the classes of this package."""


def checked(call: Callable[Given, Made]) -> Callable[Given, Made]:
    """The function, which gets each argument as its annotation says: 4 for a tensor of 4 or for 4.0, a Path for a path.

    Only annotations of plain values and of this package's classes count; True and False are no numbers.
    Raises ValueError that says what is given, and what to give.

    Example:
        >>> @checked
        ... def draw(count: int) -> range:
        ...     return range(count)
        >>> draw("4")
        Traceback (most recent call last):
        ValueError: count = '4': give a whole number
    """
    parameters = signature(call).parameters
    plain_call: Callable[..., Made] = call

    def plain(name: str, value: Any) -> Any:
        try:
            return _as_one_of(_kinds(parameters[name].annotation), value) if name in parameters else value
        except TypeError:
            raise ValueError(_sentence(call.__name__, parameters, name, value)) from None

    @wraps(call)
    def with_checks(*given: Given.args, **named: Given.kwargs) -> Made:
        by_place = [plain(name, value) for name, value in zip(parameters, given, strict=False)]
        by_name = {name: plain(name, value) for name, value in named.items()}
        return plain_call(*by_place, *given[len(by_place) :], **by_name)

    return with_checks


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The types of which a value must be one; none where any will do."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return kinds if all(kind in _WORDS or _is_own(kind) for kind in kinds) else ()


def _is_own(kind: Any) -> bool:
    return getattr(kind, "__name__", None) in _OWN


def _as_one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    """The value as the first of these types that it can be. Raises TypeError if it can be none."""
    if not kinds:
        return value
    plain = value.item() if getattr(value, "ndim", None) == 0 else value  # a number of NumPy, a tensor of one
    for kind in kinds if not isinstance(plain, bool) else ():
        with suppress(TypeError):
            return _as(kind, plain)
    raise TypeError


def _as(kind: Any, value: Any) -> Any:
    if origin := get_origin(kind):  # what is in it the function itself looks at
        fits = isinstance(value, Iterable if origin is Sequence else origin)  # an array is iterable, and no Sequence
        if fits and not isinstance(value, str | bytes | set | frozenset):  # a set has another order in each process
            return value
    elif isinstance(value, kind):
        return value
    if kind is int:
        return int(value) if isinstance(value, float) and value.is_integer() else index(value)
    if kind is float and isinstance(value, Real):
        return float(value)
    if kind is Path and isinstance(value, os.PathLike):
        return Path(value)
    if kind is str and isinstance(value, torch.device):
        return str(value)
    raise TypeError


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
