"""Several properties of one image: bits, which are -1 or 1, and numbers on [-1,1]; of a column of words a bit a word.

Names say which bits belong together: of `hair=red`, `hair=black` and `hair=none` one is 1 in each image.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mintage.nearest import nearest
from mintage.randomness import stream

EXAMPLES = 256
"""Rows of attributes that a generator keeps, so that it can be asked for likely combinations."""
_NEAR = 0.25
"""A number is right where it is so near: within an eighth of its range."""


def groups_of(names: Sequence[str]) -> dict[str, list[int]]:
    """The places of the bits of each attribute, by its name, in order.

    Example:
        >>> groups_of(["glasses", "hair=red", "hair=black"])
        {'glasses': [0], 'hair': [1, 2]}
    """
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name.partition("=")[0], []).append(place)
    return groups


def columns(given: Mapping[str, Any], images: int) -> tuple[tuple[str, ...], Tensor]:
    """Names `[K]` and values `[images, K]` on [-1,1] of columns by name, as `mintage.Dataset` takes them.

    Raises ValueError where a column has another length, or numbers beyond [-1,1].

    Example:
        >>> columns({"glasses": [True, False], "hair": ["red", "black"]}, 2)
        (('glasses', 'hair=black', 'hair=red'), tensor([[ 1., -1.,  1.],
                [-1.,  1., -1.]]))
    """
    parts = [part for name, values in given.items() for part in _columns(name, values, images)]
    return tuple(name for name, _ in parts), torch.stack([values for _, values in parts], 1)


def _columns(name: str, given: Any, images: int) -> Iterator[tuple[str, Tensor]]:
    values = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(values) != images:
        raise ValueError(f"attribute {name!r} has {len(values)} values: give one for each of {images} images")
    if any(isinstance(value, str) for value in values):
        for word in sorted({str(value) for value in values}):
            yield f"{name}={word}", torch.tensor([1.0 if str(value) == word else -1.0 for value in values])
        return
    if "=" in name:
        raise ValueError(f"attribute {name!r} has a '=' in its name, which joins a column and its word: rename it")
    yield name, torch.tensor([_number(name, value) for value in values])


def examples_of(rows: Tensor, seed: int) -> Tensor:
    """`[EXAMPLES, K]` of the rows `[N,K]`, drawn by the seed; again from the first where N is less."""
    order = torch.randperm(len(rows), generator=stream(seed, "attributes/examples"))
    return rows[order.repeat(-(-EXAMPLES // len(rows)))[:EXAMPLES]]


def with_changes(rows: Tensor, names: Sequence[str], asked: Mapping[str, bool | float | str]) -> Tensor:
    """The rows `[N,K]` with what is asked for: True or False of a bit, a number on [-1,1], the word of a group.

    Raises ValueError, with the nearest name, where there is no such attribute or value.

    Example:
        >>> with_changes(torch.zeros(1, 3), ["glasses", "hair=red", "hair=black"], {"glasses": True, "hair": "red"})
        tensor([[ 1.,  1., -1.]])
    """
    rows, groups = rows.clone(), groups_of(names)
    for name, value in asked.items():
        word = f"{name}={value}"
        if isinstance(value, str) and word in names:
            rows[:, groups[name]] = -1
            rows[:, list(names).index(word)] = 1
        elif isinstance(value, str) and name in groups and len(groups[name]) > 1:
            words = [names[place].partition("=")[2] for place in groups[name]]
            raise ValueError(f"there is no {name} {value!r}: ask for {' or '.join(words)}")
        elif name not in names or isinstance(value, str):
            known = [other for other in groups if len(groups[other]) == 1] + [one for one in names if "=" in one]
            raise ValueError(f"there is no attribute {name!r} that can be {value!r}{nearest(name, known)}")
        else:
            rows[:, list(names).index(name)] = _number(name, value)
    return rows


def _number(name: str, value: float) -> float:
    number = (1.0 if value else -1.0) if isinstance(value, bool) else float(value)
    if not -1 <= number <= 1:
        raise ValueError(f"attribute {name!r} cannot be {value}: ask for True, False, or a number in [-1,1]")
    return number


def values_of(rows: Tensor) -> Tensor:
    """All values `[V,B]` of an attribute, of which `[N,B]` are its bits, or its number, in some images."""
    if rows.shape[1] > 1:
        return 2 * torch.eye(rows.shape[1]) - 1
    return torch.tensor([[-1.0], [1.0]]) if (rows.abs() == 1).all() else torch.linspace(-1, 1, 5)[:, None]


def right(predicted: Tensor, asked: Tensor, names: Sequence[str]) -> Tensor:
    """Whether each attribute of each image is as asked `[N,G]`, in the order of `groups_of`.

    `predicted` and `asked` are `[N,K]` on [-1,1]. A bit is right on its side of 0, a number within an eighth of its
    range, a group where its highest bit is the one that is 1.
    """
    found = []
    for places in groups_of(names).values():
        guess, truth = predicted[:, places], asked[:, places]
        if len(places) > 1:
            found.append(guess.argmax(1) == truth.argmax(1))
        else:
            near = (guess - truth).abs() < torch.where(truth.abs() == 1, 1.0, _NEAR)
            found.append(near.squeeze(1))
    return torch.stack(found, 1)


def by_chance(rows: Tensor, names: Sequence[str]) -> Tensor:
    """The share `[G]` of rows `[N,K]` in which each attribute is right for who always says the likeliest value."""
    return right(rows.mean(0).expand_as(rows), rows, names).double().mean(0)
